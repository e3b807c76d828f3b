"""Grid cells: where a place lies in H3 and in the BeiDou grid (GB/T 39409-2020).

Different data meet in one cell. H3 is a grid of hexagons, each level seven times finer; the BeiDou
grid is one of degrees, minutes and seconds, ten levels from the sheet of the map 1:1,000,000 to
1/2048 of a second (1.5 cm), whose code of a cell begins with the codes of the cells around it.

The BeiDou grid mirrors at the equator and the meridian of Greenwich: from level 2 on, cells are
counted away from them. Its cells at and above 88 degrees are of another form, for which this module
has no code.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from conurb.errors import BadRequestDataError
from conurb.model.geometry import Geometry, to_shapely

H3_RESOLUTION_MAX: Final = 15
BEIDOU_LEVEL_MAX: Final = 10
BEIDOU_LATITUDE_MAX: Final = 88.0
"""Degrees; from here on the grid has polar cells."""

_UNITS_PER_DEGREE: Final = 3600 * 2048
"""The finest cell is the unit, so that cells are counted in whole numbers."""

_TOLERANCE: Final = 1e-5
"""A place this part of the finest cell (0.15 um) before a border is on it: binary fractions."""


@dataclass(frozen=True, slots=True)
class _Level:
    """One level: its cell in units, how many cells the one above has, and how they are written.

    `single` writes row and column as one digit, row by row.
    """

    width: int
    height: int
    columns: int
    rows: int
    single: bool = False


_S: Final = 2048
_LEVELS: Final = (
    _Level(6 * 3600 * _S, 4 * 3600 * _S, 30, 22),
    _Level(1800 * _S, 1800 * _S, 12, 8),
    _Level(900 * _S, 600 * _S, 2, 3, single=True),
    _Level(60 * _S, 60 * _S, 15, 10),
    _Level(4 * _S, 4 * _S, 15, 15),
    _Level(2 * _S, 2 * _S, 2, 2, single=True),
    _Level(_S // 4, _S // 4, 8, 8),
    _Level(_S // 32, _S // 32, 8, 8),
    _Level(_S // 256, _S // 256, 8, 8),
    _Level(1, 1, 8, 8),
)
_LENGTHS: Final = (4, 6, 7, 9, 11, 12, 14, 16, 18, 20)
"""Characters of a code of each level."""

_ZONES: Final = 30
"""Columns of level 1 in each half; 31 is the first one east of Greenwich."""


def h3_cell(longitude: float, latitude: float, *, resolution: int) -> str:
    """Give the H3 cell of a place, degrees; resolution 0 to 15.

    >>> h3_cell(121.4737, 31.2304, resolution=8)
    '88309959d1fffff'
    """
    import h3

    if not 0 <= resolution <= H3_RESOLUTION_MAX:
        raise BadRequestDataError(f"H3 resolution: {resolution} is not 0 to {H3_RESOLUTION_MAX}")
    cell: str = h3.latlng_to_cell(latitude, longitude, resolution)
    return cell


def h3_polygon(cell: str) -> Geometry:
    """Give the outline of an H3 cell as GeoJSON; raise BadRequestDataError when it is none.

    The ring of a cell that crosses the date line is continued beyond 180 degrees.
    """
    import h3

    if not h3.is_valid_cell(cell):
        raise BadRequestDataError(f"{cell!r:.60} is not an H3 cell")
    ring = [[longitude, latitude] for latitude, longitude in h3.cell_to_boundary(cell)]
    if max(x for x, _ in ring) - min(x for x, _ in ring) > 180:
        ring = [[x + 360 if x < 0 else x, y] for x, y in ring]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def beidou_code(longitude: float, latitude: float, *, level: int = BEIDOU_LEVEL_MAX) -> str:
    """Give the two-dimensional BeiDou grid code of a place, degrees; level 1 to 10.

    Raises BadRequestDataError at and above 88 degrees of latitude. GB/T 39409-2020, clause 5.

    >>> beidou_code(116 + 18 / 60 + 45.37 / 3600, 39 + 59 / 60 + 35.38 / 3600)
    'N50J47539B8255346152'
    """
    if not 1 <= level <= BEIDOU_LEVEL_MAX:
        raise BadRequestDataError(f"BeiDou grid level: {level} is not 1 to {BEIDOU_LEVEL_MAX}")
    if not (-180 <= longitude <= 180 and abs(latitude) < BEIDOU_LATITUDE_MAX):
        raise BadRequestDataError(
            f"BeiDou grid: longitude {longitude}, latitude {latitude} is outside of -180..180 and "
            f"of the latitudes below {BEIDOU_LATITUDE_MAX:g}"
        )
    # 180 degrees belong to the last cell of their half: there is none beyond.
    x = min(_units(longitude), 180 * _UNITS_PER_DEGREE - 1)
    y = _units(latitude)
    column, row = x // _LEVELS[0].width, y // _LEVELS[0].height
    zone = _ZONES + 1 + column if longitude >= 0 else _ZONES - column
    code = f"{'N' if latitude >= 0 else 'S'}{zone:02d}{chr(ord('A') + row)}"
    for above, here in pairwise(_LEVELS[:level]):
        x, y = x % above.width, y % above.height
        column, row = x // here.width, y // here.height
        code += str(row * here.columns + column) if here.single else f"{column:X}{row:X}"
    return code


def beidou_level(code: str) -> int:
    """Give the level of a BeiDou grid code, by its length.

    Raises BadRequestDataError when no level has codes of this length.
    """
    try:
        return _LENGTHS.index(len(code)) + 1
    except ValueError:
        raise BadRequestDataError(
            f"{code!r:.60} is not a BeiDou grid code: {len(code)} characters"
        ) from None


def beidou_bounds(code: str) -> tuple[float, float, float, float]:
    """Give west, south, east and north of a cell of the BeiDou grid, degrees.

    Raises BadRequestDataError when it isn't the code of a cell.

    >>> beidou_bounds("N50J")
    (114.0, 36.0, 120.0, 40.0)
    """
    level = beidou_level(code)
    hemisphere, zone_text, band = code[0], code[1:3], ord(code[3].upper()) - ord("A")
    zone = int(zone_text) if zone_text.isascii() and zone_text.isdigit() else 0
    if hemisphere not in "NS" or not 1 <= zone <= 2 * _ZONES or not 0 <= band < _LEVELS[0].rows:
        raise BadRequestDataError(f"{code!r:.60} is not a BeiDou grid code: no cell of level 1")
    east = zone > _ZONES
    x = (zone - _ZONES - 1 if east else _ZONES - zone) * _LEVELS[0].width
    y = band * _LEVELS[0].height
    for at in range(1, level):
        here = _LEVELS[at]
        column, row = _cell(code, code[_LENGTHS[at - 1] : _LENGTHS[at]], here)
        x, y = x + column * here.width, y + row * here.height
    smallest = _LEVELS[level - 1]
    near_x, far_x = x / _UNITS_PER_DEGREE, (x + smallest.width) / _UNITS_PER_DEGREE
    near_y, far_y = y / _UNITS_PER_DEGREE, (y + smallest.height) / _UNITS_PER_DEGREE
    west, west_to = (near_x, far_x) if east else (-far_x, -near_x)
    south, south_to = (near_y, far_y) if hemisphere == "N" else (-far_y, -near_y)
    return west, south, west_to, south_to


def beidou_parent(code: str, *, level: int) -> str:
    """Give the cell of a coarser level around a cell of the BeiDou grid.

    >>> beidou_parent("N50J47539B8255346152", level=5)
    'N50J47539B8'
    """
    if not 1 <= level <= beidou_level(code):
        raise BadRequestDataError(f"{code!r:.60} has no cell of level {level} around it")
    return code[: _LENGTHS[level - 1]]


def cells(
    geometry: Geometry, *, h3_resolution: int | None = None, level: int | None = None
) -> tuple[str | None, str | None]:
    """Give the H3 cell and the BeiDou grid code of a geometry, by a point that lies in it.

    What isn't asked for is None; so is the code of a place near a pole.
    """
    if geometry["type"] == "Point":
        longitude, latitude = geometry["coordinates"][:2]
    else:
        point = to_shapely(geometry).representative_point()
        longitude, latitude = point.x, point.y
    h3_code = None
    if h3_resolution is not None:
        h3_code = h3_cell(longitude, latitude, resolution=h3_resolution)
    code = None
    if level is not None and abs(latitude) < BEIDOU_LATITUDE_MAX:
        code = beidou_code(longitude, latitude, level=level)
    return h3_code, code


def _units(degrees: float) -> int:
    return int(abs(degrees) * _UNITS_PER_DEGREE + _TOLERANCE)


def _cell(code: str, text: str, level: _Level) -> tuple[int, int]:
    """Give column and row that a level's part of a code names."""
    try:
        if level.single:
            row, column = divmod(int(text, 10), level.columns)
        else:
            column, row = int(text[0], 16), int(text[1], 16)
    except ValueError:
        column = level.columns
        row = level.rows
    if not text.isalnum() or column >= level.columns or row >= level.rows:
        raise BadRequestDataError(f"{code!r:.60} is not a BeiDou grid code: {text!r} names no cell")
    return column, row

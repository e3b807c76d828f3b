"""Maps of the report: areas by class of a figure, and links between points.

Shapes are simplified together, so that neighbours keep their common border, to what a screen shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import shapely
from shapely.geometry import shape

from conurb.errors import InputError
from conurb.strategy.report.charts import text_width
from conurb.strategy.report.drawing import INK, NOTHING, ORANGE, QUIET, Canvas, Plot

WIDTH: Final = 560.0
KEY: Final = 170.0
"""Pixels beside the map for what its colours say."""
DETAIL_PX: Final = 0.6
"""Borders are simplified to about so many pixels."""
DARK_BELOW: Final = 140
"""Of 255: the lightness below which names are white."""
NAME_SIZE: Final = 8.0
ROOM_OVER: Final = 1.5
"""By how much a name may be wider than the circle that fits into its area."""
BLUES: Final = ("#e4eef4", "#b9d3e2", "#82b0ca", "#4886ab", "#1b577f")
GREENS: Final = ("#e7f1ea", "#bcd9c6", "#87b99c", "#4f9470", "#216345")
REDS: Final = ("#f7ebe2", "#eccdb4", "#dea57e", "#c67846", "#96491d")


@dataclass(frozen=True, slots=True)
class Areas:
    """Areas of units as paths of pixels with a point within each for its name (and how many pixels
    are around it), and where longitude and latitude are on the map."""

    units: tuple[str, ...]
    paths: tuple[str, ...]
    middles: tuple[tuple[float, float, float], ...]
    width: float
    height: float
    west: float
    north: float
    per_degree: float
    squeeze: float

    def at(self, point: Sequence[float]) -> tuple[float, float]:
        """Give the pixel of longitude, latitude."""
        return (
            (point[0] - self.west) * self.squeeze * self.per_degree + 6,
            (self.north - point[1]) * self.per_degree + 6,
        )


def lay_out(boundaries: Mapping[str, Mapping[str, Any]], *, width: float = WIDTH) -> Areas:
    """Project boundaries (unit to GeoJSON geometry, WGS84) onto a map of a width in pixels.

    Equirectangular about the middle latitude. Raises InputError without boundaries.
    """
    if not boundaries:
        raise InputError("A map needs boundaries")
    shapes = np.array([shape(dict(one)) for one in boundaries.values()], dtype=object)
    west, south, east, north = shapely.total_bounds(shapes)
    squeeze = math.cos(math.radians((south + north) / 2))
    per_degree = (width - 12) / ((east - west) * squeeze)
    simple = shapely.coverage_simplify(shapes, DETAIL_PX / per_degree)
    areas = Areas(
        tuple(boundaries), (), (), width, (north - south) * per_degree + 12,
        float(west), float(north), float(per_degree), squeeze,
    )  # fmt: skip
    inner = shapely.maximum_inscribed_circle(np.array([_largest(one) for one in simple]))
    middles = tuple(
        (*areas.at(shapely.get_coordinates(one)[0]), float(one.length) * per_degree)
        for one in inner
    )
    return replace(areas, paths=tuple(_path(one, areas) for one in simple), middles=middles)


def draw_choropleth(
    areas: Areas,
    figures: Mapping[str, float],
    *,
    title: str,
    measure: str,
    names: Mapping[str, str],
    colours: Sequence[str] = BLUES,
    nothing: str = "",
    digits: int = 3,
) -> Plot:
    """Colour areas by fifths of a figure; those without one are grey, called `nothing`."""
    known = np.array(sorted(v for v in figures.values() if math.isfinite(v)))
    if not len(known):
        raise InputError(f"{title}: no unit has a figure")
    edges = np.unique(np.quantile(known, np.linspace(0, 1, len(colours) + 1)))
    classes = max(len(edges) - 1, 1)
    used = [colours[round(k * (len(colours) - 1) / max(classes - 1, 1))] for k in range(classes)]
    fill: dict[str, str] = {}
    hints: dict[str, str] = {}
    for unit in areas.units:
        value = figures.get(unit, math.nan)
        place = min(int(np.searchsorted(edges, value, side="right")) - 1, classes - 1)
        fill[unit] = used[max(place, 0)] if math.isfinite(value) else NOTHING
        hints[unit] = f"{names.get(unit, unit)}: " + (
            f"{value:.{digits}f}" if math.isfinite(value) else nothing
        )
    key = [
        (used[k], f"{edges[k]:.{digits}f} – {edges[min(k + 1, len(edges) - 1)]:.{digits}f}")
        for k in range(classes)
    ][::-1]
    if any(one == NOTHING for one in fill.values()):
        key.append((NOTHING, nothing))
    return draw_classes(
        areas, fill, title=title, measure=measure, key=key, hints=hints, names=names
    )


def draw_classes(
    areas: Areas,
    fill: Mapping[str, str],
    *,
    title: str,
    measure: str,
    key: Sequence[tuple[str, str]],
    hints: Mapping[str, str],
    names: Mapping[str, str],
) -> Plot:
    """Colour areas as told, with names on them and a key of (colour, words)."""
    canvas = Canvas(areas.width + KEY, areas.height, title)
    _draw_areas(canvas, areas, fill, hints)
    for unit, (x, y, room) in zip(areas.units, areas.middles, strict=True):
        name = names.get(unit, unit).partition(" (")[0]
        fits = text_width(name, NAME_SIZE) < 2 * room * ROOM_OVER
        white = fits and _is_dark(fill.get(unit, NOTHING))
        canvas.text(
            (x, y + 3), name, anchor="middle", size=NAME_SIZE,
            fill="#fff" if white else INK, halo=not fits,
        )  # fmt: skip
    _draw_key(canvas, areas, measure, key)
    return canvas.finish()


def draw_links(  # noqa: PLR0913 - a map of links says what a page says in words
    areas: Areas,
    centres: Mapping[str, Sequence[float]],
    links: Sequence[tuple[str, str, float]],
    sizes: Mapping[str, float],
    *,
    title: str,
    measure: str,
    key: Sequence[tuple[str, str]],
    fill: Mapping[str, str],
    names: Mapping[str, str],
    labelled: Sequence[str],
    marked: Sequence[str] = (),
) -> Plot:
    """Draw links (from, to, strength) as lines by strength, and units as circles by size.

    `fill` colours the circles; `labelled` units have their names, `marked` ones an orange ring.
    """
    canvas = Canvas(areas.width + KEY, areas.height, title)
    _draw_areas(canvas, areas, dict.fromkeys(areas.units, "#f4f6f7"), {})
    most = max((one[2] for one in links), default=1.0)
    for origin, target, strength in sorted(links, key=lambda one: one[2]):
        share = math.sqrt(strength / most)
        canvas.line(
            areas.at(centres[origin]), areas.at(centres[target]), "#1f5f8b",
            width=0.4 + 4.6 * share, opacity=0.25 + 0.5 * share,
        )  # fmt: skip
    largest = max(sizes.values())
    for unit in sorted(sizes, key=lambda one: -sizes[one]):
        x, y = areas.at(centres[unit])
        ring = ORANGE if unit in marked else "#fff"
        canvas.add(
            "circle", cx=x, cy=y, r=2.5 + 9 * math.sqrt(sizes[unit] / largest),
            fill=fill.get(unit, QUIET), stroke=ring, stroke_width=2.4 if unit in marked else 1,
            hint=names.get(unit, unit),
        )  # fmt: skip
    for unit in labelled:
        x, y = areas.at(centres[unit])
        reach = 5 + 9 * math.sqrt(sizes[unit] / largest)
        long = text_width(names.get(unit, unit), 10.5)
        inside = x + reach + long < areas.width + 20
        canvas.text(
            (x + reach if inside else x - reach, y + 4), names.get(unit, unit),
            anchor="start" if inside else "end", size=10.5, weight="600", halo=True,
        )  # fmt: skip
    _draw_key(canvas, areas, measure, key)
    return canvas.finish()


def _draw_areas(
    canvas: Canvas, areas: Areas, fill: Mapping[str, str], hints: Mapping[str, str]
) -> None:
    for unit, path in zip(areas.units, areas.paths, strict=True):
        canvas.add(
            "path", d=path, fill=fill.get(unit, NOTHING), stroke="#fff", stroke_width=0.8,
            fill_rule="evenodd", hint=hints.get(unit, ""),
        )  # fmt: skip


def _draw_key(canvas: Canvas, areas: Areas, measure: str, key: Sequence[tuple[str, str]]) -> None:
    x, y = areas.width + 14, 26.0
    for line in _lines(measure, KEY - 20):
        canvas.text((x, y), line, fill=INK, weight="600")
        y += 16
    for colour, said in key:
        y += 19
        canvas.add("rect", x=x, y=y - 11, width=16, height=13, fill=colour)
        for k, line in enumerate(_lines(said, KEY - 44)):
            y += 14 if k else 0
            canvas.text((x + 23, y), line)


def _lines(text: str, width: float) -> list[str]:
    """Break text at spaces (Chinese anywhere) into lines of a width in pixels."""
    found, line = [], ""
    words = text.split(" ") if " " in text else list(text)
    glue = " " if " " in text else ""
    for word in words:
        if line and text_width(line + glue + word) > width:
            found.append(line)
            line = word
        else:
            line = line + glue + word if line else word
    return [*found, line]


def _largest(geometry: Any) -> Any:
    """Give the largest polygon of an area: where its name goes."""
    return max(getattr(geometry, "geoms", [geometry]), key=lambda one: one.area)


def _is_dark(colour: str) -> bool:
    """Say whether white is easier to read on a colour than black."""
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return 0.3 * red + 0.59 * green + 0.11 * blue < DARK_BELOW


def _path(geometry: Any, areas: Areas) -> str:
    parts = getattr(geometry, "geoms", [geometry])
    found = []
    for polygon in parts:
        if polygon.geom_type != "Polygon" or polygon.is_empty:
            continue
        for ring in (polygon.exterior, *polygon.interiors):
            points = [areas.at(one) for one in ring.coords[:-1]]
            found.append("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z")
    return "".join(found)

"""Shanghai's traffic indices of 2014, recorded every ten minutes: elevated roads and areas.

The sample (Shanghai Open Data Apps 2015) has four files: `fastRoadBase.txt` names 42 sections of
elevated roads, `bridgeIndex.txt` holds their index and speed, `roadBase.txt` names areas of surface
roads, `roadIndex.txt` holds their index. It says no places. Where things are drawn is estimated, to
about a kilometre, in `shanghai_places.csv`: rings and axes as a few points with the names of their
junctions, and the middle of each area. Every object says so.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from conurb.errors import InvalidRequestError
from conurb.systems.transport.live import Flow

ZONE: Final = ZoneInfo("Asia/Shanghai")
SOURCE: Final = "Shanghai Open Data Apps 2015: traffic index of elevated and surface roads"
PLACE_NOTE: Final = "place estimated to about 1 km, for drawing"
ELEVATED: Final = "bridgeIndex.txt"
SURFACE: Final = "roadIndex.txt"
SECTIONS: Final = "fastRoadBase.txt"
INDEX_MAX: Final = 100.0
WHOLE_CITY: Final = {"total": "全市高架道路"}
RINGS: Final = frozenset({"内环", "中环", "外环"})

_SECTION: Final = re.compile(
    r"(?P<road>.+?)(?P<side>[内外东西南北]侧)[(（](?P<a>.+)-(?P<b>.+)[)）]"
)

Places = tuple[tuple[str, float, float], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of an elevated road in one direction, and about where it runs."""

    code: str
    title: str
    road: str
    path: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What was recorded at one time in one file: the rows, as they were, with a header."""

    recorded_us: int
    file: str
    body: bytes


def read_sections(path: Path) -> dict[str, Section]:
    """Read the sections of elevated roads by code.

    Raises InvalidRequestError when the file can't be read.
    """
    return {code: _section(code, title) for code, title in _rows(path)}


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"{path} can't be read: {error}") from error
    return iter(list(csv.reader(io.StringIO(text)))[1:])


def _section(code: str, title: str) -> Section:
    match = _SECTION.match(title)
    if match is None:
        return Section(code, title, "", ())
    road = match["road"].removesuffix("路").removesuffix("高架")
    return Section(code, title, road, _path(road, match["a"], match["b"]))


@cache
def _places() -> tuple[Mapping[str, Places], Mapping[str, tuple[float, float]]]:
    text = files(__package__).joinpath("shanghai_places.csv").read_text(encoding="utf-8")
    roads: defaultdict[str, list[tuple[str, float, float]]] = defaultdict(list)
    areas: dict[str, tuple[float, float]] = {}
    for row in csv.DictReader(io.StringIO(text)):
        lon, lat = float(row["lon"]), float(row["lat"])
        if row["road"]:
            roads[row["road"]].append((row["name"], lon, lat))
        else:
            areas[row["name"]] = (lon, lat)
    return {road: tuple(points) for road, points in roads.items()}, areas


def _path(road: str, a: str, b: str) -> tuple[tuple[float, float], ...]:
    """Give the points between two junctions of a road; () when one isn't known."""
    points = _places()[0].get(road, ())
    first, last = _junction(points, a), _junction(points, b)
    if first is None or last is None or first == last:
        return ()
    straight = points[min(first, last) : max(first, last) + 1]
    if first > last:
        straight = straight[::-1]
    if road in RINGS:
        # A ring has two ways round; a section is the shorter one.
        around = (points[first:] + points[: last + 1]) if first > last else None
        if around is None:
            around = points[first::-1] + points[: last - 1 : -1]
        if len(around) < len(straight):
            straight = around
    return tuple((lon, lat) for _, lon, lat in straight)


def _junction(points: Places, name: str) -> int | None:
    """Find the junction that a name speaks of: `外环沪渝立交` is 沪渝 on this road."""
    for number, (junction, _, _) in enumerate(points):
        if junction and junction in name:
            return number
    return None


def read_steps(folder: Path) -> list[Step]:
    """Read what was recorded, in order of time, one step per time and file.

    Raises InvalidRequestError when a file is missing or isn't such a record.
    """
    steps = [*_steps(folder / ELEVATED), *_steps(folder / SURFACE)]
    return sorted(steps, key=lambda one: (one.recorded_us, one.file))


def _steps(path: Path) -> Iterator[Step]:
    column = 1 if path.name == ELEVATED else 2
    grouped: defaultdict[str, list[list[str]]] = defaultdict(list)
    for row in _rows(path):
        if len(row) > column:
            grouped[row[column]].append(row)
    for time, rows in grouped.items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        yield Step(_recorded_us(time), path.name, text.getvalue().encode())


def _recorded_us(text: str) -> int:
    """Read the local time of a record; midnight is written without a time of day."""
    try:
        form = "%Y-%m-%d %H:%M:%S" if " " in text else "%Y-%m-%d"
        moment = datetime.strptime(text, form).replace(tzinfo=ZONE)
    except ValueError as error:
        raise InvalidRequestError(f"time {text!r} is not such as 2014-08-08 10:40:00") from error
    return round(moment.timestamp()) * 1_000_000


def read_flows(
    file: str, body: bytes, sections: Mapping[str, Section], *, at_us: int
) -> list[Flow]:
    """Read the rows of a step as flows at a time; those with an index out of bounds are left out.

    Raises InvalidRequestError when the rows can't be read.
    """
    try:
        rows = [row for row in csv.reader(io.StringIO(body.decode())) if row]
        read = _elevated if file == ELEVATED else _surface
        found = [read(row, sections, at_us) for row in rows]
    except (ValueError, IndexError) as error:
        raise InvalidRequestError(f"{file}: not rows of a traffic index: {error}") from error
    return [one for one in found if one.index is not None and 0 <= one.index <= INDEX_MAX]


def _elevated(row: Sequence[str], sections: Mapping[str, Section], at_us: int) -> Flow:
    code, time, index, _score, speed = row
    section = sections.get(code) or Section(code, WHOLE_CITY.get(code, code), "", ())
    return Flow(
        site=code,
        at_us=at_us,
        name=section.title,
        path=section.path,
        speed_kmh=float(speed),
        index=float(index),
        road=code if section.path else "",
        note=f"recorded {time} (UTC+8); {PLACE_NOTE}",
    )


def _surface(row: Sequence[str], _sections: Mapping[str, Section], at_us: int) -> Flow:
    name, code, time, index = row
    place = _places()[1].get(name)
    return Flow(
        site=code,
        at_us=at_us,
        name="全市地面道路" if name == "total" else f"{name}地面道路",
        lon=None if place is None else place[0],
        lat=None if place is None else place[1],
        index=float(index),
        note=f"recorded {time} (UTC+8); {PLACE_NOTE}",
    )

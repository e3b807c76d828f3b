"""Make objects of a feed's rows, references resolved and checked on the way.

Rows are taken in an order in which what they refer to comes first. One that refers to nothing is
left out, and the feed's problems say so.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Final, Protocol, TypeVar

from conurb.model.entity import Entity, Instance
from conurb.systems.transport.gtfs.forms import AGENCY_UNNAMED, FORMS, SERVICE, STATION_TYPES, Kind
from conurb.systems.transport.gtfs.reading import Problem, Problems
from conurb.systems.transport.gtfs.tables import (
    FILES,
    Agency,
    Calendar,
    CalendarDate,
    Frequency,
    Route,
    Row,
    ShapePoint,
    Stop,
    StopTime,
    Transfer,
    Trip,
    clock_text,
)
from conurb.systems.transport.objects import Maker, geometry, link, marked, point, some, text

SHAPES_OF_ROUTE_MAX: Final = 6
"""Paths that are drawn for a route: the ones that most trips follow."""

AnyRow = TypeVar("AnyRow", bound=Row)


class Rows(Protocol):
    """Where rows come from: an open feed, or a timetable made here."""

    @property
    def problems(self) -> Problems:
        """Give where faults are told."""
        ...

    def rows(self, table: type[AnyRow]) -> Iterable[AnyRow]:
        """Give the rows of one file."""
        ...


def objects_of(
    rows: Rows, maker: Maker, *, assumed: frozenset[str] = frozenset()
) -> Iterator[Entity]:
    """Stream the objects of a feed.

    `assumed` names terms whose values nobody has published (a headway that was supposed): they are
    marked `simulated`. A feed that has no fault gives every row that has a model.
    """
    return _Import(rows, maker, assumed).stream()


class _Import:
    """One pass over a feed: which ids there are, and the objects."""

    def __init__(self, rows: Rows, maker: Maker, assumed: frozenset[str]) -> None:
        self._rows = rows
        self._maker = maker
        self._assumed = assumed
        self._ids: defaultdict[Kind, dict[str, str]] = defaultdict(dict)

    def stream(self) -> Iterator[Entity]:
        """Stream the objects."""
        yield from self._table(Agency)
        yield from self._stops()
        yield from self._services()
        shapes = self._shapes()
        yield from (self._shape(name, line) for name, line in shapes.items())
        trips = list(self._rows.rows(Trip))
        paths: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for trip in trips:
            if trip.shape_id in shapes:
                paths[trip.route_id][trip.shape_id] += 1
        for route in self._rows.rows(Route):
            yield from self._one(route, extra=_path(paths.get(route.route_id), shapes))
        for trip in trips:
            yield from self._one(trip)
        for table in (StopTime, Frequency, Transfer):
            yield from self._table(table)

    def _table(self, table: type[Row]) -> Iterator[Entity]:
        for row in self._rows.rows(table):
            yield from self._one(row)

    def _one(
        self,
        row: Row,
        *,
        term: str | None = None,
        extra: Mapping[str, Instance | None] | None = None,
    ) -> Iterator[Entity]:
        """Make the object of a row; nothing when it refers to what isn't there."""
        table = type(row)
        form = FORMS[table]
        attrs: dict[str, Instance | None] = dict(extra or {})
        for column, name, kind in form.members:
            said = self._said(row, column, kind)
            if said is _MISSING:
                return
            attrs[name] = marked(said, "simulated") if name in self._assumed else said
        key = form.key(row)
        entity = self._maker.make(term or form.term, key, attrs)
        self._ids[table][key] = entity.id
        yield entity

    def _said(self, row: Row, column: str, kind: Kind) -> Instance | None:
        value = getattr(row, column)
        if kind is Agency and not value:
            # A feed with one agency may leave it unnamed everywhere.
            only = list(self._ids[Agency].values())
            return link(only[0]) if len(only) == 1 else None
        if value is None or value == "":
            return None
        if kind in _PLAIN:
            return some(_PLAIN[kind](value))
        known = self._ids[kind].get(str(value))
        if known is not None:
            return link(known)
        name = FILES[type(row)]
        needed = any(one == column for one in _NEEDED.get(type(row), ()))
        expected = f"no such {kind if isinstance(kind, str) else kind.__name__} in the feed"
        self._rows.problems.add(Problem(name, 0, column, str(value), expected, lost=needed))
        return _MISSING if needed else None

    def _stops(self) -> Iterator[Entity]:
        """Make the objects of stops, stations first: the others refer to them."""
        late: list[Stop] = []
        for stop in self._rows.rows(Stop):
            if stop.location_type == 1:
                yield from self._stop(stop)
            else:
                late.append(stop)
        for stop in late:
            yield from self._stop(stop)

    def _stop(self, stop: Stop) -> Iterator[Entity]:
        term = STATION_TYPES.get(stop.location_type or 0)
        if term is None or stop.stop_lat is None or stop.stop_lon is None:
            expected = (
                "a stop without a place"
                if term is not None
                else "nodes inside of stations are left out"
            )
            self._rows.problems.add(
                Problem("stops.txt", 0, "stop_id", stop.stop_id, expected, lost=True)
            )
            return
        yield from self._one(
            stop, term=term, extra={"location": point(stop.stop_lon, stop.stop_lat)}
        )

    def _services(self) -> Iterator[Entity]:
        named = [one.service_id for one in self._rows.rows(Calendar)]
        named += [one.service_id for one in self._rows.rows(CalendarDate)]
        for name in dict.fromkeys(named):
            service = self._maker.make(SERVICE, name, {"name": text(name)})
            self._ids[SERVICE][name] = service.id
            yield service
        yield from self._table(Calendar)
        yield from self._table(CalendarDate)

    def _shapes(self) -> dict[str, list[tuple[int, float, float, float | None]]]:
        shapes: defaultdict[str, list[tuple[int, float, float, float | None]]] = defaultdict(list)
        for one in self._rows.rows(ShapePoint):
            shapes[one.shape_id].append(
                (one.shape_pt_sequence, one.shape_pt_lon, one.shape_pt_lat, one.shape_dist_traveled)
            )
        whole = {}
        for name, points in shapes.items():
            if len(points) < 2:
                self._rows.problems.add(
                    Problem("shapes.txt", 0, "shape_id", name, "two points are needed", lost=True)
                )
                continue
            whole[name] = sorted(points, key=lambda one: one[0])
        return whole

    def _shape(self, name: str, points: list[tuple[int, float, float, float | None]]) -> Entity:
        distances = [one[3] for one in points]
        entity = self._maker.make(
            "GtfsShape",
            name,
            {
                "location": geometry(_line(points)),
                "distanceTravelled": None if None in distances else some(distances),
            },
        )
        self._ids["GtfsShape"][name] = entity.id
        return entity


_MISSING: Final[Instance] = {}
"""Stands for a reference that a row can't do without."""

_NEEDED: Final[dict[type[Row], tuple[str, ...]]] = {
    Trip: ("route_id", "service_id"),
    StopTime: ("trip_id", "stop_id"),
    Frequency: ("trip_id",),
    Transfer: ("from_stop_id", "to_stop_id"),
}

_PLAIN: Final[dict[Any, Any]] = {
    "text": lambda value: value,
    "number": lambda value: value,
    "flag": bool,
    "day": date.isoformat,
    "clock": clock_text,
    "code": str,
}


def _line(points: list[tuple[int, float, float, float | None]]) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": [[lon, lat] for _, lon, lat, _ in points]}


def _path(
    used: Counter[str] | None, shapes: Mapping[str, list[tuple[int, float, float, float | None]]]
) -> dict[str, Instance | None]:
    """Say where a route runs: along the paths that most of its trips follow."""
    if not used:
        return {}
    lines = [
        _line(shapes[name])["coordinates"] for name, _ in used.most_common(SHAPES_OF_ROUTE_MAX)
    ]
    return {"location": geometry({"type": "MultiLineString", "coordinates": lines})}


__all__ = ["AGENCY_UNNAMED", "Rows", "objects_of"]

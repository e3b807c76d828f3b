"""SQL functions that SQLite lacks: patterns, planar relations, distances, collation, moments.

All are deterministic and cheap to repeat: patterns and reference geometries are kept. They are
called only for rows that indexes and plain comparisons have left over.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import apsw
import orjson

from conurb.model.aggregates import find_moment, find_text, time_of_day_us
from conurb.model.entity import instance_value
from conurb.model.geometry import distance_m, from_wkb, from_wkt, to_shapely
from conurb.model.query.automaton import search
from conurb.model.query.match import has_scope
from conurb.model.query.ranking import collation_key
from conurb.model.query.tree import ScopeIs

REFERENCES_MAX: Final = 128
"""Prepared reference geometries kept in memory."""


@lru_cache(maxsize=REFERENCES_MAX)
def _reference(wkt: str) -> Any:
    import shapely

    shape = to_shapely(from_wkt(wkt))
    shapely.prepare(shape)
    return shape


_INVERSE: Final = {"within": "contains", "contains": "within"}
"""What to ask of the prepared reference instead of the target."""


def _geometry(x: float | None, y: float | None, body: Any) -> dict[str, Any]:
    """Read a geometry as the store keeps it: a point's coordinates, WKB, or GeoJSON."""
    if x is not None:
        return {"type": "Point", "coordinates": [x, y]}
    document: dict[str, Any] = from_wkb(body) if isinstance(body, bytes) else orjson.loads(body)
    return document


def _relates(relation: str, wkt: str, x: float | None, y: float | None, body: Any) -> bool:
    import shapely

    target: Any
    if x is not None:
        target = shapely.Point(x, y or 0.0)
    elif isinstance(body, bytes):
        target = shapely.from_wkb(body)
    else:
        target = to_shapely(orjson.loads(body))
    name = _INVERSE.get(relation, relation)
    return bool(getattr(_reference(wkt), name)(target))


def _distance(wkt: str, x: float | None, y: float | None, body: Any) -> float:
    return distance_m(_geometry(x, y, body), _reference_document(wkt))


@lru_cache(maxsize=REFERENCES_MAX)
def _reference_document(wkt: str) -> dict[str, Any]:
    return from_wkt(wkt)


def _scope_fits(pattern: str, scope: str) -> bool:
    return has_scope(ScopeIs(pattern), (scope,))


def _moment(body: str) -> str | None:
    return find_moment(orjson.loads(body))


def _time_of_day(body: str) -> int | None:
    key = find_moment(orjson.loads(body))
    return None if key is None else time_of_day_us(key)


def _text(body: str) -> str | None:
    return find_text(orjson.loads(body))


def _value(body: str) -> bytes:
    return orjson.dumps(instance_value(orjson.loads(body)), option=orjson.OPT_SORT_KEYS)


def register(connection: apsw.Connection) -> None:
    """Make the functions known to a connection."""
    named: tuple[tuple[str, Callable[..., Any], int], ...] = (
        ("conurb_matches", search, 2),
        ("conurb_relates", _relates, 5),
        ("conurb_distance", _distance, 4),
        ("conurb_scope_fits", _scope_fits, 2),
        ("conurb_collation", collation_key, 1),
        ("conurb_moment", _moment, 1),
        ("conurb_time_of_day", _time_of_day, 1),
        ("conurb_text", _text, 1),
        ("conurb_value", _value, 1),
    )
    for name, function, arguments in named:
        connection.create_scalar_function(name, function, arguments, deterministic=True)

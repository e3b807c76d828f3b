"""The geometries of current state in the R*Tree, kept when an entity's row is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import apsw

from conurb.model.entity import Entity
from conurb.model.geometry import bounds, to_wkb
from conurb.store.sqlite.schema import GEO_PER_ENTITY_MAX

_INSERT = """
INSERT OR REPLACE INTO geo (gid, west, east, south, north, eid, attr, x, y, wkb)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

Place = tuple[str, Any]
"""(attribute, GeoJSON geometry)."""


def places(entity: Entity | None) -> list[Place]:
    """Give the geometries of an object, in the order in which they are numbered."""
    if entity is None:
        return []
    return [
        (attribute, instance["value"])
        for attribute, instances in entity.attrs.items()
        for instance in instances
        if instance["type"] == "GeoProperty" and instance.get("value") is not None
    ]


def changed(
    connection: apsw.Connection,
    eid: int,
    before: Entity | None,
    after: Entity | None,
    term: Callable[[str], int],
) -> list[tuple[Any, ...]]:
    """Delete the geometries that are gone; give the rows of those that became others."""
    old = places(before)[:GEO_PER_ENTITY_MAX]
    new = places(after)[:GEO_PER_ENTITY_MAX]
    if old == new:
        return []
    base = eid * GEO_PER_ENTITY_MAX
    for number in range(len(new), len(old)):
        connection.execute("DELETE FROM geo WHERE gid = ?", (base + number,))
    return [
        _row(base + number, eid, place, term)
        for number, place in enumerate(new)
        if number >= len(old) or old[number] != place
    ]


def insert(connection: apsw.Connection, rows: list[tuple[Any, ...]]) -> None:
    """Write rows, in place of those of the same number."""
    if rows:
        connection.executemany(_INSERT, rows)


def expected_rows(
    eid: int, given: Sequence[Place], term: Callable[[str], int]
) -> list[tuple[Any, ...]]:
    """Give the rows that an entity with these geometries has in the R*Tree."""
    base = eid * GEO_PER_ENTITY_MAX
    kept = given[:GEO_PER_ENTITY_MAX]
    return [_row(base + number, eid, place, term) for number, place in enumerate(kept)]


def _row(gid: int, eid: int, place: Place, term: Callable[[str], int]) -> tuple[Any, ...]:
    attribute, geometry = place
    if geometry["type"] == "Point":
        x, y = geometry["coordinates"][:2]
        return gid, x, x, y, y, eid, term(attribute), x, y, None
    west, south, east, north = bounds(geometry)
    return gid, west, east, south, north, eid, term(attribute), None, None, to_wkb(geometry)

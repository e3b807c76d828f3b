"""Measuring where the objects of one file lie (`conurb.store.extent`)."""

from __future__ import annotations

from typing import Final

import apsw

from conurb.store.extent import Extent, Extents, Kind
from conurb.store.sqlite.journal import last_seq
from conurb.store.sqlite.rows import Terms

STATEMENTS_MAX: Final = 16
"""Latest statements of one geometry that are compared to see whether it has lain elsewhere."""

_MOVES: Final = (
    "(EXISTS (SELECT 1 FROM history h WHERE h.eid = g.eid AND h.attr = g.attr AND h.observed) "
    "OR EXISTS (SELECT 1 FROM history h WHERE h.eid = g.eid AND h.attr = g.attr LIMIT 1 OFFSET 1) "
    "AND (SELECT count(DISTINCT s.place) > count(DISTINCT s.dataset) FROM (SELECT h.dataset, "
    "h.body -> '$.value' AS place FROM history h WHERE h.eid = g.eid AND h.attr = g.attr "
    f"AND h.body IS NOT NULL ORDER BY h.recorded DESC LIMIT {STATEMENTS_MAX}) s))"
)
_MEASURES: Final = f"min(g.west), min(g.south), max(g.east), max(g.north), count(*), max({_MOVES})"
_STATEMENTS: Final = (
    f"SELECT e.type, g.attr, {_MEASURES} FROM geo g CROSS JOIN entity e ON e.eid = g.eid "
    "WHERE e.type > 0 GROUP BY 1, 2",
    f"SELECT m.type, g.attr, {_MEASURES} FROM geo g CROSS JOIN multitype m ON m.eid = g.eid "
    "GROUP BY 1, 2",
)


def measure(connection: apsw.Connection, terms: Terms, *, now_us: int) -> Extents:
    """Measure what one view of the file holds."""
    found: dict[Kind, Extent] = {}
    for statement in _STATEMENTS:
        for type_, attr, west, south, east, north, count, moves in connection.execute(statement):
            kind = terms.iri(connection, type_), terms.iri(connection, attr)
            extent = Extent(west, south, east, north, count, bool(moves))
            known = found.get(kind)
            found[kind] = extent if known is None else united(known, extent)
    return Extents(last_seq(connection), now_us, found)


def united(one: Extent, other: Extent) -> Extent:
    """Give the extent of both."""
    return Extent(
        min(one.west, other.west),
        min(one.south, other.south),
        max(one.east, other.east),
        max(one.north, other.north),
        one.count + other.count,
        one.moves or other.moves,
    )

"""Measuring where the objects of one schema lie (`conurb.store.extent`)."""

from __future__ import annotations

from typing import Any, Final

from conurb.store.extent import Extent, Extents

STATEMENTS_MAX: Final = 16
"""Latest statements of one geometry that are compared to see whether it has lain elsewhere."""

_MEASURE: Final = f"""
SELECT type.iri, name.iri, min(ST_XMin(g.geom)), min(ST_YMin(g.geom)), max(ST_XMax(g.geom)),
  max(ST_YMax(g.geom)), count(*), bool_or(
    EXISTS (SELECT 1 FROM history h WHERE h.eid = g.eid AND h.attr = g.attr AND h.observed)
    OR (SELECT count(DISTINCT s.place) > count(DISTINCT s.dataset) FROM (
      SELECT h.dataset, h.body::jsonb ->> 'value' AS place FROM history h
      WHERE h.eid = g.eid AND h.attr = g.attr AND h.body IS NOT NULL
      ORDER BY h.recorded DESC LIMIT {STATEMENTS_MAX}) s))
FROM geometry g
JOIN entity e ON e.eid = g.eid
JOIN typeset s ON s.sid = e.typeset
CROSS JOIN unnest(s.types) AS kind (tid)
JOIN term type ON type.tid = kind.tid
JOIN term name ON name.tid = g.attr
GROUP BY 1, 2
"""


async def measure(connection: Any, *, now_us: int) -> Extents:
    """Measure what one snapshot of the schema holds."""
    rows = await connection.fetch(_MEASURE)
    seq = await connection.fetchval("SELECT seq FROM counters")
    kinds = {
        (iri, name): Extent(west, south, east, north, count, bool(moves))
        for iri, name, west, south, east, north, count, moves in map(tuple, rows)
    }
    return Extents(int(seq), now_us, kinds)

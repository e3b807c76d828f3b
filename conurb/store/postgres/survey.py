"""Where and of which time the objects of each type are, measured."""

from __future__ import annotations

from typing import Any, Final

from conurb.store.postgres.names import Names
from conurb.store.survey import SAID, Measured, Space, Survey, TypeSurvey
from conurb.store.usage import Usage

_PLACES: Final = """
SELECT e.typeset, g.attr, ST_XMin(x) AS west, ST_YMin(x) AS south, ST_XMax(x) AS east,
  ST_YMax(x) AS north, kinds
FROM (SELECT e.typeset, g.attr, ST_Extent(g.geom) AS x,
  array_agg(DISTINCT substr(ST_GeometryType(g.geom), 4)) AS kinds
  FROM geometry g JOIN entity e ON e.eid = g.eid GROUP BY 1, 2) e (typeset, attr, x, kinds),
LATERAL (SELECT e.attr) g (attr)"""

_TIMES: Final = """
SELECT e.typeset, min(h.at), max(h.at) FROM history h JOIN entity e ON e.eid = h.eid
WHERE h.observed AND h.superseded IS NULL GROUP BY 1"""


_MARKED: Final = "SELECT DISTINCT e.typeset FROM entity e WHERE strpos(e.doc, $1) > 0"


async def survey(connection: Any, names: Names, usage: Usage) -> Measured:
    """Measure, with what was counted."""
    found: Survey = {
        info.iri: TypeSurvey(
            info.iri,
            info.entity_count,
            {name: set(kinds) for name, kinds in info.attributes.items()},
        )
        for info in usage.types()
    }

    def add(typeset: int, more: TypeSurvey) -> None:
        for iri in names.types(typeset):
            if iri in found:
                found[iri].add(more)

    for typeset, attr, west, south, east, north, kinds in await connection.fetch(_PLACES):
        space = Space((west, south, east, north), set(kinds))
        add(typeset, TypeSurvey("", spaces={names.iri(attr): space}))
    for typeset, begin, end in await connection.fetch(_TIMES):
        add(typeset, TypeSurvey("", begin_us=begin, end_us=end))
    for name, said in SAID.items():
        for (typeset,) in await connection.fetch(_MARKED, said):
            add(typeset, TypeSurvey("", marks={name}))
    return Measured(int(await connection.fetchval("SELECT seq FROM counters")), found)

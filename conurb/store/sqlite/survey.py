"""Where and of which time the objects of each type are, measured."""

from __future__ import annotations

from typing import Final

import apsw

from conurb.store.sqlite.journal import last_seq
from conurb.store.sqlite.rows import Terms, texts
from conurb.store.survey import SAID, Measured, Space, Survey, TypeSurvey
from conurb.store.usage import Usage

_KINDS: Final = {
    "01": "Point",
    "02": "LineString",
    "03": "Polygon",
    "04": "MultiPoint",
    "05": "MultiLineString",
    "06": "MultiPolygon",
    "07": "GeometryCollection",
}
"""GeoJSON's names of the kinds of WKB, whose second byte says which; points are kept without."""

_PLACES: Final = """
SELECT e.types, g.attr, iif(g.wkb IS NULL, '01', hex(substr(g.wkb, 2, 1))), min(g.west),
  min(g.south), max(g.east), max(g.north)
FROM geo g CROSS JOIN entity e ON e.eid = g.eid WHERE e.type IS NOT NULL GROUP BY 1, 2, 3"""

_TIMES: Final = """
SELECT e.types, min(h.at), max(h.at) FROM history h JOIN entity e ON e.eid = h.eid
WHERE h.observed = 1 AND h.superseded IS NULL AND e.type IS NOT NULL GROUP BY 1"""

_MARKED: Final = (
    "SELECT DISTINCT e.types FROM entity e WHERE e.type IS NOT NULL AND instr(e.doc, ?) > 0"
)


def survey(connection: apsw.Connection, terms: Terms, usage: Usage) -> Measured:
    """Measure, with what was counted."""
    found: Survey = {
        info.iri: TypeSurvey(
            info.iri,
            info.entity_count,
            {name: set(kinds) for name, kinds in info.attributes.items()},
        )
        for info in usage.types()
    }

    def add(types: str, more: TypeSurvey) -> None:
        for iri in texts(types):
            if iri in found:
                found[iri].add(more)

    for types, attr, kind, west, south, east, north in connection.execute(_PLACES):
        space = Space((west, south, east, north), {_KINDS[kind]})
        add(types, TypeSurvey("", spaces={terms.iri(connection, attr): space}))
    for types, begin, end in connection.execute(_TIMES):
        add(types, TypeSurvey("", begin_us=begin, end_us=end))
    for name, said in SAID.items():
        for (types,) in connection.execute(_MARKED, (said,)):
            add(types, TypeSurvey("", marks={name}))
    return Measured(last_seq(connection), found)

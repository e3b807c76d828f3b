"""Where and of which time the objects of each type are, measured."""

from __future__ import annotations

from typing import Final

import apsw

from conurb.store.sqlite.rows import Terms, texts
from conurb.store.survey import Space, Survey, TypeSurvey
from conurb.store.usage import Usage

_PLACES: Final = """
SELECT e.types, g.attr, min(g.west), min(g.south), max(g.east), max(g.north)
FROM geo g CROSS JOIN entity e ON e.eid = g.eid WHERE e.type IS NOT NULL GROUP BY 1, 2"""

_TIMES: Final = """
SELECT e.types, min(h.at), max(h.at) FROM history h JOIN entity e ON e.eid = h.eid
WHERE h.observed = 1 AND h.superseded IS NULL AND e.type IS NOT NULL GROUP BY 1"""

_SHAPES: Final = """
SELECT DISTINCT e.types, a.key, i.value ->> '$.value.type'
FROM entity e, json_each(e.doc) a, json_each(a.value) i
WHERE e.type IS NOT NULL AND i.value ->> '$.type' = 'GeoProperty'"""


def survey(connection: apsw.Connection, terms: Terms, usage: Usage) -> Survey:
    """Measure, with what was counted."""
    found: Survey = {
        info.iri: TypeSurvey(
            info.iri,
            info.entity_count,
            {name: set(kinds) for name, kinds in info.attributes.items()},
        )
        for info in usage.types()
    }
    for types, attr, west, south, east, north in connection.execute(_PLACES):
        attribute = terms.iri(connection, attr)
        place = TypeSurvey("", spaces={attribute: Space((west, south, east, north))})
        for iri in texts(types):
            if iri in found:
                found[iri].add(place)
    for types, attribute, kind in connection.execute(_SHAPES):
        for iri in texts(types):
            if iri in found and attribute in found[iri].spaces:
                found[iri].spaces[attribute].kinds.add(kind)
    for types, begin, end in connection.execute(_TIMES):
        for iri in texts(types):
            if iri in found:
                found[iri].add_time(begin)
                found[iri].add_time(end)
    return found

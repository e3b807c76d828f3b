"""Every relation of geometries that CQL2 has, to every kind of geometry, is the same everywhere."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.model.crs import CRS84
from conurb.model.entity import Entity
from conurb.model.operations.entity import UpsertEntity
from conurb.model.query.cql2 import Named, compile_filter, parse_text
from conurb.model.query.match import matches
from conurb.model.query.tree import Query, Selector, TypeIs
from conurb.model.vocabulary import platform_terms
from conurb.store.contract import Store

TERMS = platform_terms()
ROAD, LOCATION = TERMS.expand("Road"), TERMS.expand("location")
NAMED = Named(TERMS, LOCATION, CRS84)
SQUARE = [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]
HELD: dict[str, dict[str, Any]] = {
    "inside": {"type": "Point", "coordinates": [1, 1]},
    "corner": {"type": "Point", "coordinates": [4, 4]},
    "away": {"type": "Point", "coordinates": [20, 20]},
    "across": {"type": "LineString", "coordinates": [[-1, 2], [5, 2]]},
    "beside": {"type": "LineString", "coordinates": [[4, 0], [4, 4]]},
    "square": {"type": "Polygon", "coordinates": SQUARE},
    "half": {"type": "Polygon", "coordinates": [[[2, 0], [6, 0], [6, 4], [2, 4], [2, 0]]]},
    "dots": {"type": "MultiPoint", "coordinates": [[1, 1], [9, 9]]},
}
RELATIONS = (
    "INTERSECTS", "WITHIN", "CONTAINS", "DISJOINT", "EQUALS", "OVERLAPS", "TOUCHES", "CROSSES",
)  # fmt: skip
LITERALS = (
    "POINT(1 1)",
    "LINESTRING(-1 2, 5 2)",
    "POLYGON((0 0, 4 0, 4 4, 0 4, 0 0))",
    "MULTIPOINT((1 1), (9 9))",
    "MULTILINESTRING((-1 2, 5 2), (0 0, 0 9))",
    "MULTIPOLYGON(((0 0, 4 0, 4 4, 0 4, 0 0)), ((8 8, 9 8, 9 9, 8 8)))",
    "GEOMETRYCOLLECTION(POINT(1 1), LINESTRING(-1 2, 5 2))",
    "GEOMETRYCOLLECTION(POLYGON((0 0, 4 0, 4 4, 0 4, 0 0)))",
    "BBOX(0, 0, 4, 4)",
)


@pytest.mark.parametrize("relation", RELATIONS)
async def test_a_relation_holds_of_the_same_objects(store: Store, relation: str) -> None:
    objects = [
        Entity(f"urn:x:{name}", (ROAD,), {LOCATION: [{"type": "GeoProperty", "value": one}]})
        for name, one in HELD.items()
    ]
    await store.apply_all([UpsertEntity(one) for one in objects])
    selectors = (Selector(types=TypeIs(ROAD)),)
    for literal in LITERALS:
        for text in (f"S_{relation}(location, {literal})", f"S_{relation}({literal}, location)"):
            for said in (text, f"NOT {text}"):
                query = Query(selectors, condition=compile_filter(parse_text(said), NAMED))
                found = {one.id for one in (await store.query(query)).entities}
                assert found == {one.id for one in objects if matches(one, query)}, said

"""Random objects, operations and queries, drawn from few names so that they meet each other."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st

from conurb.model.changes import TimedScope
from conurb.model.entity import Entity
from conurb.model.operations.attribute import (
    DeleteAttribute,
    DeleteScope,
    PartialUpdateAttribute,
    ReplaceAttribute,
)
from conurb.model.operations.entity import (
    AppendAttributes,
    CreateEntity,
    DeleteEntity,
    MergeEntity,
    ReplaceEntity,
    UpdateAttributes,
    UpsertEntity,
)
from conurb.model.operations.expiry import Expire
from conurb.model.operations.temporal import (
    AppendEvolution,
    DeleteEvolution,
    DeleteTemporalAttribute,
)
from conurb.model.parse import Fragment, TemporalFragment
from conurb.model.query.tree import (
    Absent,
    Aggregation,
    And,
    AttributePath,
    Compare,
    Exists,
    GeoCondition,
    GeoRelation,
    Linked,
    Moment,
    OneOf,
    Or,
    OrderBy,
    Query,
    Range,
    Restriction,
    ScopeAll,
    ScopeAny,
    ScopeIs,
    Selector,
    TemporalQuery,
    TimeWindow,
    TypeAll,
    TypeAny,
    TypeIs,
    Uri,
)
from conurb.model.text import TextEntity, write_out
from conurb.model.time import US_PER_S, fixed, parse_us
from conurb.store.sqlite.values import regular
from tests.contracts.conftest import START_US

IDS = [f"urn:ngsi-ld:Thing:{n}" for n in range(5)]
TYPES = ["https://example.org/A", "https://example.org/B", "https://example.org/C"]
NUMBER, TEXT, MIXED, LINK, PLACE = (
    f"https://example.org/{name}" for name in ("number", "text", "mixed", "link", "place")
)
SUB = "https://example.org/sub"
ATTRIBUTES = [NUMBER, TEXT, MIXED, LINK, PLACE]
DATASETS = ["urn:ngsi-ld:Dataset:1", "urn:ngsi-ld:Dataset:2"]
SCOPES = ["/a", "/a/b", "/a/b/c", "/d", "/ab"]
DAY_US = 86_400 * US_PER_S

numbers = st.sampled_from([0, 1, -1, 2, 2.5, 10, 1e300, -0.5, 2**53 + 1])
texts = st.sampled_from(
    ["", "a", "b", "ab", "A", "é", "中", "\x01t", "\x02urn:x:1", "x" * 300, "1"]
)
time_texts = st.sampled_from(
    [
        "2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20.5Z",
        "2023-11-14T22:13:20.5009Z",
        "2023-11-15T00:00:00Z",
        "2023-11-15",
        "2023-11-15T00:00:00+01:00",
    ]
)
links = st.sampled_from([*IDS, "urn:x:1"])
scalars = numbers | texts | st.booleans() | time_texts
times_of_day = st.sampled_from(["08:15:00Z", "08:15:00.5Z", "23:59:59.999999Z", "25:00:00Z"])
typed = st.builds(
    lambda name, text: {"@type": name, "@value": text},
    st.sampled_from(["DateTime", "Date", "Time", "https://uri.etsi.org/ngsi-ld/Time", "urn:x:T"]),
    time_texts | times_of_day,
)
value_types = st.sampled_from([f"https://uri.etsi.org/ngsi-ld/{name}" for name in ("Date", "Time")])
compound = st.fixed_dictionaries(
    {"city": scalars}, optional={'in"ner': scalars, "deep": st.just({})}
)
lists = st.lists(scalars, max_size=3)
values = scalars | typed | compound | lists

times = st.sampled_from(
    [START_US - n * DAY_US for n in (400, 40, 31, 3, 2, 1)] + [START_US - 1_500, START_US + DAY_US]
)
observed = st.none() | times

points = st.builds(
    lambda x, y: {"type": "Point", "coordinates": [x, y]},
    st.sampled_from([121.0, 121.1, 121.2, 130.0, -179.99, 179.99]),
    st.sampled_from([31.0, 31.1, -31.0, 89.0]),
)
SQUARE = [[121.05, 30.9], [121.3, 30.9], [121.3, 31.2], [121.05, 31.2], [121.05, 30.9]]
shapes = points | st.sampled_from(
    [
        {"type": "Polygon", "coordinates": [SQUARE]},
        {"type": "LineString", "coordinates": [[121.0, 31.0], [121.2, 31.1]]},
    ]
)


@st.composite
def instances(
    draw: Any, attribute: str, *, dataset: Any = None, sub: bool = True
) -> dict[str, Any]:
    """Draw an instance of an attribute whose kind goes with its name."""
    body: dict[str, Any]
    if attribute == NUMBER:
        body = {"type": "Property", "value": draw(numbers)}
    elif attribute == TEXT:
        body = {"type": "Property", "value": draw(texts | time_texts | times_of_day)}
        if draw(st.booleans()):
            body["valueType"] = draw(value_types)
    elif attribute == LINK:
        body = draw(
            st.one_of(
                links.map(lambda one: {"type": "Relationship", "object": one}),
                st.lists(links, min_size=1, max_size=2).map(
                    lambda many: {"type": "Relationship", "object": many}
                ),
                st.lists(links, max_size=2).map(
                    lambda many: {
                        "type": "ListRelationship",
                        "objectList": [{"object": one} for one in many],
                    }
                ),
            )
        )
    elif attribute == PLACE:
        body = {"type": "GeoProperty", "value": draw(shapes)}
    else:
        body = draw(
            st.one_of(
                values.map(lambda v: {"type": "Property", "value": v}),
                st.dictionaries(
                    st.sampled_from(["zh", "en", "@none"]),
                    texts | st.lists(texts, max_size=2),
                    max_size=2,
                ).map(lambda m: {"type": "LanguageProperty", "languageMap": m}),
                (links | st.lists(links, max_size=2)).map(
                    lambda v: {"type": "VocabProperty", "vocab": v}
                ),
                values.map(lambda v: {"type": "JsonProperty", "json": v}),
                lists.map(lambda v: {"type": "ListProperty", "valueList": v}),
            )
        )
    when = draw(observed)
    if when is not None:
        body["observedAt"] = fixed(when)
    if draw(st.booleans()):
        body["unitCode"] = draw(st.sampled_from(["MTR", "KGM"]))
    if sub and draw(st.booleans()):
        body[SUB] = [draw(instances(draw(st.sampled_from([NUMBER, MIXED, LINK])), sub=False))]
    if dataset is not None:
        body["datasetId"] = dataset
    return body


@st.composite
def attribute_maps(draw: Any, *, least: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Draw attributes with one to three instances each."""
    names = draw(st.lists(st.sampled_from(ATTRIBUTES), unique=True, min_size=least, max_size=4))
    drawn = {}
    for name in names:
        chosen = draw(
            st.sampled_from(
                [[None], [None], [None], [DATASETS[0]], [None, *DATASETS[:1]], DATASETS]
            )
        )
        drawn[name] = [draw(instances(name, dataset=dataset)) for dataset in chosen]
    return drawn


types = st.lists(st.sampled_from(TYPES), min_size=1, max_size=2, unique=True).map(tuple)
scopes = st.lists(st.sampled_from(SCOPES), max_size=2, unique=True).map(tuple)
ids = st.sampled_from(IDS)
expiries = st.none() | st.none() | st.sampled_from([START_US + n * US_PER_S for n in (3, 20)])


def as_text(entity: Entity) -> Entity:
    """Give an entity as one that is read in another process comes."""
    text = write_out(entity.attrs, regular)
    if text is None:
        return entity
    return TextEntity(
        entity.id, entity.types, scope=entity.scope, expires_at=entity.expires_at, text=text
    )


plain_entities = st.builds(
    Entity, ids, types, attribute_maps(), scopes, st.just(0), st.just(0), expiries
)
entities = st.builds(
    lambda entity, apart: as_text(entity) if apart else entity, plain_entities, st.booleans()
)
fragments = st.builds(Fragment, attribute_maps(least=1), st.just(()) | types, st.none() | scopes)


@st.composite
def evolutions(draw: Any) -> TemporalFragment:
    """Draw what a temporal write gives: several instances of an attribute over time."""
    names = draw(st.lists(st.sampled_from(ATTRIBUTES), unique=True, min_size=1, max_size=3))
    attrs = {}
    for name in names:
        several = st.sampled_from([None, None, *DATASETS])
        attrs[name] = [
            draw(instances(name, dataset=draw(several))) for _ in range(draw(st.integers(1, 4)))
        ]
    timed = st.builds(TimedScope, st.none() | times, scopes)
    return TemporalFragment(
        attrs=attrs,
        types=draw(types),
        scopes=tuple(draw(st.lists(timed, max_size=2))),
    )


names = st.sampled_from(ATTRIBUTES)
datasets = st.sampled_from([None, None, *DATASETS])


@st.composite
def attribute_writes(draw: Any) -> Any:
    """Draw a write to one attribute."""
    name, kind = draw(names), draw(st.sampled_from([PartialUpdateAttribute, ReplaceAttribute]))
    return kind(draw(ids), name, (draw(instances(name, dataset=draw(datasets))),))


operations = st.one_of(
    entities.map(CreateEntity),
    entities.map(UpsertEntity),
    st.builds(UpsertEntity, entities, st.just("update")),
    entities.map(ReplaceEntity),
    st.builds(AppendAttributes, ids, fragments, st.booleans()),
    st.builds(UpdateAttributes, ids, fragments),
    st.builds(MergeEntity, ids, fragments),
    attribute_writes(),
    st.builds(DeleteAttribute, ids, names, datasets, st.booleans()),
    st.builds(DeleteScope, ids),
    st.builds(DeleteEntity, ids),
    st.builds(Expire, ids),
    st.builds(AppendEvolution, ids, evolutions(), st.booleans()),
    st.builds(AppendEvolution, ids, evolutions()),
    st.builds(DeleteTemporalAttribute, ids, names, datasets, st.booleans()),
    st.builds(DeleteEvolution, ids),
)

# ── queries ───────────────────────────────────────────────────────────────────────────────────

moments = st.sampled_from(
    [
        Moment("2023-11-14T22:13:20Z", START_US),
        Moment("2023-11-14T22:13:20.500Z", START_US + US_PER_S // 2),
        Moment("2023-11-15T00:00:00Z", parse_us("2023-11-15T00:00:00Z")),
        Moment("2023-11-12T22:13:20Z", START_US - 2 * DAY_US),
        Moment("2023-11-15", None),
    ]
)
operands = numbers | texts | st.booleans() | moments | links.map(Uri)
orderable = numbers | texts | moments
ranges = st.builds(Range, orderable, orderable)
several = st.lists(operands | ranges, min_size=1, max_size=3).map(tuple).map(OneOf)
patterns = st.sampled_from([r"a", r"\Aa", r"b\Z", r"[a-z]+", r"", r"urn:.*:1"])
members = st.sampled_from([(), (), (), ("city",), ('in"ner',), ("deep", "city"), ("zh",), ("*",)])
system_names = st.sampled_from(
    ["id", "type", "scope", "createdAt", "modifiedAt", "expiresAt", "nonsense"]
)
instance_names = st.sampled_from(
    ["observedAt", "createdAt", "modifiedAt", "unitCode", "datasetId", "type"]
)
UNKNOWN = "https://example.org/unknown"


@st.composite
def paths(draw: Any, *, linked: bool = True) -> AttributePath:
    """Draw a path of any form."""
    first = draw(names | st.just(UNKNOWN))
    shapes_ = ["one", "one", "one", "sub", "system", "instance"] + (["linked"] if linked else [])
    form = draw(st.sampled_from(shapes_))
    if form == "one":
        return AttributePath((first,), draw(members))
    if form == "sub":
        return AttributePath((first, SUB), draw(members))
    if form == "system":
        return AttributePath((draw(system_names),))
    if form == "instance":
        before = draw(st.sampled_from([(first,), (first, SUB)]))
        return AttributePath((*before, draw(instance_names)))
    step = Linked(draw(st.just(()) | types))
    rest = draw(st.one_of(names.map(lambda n: (n,)), system_names.map(lambda n: (n,))))
    return AttributePath((LINK, step, *rest))


@st.composite
def comparisons(draw: Any, *, linked: bool = True) -> Compare:
    """Draw a comparison with an operand that its operator takes."""
    path = draw(paths(linked=linked))
    operator = draw(st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "~=", "!~="]))
    if operator in ("~=", "!~="):
        return Compare(path, operator, draw(patterns))
    if operator in ("==", "!="):
        return Compare(path, operator, draw(operands | ranges | several))
    return Compare(path, operator, draw(operands))


def conditions(*, linked: bool = True) -> st.SearchStrategy[Any]:
    """Draw a condition tree."""
    leaves = (
        comparisons(linked=linked)
        | comparisons(linked=linked)
        | paths(linked=linked).map(Exists)
        | paths(linked=linked).map(Absent)
    )
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3).map(tuple).map(And)
            | st.lists(inner, min_size=1, max_size=3).map(tuple).map(Or)
        ),
        max_leaves=4,
    )


type_selections = st.recursive(
    st.sampled_from([*TYPES, UNKNOWN]).map(TypeIs),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map(tuple).map(TypeAll)
        | st.lists(inner, min_size=1, max_size=3).map(tuple).map(TypeAny)
    ),
    max_leaves=4,
)
scope_patterns = st.sampled_from(
    ["/a", "/a/#", "/a/+", "/+/b", "/#", "/a/+/#", "/+/+/c", "/d", "/ab/#"]
).map(ScopeIs)
scope_conditions = st.recursive(
    scope_patterns,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2).map(tuple).map(ScopeAll)
        | st.lists(inner, min_size=1, max_size=2).map(tuple).map(ScopeAny)
    ),
    max_leaves=3,
)
POLYGON = "POLYGON ((120.95 30.95, 121.15 30.95, 121.15 31.15, 120.95 31.15, 120.95 30.95))"
references = st.sampled_from(
    [
        "POINT (121 31)",
        "POINT (121.1 31.1)",
        "POINT (180 -31)",
        POLYGON,
        "LINESTRING (121 31, 122 31)",
    ]
)
geos = st.builds(
    lambda wkt, low, high: GeoCondition(
        PLACE, "near", wkt, low, high if low is not None or high is not None else 5_000.0
    ),
    references,
    st.none() | st.sampled_from([1.0, 20_000.0]),
    st.none() | st.sampled_from([100.0, 5_000.0, 30_000.0, 9e6]),
) | st.builds(
    GeoCondition,
    st.just(PLACE),
    st.sampled_from([one for one in get_args(GeoRelation) if one != "near"]),
    references,
    negated=st.booleans(),
)
selectors = st.builds(
    Selector,
    st.just(()) | st.lists(ids, min_size=1, max_size=3, unique=True).map(tuple),
    st.none() | st.none() | patterns,
    st.none() | type_selections,
)
orders = st.one_of(
    st.builds(OrderBy, paths(linked=False), st.booleans(), st.none(), st.booleans()),
    st.builds(
        OrderBy,
        st.sampled_from([PLACE, NUMBER]).map(lambda name: AttributePath((name,))),
        st.booleans(),
        st.just("POINT (121.01 31.02)"),
    ),
)
restrictions = st.builds(
    Restriction,
    st.none() | st.none() | st.lists(st.sampled_from(TYPES), max_size=2).map(tuple),
    st.none() | st.none() | st.lists(st.sampled_from(SCOPES), max_size=2).map(tuple),
)
sometimes = st.sampled_from([(), (), ()])


@st.composite
def queries(draw: Any, *, linked: bool = True, ordered: bool = True) -> Query:
    """Draw a query; most have a condition and little else."""
    return Query(
        selectors=draw(sometimes | st.lists(selectors, min_size=1, max_size=2).map(tuple)),
        attributes=draw(sometimes | st.lists(names, min_size=1, max_size=2).map(tuple)),
        datasets=draw(
            sometimes
            | st.lists(st.sampled_from(["@none", *DATASETS]), min_size=1, max_size=2).map(tuple)
        ),
        condition=draw(st.none() | conditions(linked=linked) | conditions(linked=linked)),
        geo=draw(st.none() | st.none() | geos),
        scope=draw(st.none() | st.none() | scope_conditions),
        order=draw(st.lists(orders, max_size=2).map(tuple)) if ordered else (),
        restriction=draw(st.just(Restriction()) | restrictions),
        limit=draw(st.sampled_from([0, 1, 2, 20])),
        offset=draw(st.sampled_from([0, 0, 1])),
        count=draw(st.booleans()),
    )


@st.composite
def windows(draw: Any) -> TimeWindow:
    """Draw a time window."""
    kind = draw(
        st.sampled_from(["observedAt", "observedAt", "createdAt", "modifiedAt", "deletedAt"])
    )
    relation = draw(st.sampled_from([None, "before", "after", "between"]))
    if relation is None:
        return TimeWindow(kind)
    low, high = sorted([draw(times), draw(times | st.just(START_US + 5 * US_PER_S))])
    return TimeWindow(kind, relation, low, high if relation == "between" else None)


METHODS = ["totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq"]
aggregations = st.builds(
    lambda methods, period: Aggregation(tuple(methods), *period),
    st.lists(st.sampled_from(METHODS), min_size=1, max_size=8, unique=True),
    st.sampled_from([(0, 0), (0, 3600 * US_PER_S), (0, DAY_US), (1, 0), (12, 0), (1, DAY_US)]),
)


@st.composite
def temporal_queries(draw: Any) -> TemporalQuery:
    """Draw a temporal query."""
    aggregation = draw(st.none() | st.none() | aggregations)
    return TemporalQuery(
        draw(queries(linked=False, ordered=False)),
        draw(windows()),
        draw(sometimes | st.lists(names, min_size=1, max_size=2).map(tuple)),
        None if aggregation is not None else draw(st.none() | st.sampled_from([1, 2])),
        aggregation,
        draw(st.sampled_from([100_000, 100_000, 3])),
    )

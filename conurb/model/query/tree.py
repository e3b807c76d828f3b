"""The syntax tree of every query (ETSI GS CIM 009 v1.9.1, clauses 4.9 to 4.11, 4.17, 4.19, 4.23).

All names in a tree are expanded IRIs; a tree knows nothing of @contexts, HTTP or SQL. Values are
frozen, so that a tree can be a cache key.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

# ── q (clause 4.9) ────────────────────────────────────────────────────────────────────────────

Operator = Literal["==", "!=", ">", ">=", "<", "<=", "~=", "!~="]


@dataclass(frozen=True, slots=True)
class Moment:
    """A date-time, date or time literal.

    `us` is a date-time as microseconds since the epoch, None for a bare date or time of day,
    which compare as text.
    """

    text: str
    us: int | None


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI literal (compares with a relationship's object or a value of text)."""

    text: str


Scalar = str | int | float | bool | Moment | Uri


@dataclass(frozen=True, slots=True)
class Range:
    """`low..high`, both ends included."""

    low: Scalar
    high: Scalar


@dataclass(frozen=True, slots=True)
class OneOf:
    """A comma-separated list of values or ranges: for == any of them, for != none of them."""

    items: tuple[Scalar | Range, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """A step to other entities: from the relationship before it to entities of these types.

    `rel{Type:attr}` of clause 4.9: the rest of the path is asked of the linked entity. No type
    given means any.
    """

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AttributePath:
    """What a query term speaks of: attribute, sub-attributes or links, then members of the value.

    `steps` starts with the IRI of an attribute (or a system name, `id`, `type`, `scope`,
    `createdAt`, `modifiedAt`, `observedAt`, `unitCode`, `datasetId` ...) and goes on with
    sub-attributes, or with a `Linked` followed by the attribute of the linked entity. `members`
    is the trailing path inside of a compound value (`address[city.street]`), or the language tag
    of a LanguageProperty (`name[zh]`; `*` is any).
    """

    steps: tuple[str | Linked, ...]
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """`path operator operand`.

    For the pattern operators the operand is the regular expression in its portable form
    (`conurb.model.query.pattern`). A list or a range goes with == and != only.
    """

    path: AttributePath
    operator: Operator
    operand: Scalar | Range | OneOf


@dataclass(frozen=True, slots=True)
class Exists:
    """A path alone: the entity has it."""

    path: AttributePath


@dataclass(frozen=True, slots=True)
class Absent:
    """`!path`: the entity doesn't have it (not in clause 4.9, but widely spoken)."""

    path: AttributePath


@dataclass(frozen=True, slots=True)
class And:
    """Every item holds."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One item at least holds."""

    items: tuple[Condition, ...]


Condition: TypeAlias = "Compare | Exists | Absent | And | Or | GeoCondition"
"""A GeoCondition stands among the others in filters of CQL2 alone; q of clause 4.9 has none."""

# ── type selection (clause 4.17) ──────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class TypeIs:
    """The entity has this type."""

    iri: str


@dataclass(frozen=True, slots=True)
class TypeAll:
    """The entity satisfies every item."""

    items: tuple[TypeSelection, ...]


@dataclass(frozen=True, slots=True)
class TypeAny:
    """The entity satisfies one item at least."""

    items: tuple[TypeSelection, ...]


TypeSelection = TypeIs | TypeAll | TypeAny

# ── scope (clause 4.19) ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class ScopeIs:
    """One of the entity's scopes matches the pattern.

    `pattern` is a scope with `+` for one level; a trailing `#` takes the scope itself and all
    below it.
    """

    pattern: str


@dataclass(frozen=True, slots=True)
class ScopeAll:
    """Every item matches."""

    items: tuple[ScopeCondition, ...]


@dataclass(frozen=True, slots=True)
class ScopeAny:
    """One item at least matches."""

    items: tuple[ScopeCondition, ...]


ScopeCondition = ScopeIs | ScopeAll | ScopeAny

# ── geography (clause 4.10) ───────────────────────────────────────────────────────────────────

AskedRelation = Literal[
    "near", "within", "contains", "intersects", "equals", "disjoint", "overlaps"
]
"""The relations that a geoquery of NGSI-LD can ask for."""

GeoRelation = Literal[
    "near",
    "within",
    "contains",
    "intersects",
    "equals",
    "disjoint",
    "overlaps",
    "touches",
    "crosses",
]
"""Those, and the others of Simple Features, which CQL2 has too."""


@dataclass(frozen=True, slots=True)
class GeoCondition:
    """The geometry of `attribute` stands in `relation` to `wkt`, or with `negated` doesn't.

    `geometry_wkt` is WGS84 (longitude, latitude). `distance_m_min`/`_max` go with `near` only;
    distances are great-circle metres on a sphere of radius 6,371,008.7714 m.
    """

    attribute: str
    relation: GeoRelation
    geometry_wkt: str
    distance_m_min: float | None = None
    distance_m_max: float | None = None
    negated: bool = False

    @property
    def is_elsewhere(self) -> bool:
        """Whether what stands so may lie far from what is named."""
        return self.negated or self.relation == "disjoint"


# ── order (clause 4.23) ───────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class OrderBy:
    """Order by the value at a path, or by the distance of `path` to `distance_from_wkt`.

    Entities without a value come last, in both directions. Numbers go before text; see
    `conurb.model.query.match` for all of it. Ties are broken by id. `collated` compares text by
    base letters first, then by code point.
    """

    path: AttributePath
    descending: bool = False
    distance_from_wkt: str | None = None
    collated: bool = False


# ── the queries ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Selector:
    """Which entities are meant (EntitySelector, clause 5.2.33): every part given must hold."""

    ids: tuple[str, ...] = ()
    id_pattern: str | None = None
    types: TypeSelection | None = None


@dataclass(frozen=True, slots=True)
class Restriction:
    """What a caller may see at most; joins the query before paging, counting and aggregating.

    None means without restriction. A type restriction takes entities that have one of `types`; a
    scope restriction those with a scope at or below one of `scopes`.
    """

    types: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A query over the state of a node's entities.

    An entity answers when one of `selectors` takes it (none given: any entity), it has one of
    `attributes` (none given: any), one of the instances of `datasets` (none given: any; the text
    `@none` stands for the default instance), and satisfies the conditions. Answers are ordered by
    `order`, then id. `limit` 0 gives no entities (for a count).

    Two parts speak of the nodes of a region alone: `sources` is asked of the properties of context
    sources (csf, clause 4.9), and `split` says that an entity may be spread over several nodes
    (clause 4.3.6.7), so that conditions are asked of the whole of it.
    """

    selectors: tuple[Selector, ...] = ()
    attributes: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    condition: Condition | None = None
    geo: GeoCondition | None = None
    scope: ScopeCondition | None = None
    order: tuple[OrderBy, ...] = ()
    restriction: Restriction = Restriction()
    limit: int = 20
    offset: int = 0
    count: bool = False
    sources: Condition | None = None
    split: bool = False


TimeRelation = Literal["before", "after", "between"]
TimeProperty = Literal["observedAt", "createdAt", "modifiedAt", "deletedAt"]
AggregationMethod = Literal[
    "totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq"
]


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Which instances: `timeproperty` stands in `relation` to `at_us` (and `end_us`).

    before: < at; after: >= at; between: >= at and < end (clause 4.11). No relation: all.
    """

    timeproperty: TimeProperty = "observedAt"
    relation: TimeRelation | None = None
    at_us: int | None = None
    end_us: int | None = None


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Aggregates per period (clause 4.5.19).

    `period_months` and `period_us` are the calendar and the exact part of the ISO 8601 duration;
    both 0 is one period over the whole window. Periods start at the window's start when it has
    one, else at the first instance; months go by the calendar of UTC.
    """

    methods: tuple[AggregationMethod, ...]
    period_months: int = 0
    period_us: int = 0


@dataclass(frozen=True, slots=True)
class TemporalQuery:
    """A query over history: the evolution of entities that `query` selects.

    `query.condition` and `query.geo` are asked of instances in the window (an entity answers when
    its values in the window satisfy them, clause 5.7.4); `query.limit`/`offset` page over
    entities. `attributes` are those whose evolution is given (none: all). `last_n` gives the
    latest n instances of each attribute, newest first. `instance_limit` bounds the instances of
    one answer.
    """

    query: Query
    window: TimeWindow = TimeWindow()
    attributes: tuple[str, ...] = ()
    last_n: int | None = None
    aggregation: Aggregation | None = None
    instance_limit: int = 100_000


def conjunction(*conditions: Condition | None) -> Condition | None:
    """Join conditions that may be absent."""
    present = tuple(c for c in conditions if c is not None)
    return present[0] if len(present) == 1 else And(present) if present else None


def iter_paths(condition: Condition | None) -> Iterator[AttributePath]:
    """Stream the paths that a condition speaks of."""
    if isinstance(condition, And | Or):
        for item in condition.items:
            yield from iter_paths(item)
    elif condition is not None and not isinstance(condition, GeoCondition):
        yield condition.path


def attributes_of(condition: Condition | None) -> frozenset[str]:
    """Give the attributes of the entity itself that a condition speaks of, no system names."""
    first = (path.steps[0] for path in iter_paths(condition))
    return frozenset(step for step in first if isinstance(step, str) and ":" in step)


def link_depth(condition: Condition | None) -> int:
    """Give how many links the deepest path of a condition follows; 0 for none."""
    return max(
        (sum(isinstance(step, Linked) for step in path.steps) for path in iter_paths(condition)),
        default=0,
    )

"""Decide whether one entity answers a query: the meaning of the query language, in memory.

Subscriptions use this; and both engines compile the same tree to SQL that must give the same
answers, so this text is the specification (ETSI GS CIM 009 v1.9.1, clauses 4.9, 4.10, 4.17, 4.19,
4.23; where it is silent, what is said here was chosen because both engines can say it in SQL).

**1. Targets of a path.** A path selects *targets*; each is one value with a *class* (2).

- `steps[0]` is the IRI of an attribute: every instance of it, whatever its `datasetId`, is a node.
  Or it is a *system name* of the entity, which must be the last step: `id`, `type`, `scope`,
  `createdAt`, `modifiedAt`, `expiresAt`. Any other name without a colon selects nothing.
- A following IRI goes from each node to all instances of that sub-attribute. A following system
  name, which must be the last step, takes that member of the node: `observedAt`, `createdAt`,
  `modifiedAt`, `unitCode`, `datasetId`, `type`, `objectType`. Any other name selects nothing.
- `Linked` goes from each node that is a Relationship (`object`: a URI or a list of them) or a
  ListRelationship (`objectList`: a list of URIs or of `{"object": URI}`) to the entities of those
  ids that exist here now, aren't expired, are inside of the caller's restriction, and have one of
  `types` (when given). The next step starts again at the entity, as `steps[0]`. A `Linked` last
  selects nothing.
- A node at the end of the steps gives one target: its value (`VALUE_MEMBER` of its kind).
  Without `members`, an object with a member `@value` (a typed date or time) stands for the value
  of that member. With `members`:
  LanguageProperty: `members` must be one language tag; the target is the text or list of texts
  of exactly that key, or all texts of the map for `*`. Every other kind: members are followed
  one by one through JSON objects (never into a list); then `@value` as above.
  A Relationship, ListRelationship or system name with `members` selects nothing.
- A LanguageProperty without `members` is like `*`. What is missing, and JSON null, is no target.
  A LanguageProperty of which no text is selected is no target.

**2. Classes of a target, and its alternatives.** A target has *alternatives*, the JSON values that
are compared: itself, with these exceptions.

- *list*: a JSON array (of any kind but those below): its elements, one level, elements being
  taken as they are. Only == and != speak of lists; no other operator holds.
- *texts*: a LanguageProperty (lists in its map are flattened one level; what isn't text is left
  out) and the entity's `type` and `scope` (when it has one): its texts. All operators.
- *links*: a Relationship or ListRelationship: its URIs. Only == and != hold.
- *time*: `observedAt`, `createdAt`, `modifiedAt`, `expiresAt`: one moment. It compares with a
  date-time only (3), and no pattern operator holds.
- *plain*: everything else (a VocabProperty's `vocab` is an expanded IRI or a list of them).

**3. Comparing one alternative with one scalar.** Types are never converted; a comparison of values
of different types is false.

- number with a JSON number, by value as an IEEE 754 double (integers over 2**53 in size may be
  taken exactly or as a double). A boolean is no number.
- boolean with a JSON boolean: only ==.
- `str` and `Uri` with a JSON string: equal code points; <, > by code point order (SQLite BINARY,
  PostgreSQL COLLATE "C").
- `Moment` with `us` (a date-time) with a JSON string that is a date-time text, that is, matches
  `[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]{1,9})?Z` as a whole (nothing
  more is checked): both as *keys*, compared as text. The key of a text is its first 19
  characters, a dot, and the first three digits of the fraction, padded with zeros
  (`2026-01-31T08:00:00.250`); the key of a literal is `moment_key(us)`, which cuts to the
  millisecond. A time target has the key of its fixed-width text (its first 23 characters), and
  an entity's times that of their microseconds cut to the millisecond.
- `Moment` without `us` (a date or a time of day) with a JSON string: its `text`, as `str`. Never
  with a time target.
- Range: low <= alternative and alternative <= high, both of them by the rules above.
- OneOf: one of its items holds (a scalar by ==, or a range).

**4. Operators, on one target.**

- `==`: one alternative at least equals the operand (equals a scalar, is in a range or list).
- `!=`: no alternative equals it. So it holds for another type, and for an empty list.
- `<`, `<=`, `>`, `>=`: the target isn't of class list or links, and one alternative holds.
- `~=`: the target isn't of class list, links or time, and one alternative that is a JSON string
  is matched somewhere (unanchored search) by the regular expression.
- `!~=`: the target isn't of class list, links or time, it has an alternative that is a JSON
  string, and no alternative that is one is matched.

**5. Conditions.** `Compare`: there is a target on which the operator holds. So with several
instances, != means that *one instance at least* differs. `Exists`: the path has a target (for a
path without members that ends in an attribute: there is a node, whatever its value). `Absent`:
not `Exists`. A missing target never satisfies `Compare`, not with != or !~= either. `And`, `Or`
as usual; And of nothing is true, Or of nothing is false. A `GeoCondition` among them is point 8.

**6. Regular expressions** are in the portable form of `conurb.model.query.pattern`, which means
the same in PostgreSQL's `~` and in `automaton.search(expression, text)`, which SQLite calls as a
function. `Selector.id_pattern` is in the same form.

**7. Types, scopes.** `TypeIs`: the IRI is among the entity's types. A scope pattern is compared
level by level, by code point: `+` takes any one level; a last level `#` takes any number of levels,
none included (`/#`: any scope at all). One scope of the entity has to match each `ScopeIs`.

**8. Geography.** One instance of the attribute at least, being a GeoProperty, has to stand in the
relation; none, no match, also for `disjoint`. The planar predicates of Simple Features on longitude
and latitude (GEOS: shapely, PostGIS `ST_*`): within, contains, intersects, equals, disjoint,
overlaps, touches, crosses as `target.relation(reference)`; with `negated` one instance has not to.
near: the great-circle distance of the nearest points d (`geometry.distance_m`) with
d <= `distance_m_max` and d > `distance_m_min`, those that are given.
Between points the haversine distance; for others engines may differ by 0.5 %.

**9. Order** (`conurb.model.query.ranking`). The value of an `OrderBy` is that of the *first* node
at each step of its path (instances are stored with the default instance first, then by
datasetId), with members as above. Rank of its type: 0 number, 1 text, 2 object, 3 list,
4 boolean (false first), 5 time (a time target by its microseconds; an object with a text
`@value` by that text), 9 nothing at all. A LanguageProperty is text with a language tag as member
(when that language has one text; a list otherwise) and an object without; `type` and `scope` are
lists; links are text when `object` is one URI and a list otherwise. Ranks ascend in both
directions; `descending` turns the order within a rank. Objects are equal among themselves, so are
lists. `collated`: text is ordered by `collation_key`, then by code point. A path with `Linked`
isn't allowed (`parse_order`). By distance: rank 0 and the distance to `distance_from_wkt` of the
first node when that is a GeoProperty, else rank 9. Ties are broken by id, ascending by code point.

**10. The rest of a Query.** `selectors`: one of them holds; in it, each part that is given does.
`attributes`: the entity has one of them. `datasets`: one instance of any attribute has one of these
datasetIds (`@none`: none). `restriction`: one of its types, and one scope at or below one of its
scopes. Everything given has to hold. An expired entity isn't there.

**11. Temporal queries** (`TemporalQuery`) ask of the *live* rows of history: not superseded.

- The time of a row, by `window.timeproperty`. observedAt: `at_us`, if its instance has the member;
  and a tombstone's, if it was stated with a time of its own (`at_us` isn't `recorded_us`).
  createdAt, modifiedAt: that member of its instance. deletedAt: `recorded_us` of a tombstone. A row
  without this time isn't in any window; but with observedAt and no `relation`, every live row is,
  at `at_us`. In the window: before: t < at; after: t >= at; between: at <= t < end.
- Scope: head rows by `at_us`, each valid until the next. With `query.scope` and observedAt, only
  those rows count whose time is in the validity of a head that satisfies it; with another time,
  the last head has to satisfy it. `[]` and a tombstone of the head are no scope.
- An entity answers, deleted or not, when its last head that isn't a tombstone satisfies
  `selectors` and `restriction`; it has a row in the window (of `query.attributes`, and of
  `query.datasets`, when given); and `condition` and `geo` hold on an entity whose `attrs` are all
  instances in the window, each as if it were a dataset's (points 1 to 5; an attribute without an
  instance in the window is absent). Times of the entity are those of its state.
- Given are its rows in the window of `attributes` and `query.datasets`; per attribute in order of
  time, then number. `last_n`: the latest n rows of each attribute, latest first. When the page
  has more rows than `instance_limit`, they are cut at one time for all its entities: the earliest
  (with `last_n` the latest) rows are given, those of one time all or not at all, at least one
  time; an attribute whose rows were all cut has an empty list. `truncated_at_us` is the last
  time given. Heads are given too (as `evolution.HEAD`, not counted): with observedAt those whose
  validity meets the window, else all.

**12. Aggregation** of the rows that have an instance and a time that isn't 'always'
(`time.BEGINNING`), per attribute, datasetId and period. Periods start at the window's start, else
at the attribute's first row in the window; only those with rows are given. Both parts of the
duration 0: one period, from there to the window's end, else to the last row. totalCount: rows;
distinctCount: different values. The others take what tables 1 to 3 of clause 4.5.19.1 give them
(`conurb.model.aggregates`): a JSON number, a boolean as 0 or 1, and (not stddev and sumsq) an array
as its length; stddev is of the population, sumsq the sum of squares. Where a period has none of
these: min and max take dates, times of day and date-times, avg times of day (their arithmetic mean,
cut to the microsecond), and give them as typed values; else min and max take texts, by code point.
Relationships, URIs (a VocabProperty too), objects and languages count in totalCount and
distinctCount only. A method that has nothing to take gives no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from conurb.model import geometry
from conurb.model.entity import Entity
from conurb.model.query.automaton import search
from conurb.model.query.targets import (
    Find,
    Target,
    has_target,
    iter_targets,
    moment_key,
    text_key,
)
from conurb.model.query.tree import (
    Absent,
    And,
    Condition,
    Exists,
    GeoCondition,
    Moment,
    OneOf,
    Operator,
    Or,
    Query,
    Range,
    Restriction,
    Scalar,
    ScopeAll,
    ScopeCondition,
    ScopeIs,
    Selector,
    TypeAll,
    TypeIs,
    TypeSelection,
    Uri,
)
from conurb.model.scope import is_within

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

# ── comparison ────────────────────────────────────────────────────────────────────────────────


def compares(target: Target, operator: Operator, operand: Scalar | Range | OneOf) -> bool:
    """Whether an operator holds on one target."""
    if operator == "==":
        return _equals_any(target, operand)
    if operator == "!=":
        return not _equals_any(target, operand)
    if target.kind in ("list", "links"):
        return False
    if operator in ("~=", "!~="):
        texts = [a for a in target.alternatives if isinstance(a, str)]
        if target.kind == "time" or not texts or not isinstance(operand, str):
            return False
        found = any(search(operand, text) for text in texts)
        return found if operator == "~=" else not found
    if isinstance(operand, Range | OneOf):
        return False
    return any(_holds(target, a, operator, operand) for a in target.alternatives)


def _equals_any(target: Target, operand: Scalar | Range | OneOf) -> bool:
    return any(_equals(target, alternative, operand) for alternative in target.alternatives)


def _equals(target: Target, alternative: Any, operand: Scalar | Range | OneOf) -> bool:
    if isinstance(operand, OneOf):
        return any(_equals(target, alternative, item) for item in operand.items)
    if isinstance(operand, Range):
        return _holds(target, alternative, ">=", operand.low) and _holds(
            target, alternative, "<=", operand.high
        )
    return _holds(target, alternative, "==", operand)


def _holds(target: Target, alternative: Any, operator: Operator, literal: Scalar) -> bool:
    """Compare one alternative with one scalar; False when their types differ."""
    left, right = _pair(target, alternative, literal)
    if left is None:
        return False
    if operator == "==":
        return bool(left == right)
    if isinstance(left, bool):
        return False
    if operator in ("<", "<="):
        return bool(left < right or (operator == "<=" and left == right))
    return bool(left > right or (operator == ">=" and left == right))


def _pair(target: Target, alternative: Any, literal: Scalar) -> tuple[Any, Any]:
    """Give both sides in comparable form; (None, None) when their types differ."""
    if isinstance(literal, Moment) and literal.us is not None:
        is_text = isinstance(alternative, str)
        key = alternative if target.kind == "time" else text_key(alternative) if is_text else None
        return (None, None) if key is None else (key, moment_key(literal.us))
    if target.kind == "time":
        return None, None
    if isinstance(literal, bool) or isinstance(alternative, bool):
        same = isinstance(literal, bool) and isinstance(alternative, bool)
        return (alternative, literal) if same else (None, None)
    if isinstance(literal, int | float):
        return (alternative, literal) if isinstance(alternative, int | float) else (None, None)
    text = literal.text if isinstance(literal, Moment | Uri) else literal
    return (alternative, text) if isinstance(alternative, str) else (None, None)


# ── conditions ────────────────────────────────────────────────────────────────────────────────


def holds(condition: Condition, entity: Entity, linked: Find | None = None) -> bool:
    """Whether a condition holds on an entity; `linked` finds the entities that it links to."""
    if isinstance(condition, And):
        return all(holds(item, entity, linked) for item in condition.items)
    if isinstance(condition, Or):
        return any(holds(item, entity, linked) for item in condition.items)
    if isinstance(condition, Exists):
        return has_target(condition.path, entity, linked)
    if isinstance(condition, Absent):
        return not has_target(condition.path, entity, linked)
    if isinstance(condition, GeoCondition):
        return stands_in_relation(condition, entity)
    return any(
        compares(target, condition.operator, condition.operand)
        for target in iter_targets(condition.path, entity, linked)
    )


def has_types(selection: TypeSelection, types: Iterable[str]) -> bool:
    """Whether the types of an entity satisfy a selection."""
    held = frozenset(types)
    if isinstance(selection, TypeIs):
        return selection.iri in held
    if isinstance(selection, TypeAll):
        return all(has_types(item, held) for item in selection.items)
    return any(has_types(item, held) for item in selection.items)


def has_scope(condition: ScopeCondition, scopes: tuple[str, ...]) -> bool:
    """Whether the scopes of an entity satisfy a scope query."""
    if isinstance(condition, ScopeIs):
        return any(_scope_fits(condition.pattern, scope) for scope in scopes)
    if isinstance(condition, ScopeAll):
        return all(has_scope(item, scopes) for item in condition.items)
    return any(has_scope(item, scopes) for item in condition.items)


def _scope_fits(pattern_: str, scope: str) -> bool:
    wanted, levels = pattern_.split("/")[1:], scope.split("/")[1:]
    if wanted[-1] == "#":
        wanted = wanted[:-1]
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(
        want in ("+", level) for want, level in zip(wanted, levels, strict=True)
    )


def stands_in_relation(condition: GeoCondition, entity: Entity) -> bool:
    """Whether one geometry at least of the attribute stands in the relation asked for."""
    return any(
        _geometry_fits(condition, instance["value"])
        for instance in entity.attrs.get(condition.attribute, ())
        if instance["type"] == "GeoProperty"
    )


def _geometry_fits(condition: GeoCondition, value: geometry.Geometry) -> bool:
    document, shape = reference(condition.geometry_wkt)
    if condition.relation == "near":
        distance = geometry.distance_m(value, document)
        low, high = condition.distance_m_min, condition.distance_m_max
        return (low is None or distance > low) and (high is None or distance <= high)
    stands = getattr(geometry.to_shapely(value), condition.relation)(shape)
    return bool(stands) is not condition.negated


@lru_cache(maxsize=256)
def reference(wkt: str) -> tuple[geometry.Geometry, BaseGeometry]:
    """Give the geometry of a query as a document and as a shape, kept for the next entity."""
    document = geometry.from_wkt(wkt)
    return document, geometry.to_shapely(document)


def selects(selector: Selector, entity: Entity) -> bool:
    """Whether a selector takes an entity."""
    return (
        (not selector.ids or entity.id in selector.ids)
        and (selector.id_pattern is None or search(selector.id_pattern, entity.id))
        and (selector.types is None or has_types(selector.types, entity.types))
    )


def admits(restriction: Restriction, entity: Entity) -> bool:
    """Whether an entity is inside of a restriction."""
    if restriction.types is not None and not set(restriction.types) & set(entity.types):
        return False
    return restriction.scopes is None or any(
        is_within(scope, root) for scope in entity.scope for root in restriction.scopes
    )


def matches(entity: Entity, query: Query, *, linked: Find | None = None) -> bool:
    """Whether an entity answers a query; order and paging aside.

    `linked` finds the entities that paths with `Linked` go to; without it they lead nowhere.
    """
    return (
        admits(query.restriction, entity)
        and (not query.selectors or any(selects(s, entity) for s in query.selectors))
        and (not query.attributes or any(name in entity.attrs for name in query.attributes))
        and (not query.datasets or _has_dataset(entity, query.datasets))
        and (query.scope is None or has_scope(query.scope, entity.scope))
        and (query.geo is None or stands_in_relation(query.geo, entity))
        and (query.condition is None or holds(query.condition, entity, linked))
    )


def _has_dataset(entity: Entity, datasets: tuple[str, ...]) -> bool:
    return any(i.get("datasetId", "@none") in datasets for _, i in entity.iter_instances())

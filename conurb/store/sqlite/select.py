"""A query as SQL statements: the page, the count, and what to index for the next time.

A statement is made of *arms*, joined by UNION ALL, so that each is served by one index: entities of
one type (nearly all) and those of several; a value that is compared at once and one that isn't
regular. Arms never overlap, so their counts add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import apsw
import orjson

from conurb.model.entity import Attributes, Entity
from conurb.model.query.match import has_types
from conurb.model.query.tree import (
    And,
    Compare,
    Condition,
    Query,
    Restriction,
    TypeAll,
    TypeAny,
    TypeIs,
    TypeSelection,
)
from conurb.store.contract import Page
from conurb.store.sqlite import geography
from conurb.store.sqlite.comparison import ORDERED
from conurb.store.sqlite.order import order_terms
from conurb.store.sqlite.predicates import Predicates
from conurb.store.sqlite.rows import ENTITY_COLUMNS, Terms, entity_of, texts
from conurb.store.sqlite.sources import AsOf, Current, Parameters, Reach, Source, conjunction
from conurb.store.sqlite.values import IRREGULAR

ARMS_MAX: Final = 12
"""More arms than this are one arm with a general predicate."""

INDEX_FROM_ENTITIES: Final = 1_000
"""From this many objects on, an attribute that is compared gets an index."""

_COLUMNS: Final = ", ".join(f"e.{name}" for name in ENTITY_COLUMNS.split(", "))


@dataclass(slots=True)
class Selected:
    """A page, and the attributes that an index would have served."""

    page: Page
    unindexed: list[str] = field(default_factory=list)


def select_page(
    connection: apsw.Connection,
    terms: Terms,
    query: Query,
    *,
    now_us: int,
    at_us: int | None = None,
    known_at_us: int | None = None,
) -> Selected:
    """Answer a query over current state, or over the state at a time."""
    reach = Reach(connection, terms, Parameters(), now_us)
    if at_us is None and known_at_us is None:
        return _CurrentSelect(reach, query).run()
    at = reach.parameters.add(now_us if at_us is None else at_us)
    known = None if known_at_us is None else reach.parameters.add(known_at_us)
    return _AsOfSelect(reach, query, AsOf(reach, at, known)).run()


class _Select:
    """What both kinds of state share."""

    def __init__(self, reach: Reach, query: Query, source: Current | AsOf) -> None:
        self.reach = reach
        self.query = query
        self.source = source
        self.parameters = reach.parameters
        self.predicates = Predicates(reach, query.restriction)
        self.unindexed: list[str] = []

    def common(self, condition: Condition | None, *, selectors: bool) -> str:
        """Compile all parts of the query but those that make the arms."""
        query, source, predicates = self.query, self.source, self.predicates
        parts = [source.alive()]
        if query.geo is not None:
            parts.append(self.geo())
        if selectors and query.selectors:
            compiled = [predicates.selector(source, selector) for selector in query.selectors]
            parts.append("1" if "1" in compiled else f"({' OR '.join(compiled)})")
        if query.attributes:
            parts.append(f"({' OR '.join(source.exists(name) for name in query.attributes)})")
        if query.datasets:
            parts.append(predicates.datasets(source, query.datasets))
        if query.scope is not None:
            parts.append(predicates.scope(source, query.scope))
        parts.append(predicates.restriction(source))
        if condition is not None:
            parts.append(predicates.condition(source, condition))
        return conjunction(parts)

    def geo(self) -> str:
        """Compile the geographic condition."""
        raise NotImplementedError

    def rows(self, ids: str) -> list[Entity]:
        """Load the entities of the page that the statement `ids` gives."""
        raise NotImplementedError

    def arms(self) -> list[tuple[str, str]]:
        """Give the arms: what stands behind FROM, and behind WHERE."""
        raise NotImplementedError

    def run(self) -> Selected:
        """Run the statements."""
        query = self.query
        arms = self.arms()
        page = Page([])
        if query.count:
            page.total = self._count(arms)
        if query.limit > 0:
            entities = self.rows(self._page(arms))
            page.more = len(entities) > query.limit
            page.entities = entities[: query.limit]
        return Selected(page, self.unindexed)

    def execute(self, statement: str) -> apsw.Cursor:
        """Run a statement with the parameters that it names."""
        return self.reach.connection.execute(statement, self.parameters.values)

    def _count(self, arms: list[tuple[str, str]]) -> int:
        counts = " UNION ALL ".join(
            f"SELECT count(*) AS c FROM {table} WHERE {where}" for table, where in arms
        )
        return int(self.execute(f"SELECT sum(c) FROM ({counts})").get)

    def _page(self, arms: list[tuple[str, str]]) -> str:
        """Write the statement that gives (eid, id) and the order's terms, one more than asked."""
        keys = order_terms(self.source, self.query.order, self.predicates)
        columns = "".join(f", {expression} AS k{n}" for n, (expression, _) in enumerate(keys))
        order = "".join(f"k{n}{direction}, " for n, (_, direction) in enumerate(keys))
        limit = self.parameters.add(self.query.limit + 1)
        offset = self.parameters.add(self.query.offset)
        selects = " UNION ALL ".join(
            f"SELECT e.eid AS eid, e.id AS id{columns} FROM {table} WHERE {where}"
            for table, where in arms
        )
        return f"{selects} ORDER BY {order}id LIMIT {limit} OFFSET {offset}"


class _CurrentSelect(_Select):
    def __init__(self, reach: Reach, query: Query) -> None:
        super().__init__(reach, query, Current(reach))

    def geo(self) -> str:
        assert self.query.geo is not None  # noqa: S101 - the caller has looked
        return geography.current_predicate(self.reach, "e", self.query.geo)

    def rows(self, ids: str) -> list[Entity]:
        # The order of the inner statement is kept: the outer loop runs over it.
        statement = f"SELECT {_COLUMNS} FROM ({ids}) p CROSS JOIN entity e ON e.eid = p.eid"
        return [entity_of(row) for row in self.execute(statement)]

    def arms(self) -> list[tuple[str, str]]:
        """Give one arm per single type and per form of the value that drives the query."""
        query = self.query
        selector = query.selectors[0] if len(query.selectors) == 1 else None
        by_place_or_id = query.geo is not None or any(s.ids for s in query.selectors)
        if by_place_or_id or len(query.selectors) > 1:
            return [("entity e", self.common(query.condition, selectors=True))]
        driver, rest = self._driver()
        selection = selector.types if selector is not None else None
        types = self._type_arms(selection, driven=driver is not None)
        common = self.common(rest, selectors=False)
        if selector is not None and selector.id_pattern is not None:
            pattern = self.parameters.add(selector.id_pattern)
            common = conjunction([common, f"conurb_matches({pattern}, e.id)"])
        return [
            ("entity e", conjunction([type_arm, value_arm, common]))
            for type_arm in types
            for value_arm in self._value_arms(driver, type_arm)
        ]

    def _driver(self) -> tuple[Compare | None, Condition | None]:
        """Choose the comparison that an index serves; give it and what remains."""
        condition = self.query.condition
        items = condition.items if isinstance(condition, And) else (condition,)
        for number, item in enumerate(items):
            attribute = _drivable(item)
            if attribute is None:
                continue
            term = self.reach.term(attribute)
            if term is None or not self._is_indexed(term):
                if term is not None and self._is_large():
                    self.unindexed.append(attribute)
                continue
            assert isinstance(item, Compare)  # noqa: S101 - _drivable said so
            rest = (*items[:number], *items[number + 1 :])
            return item, And(tuple(c for c in rest if c is not None)) if rest else None
        return None, condition

    def _is_indexed(self, term: int) -> bool:
        found = self.reach.connection.execute("SELECT 1 FROM indexed WHERE attr = ?", (term,)).get
        return found is not None

    def _is_large(self) -> bool:
        largest = self.reach.connection.execute("SELECT max(eid) FROM entity").get
        return (largest or 0) >= INDEX_FROM_ENTITIES

    def _value_arms(self, driver: Compare | None, type_arm: str) -> list[str]:
        """Give the regular form, and the general one only when the index has what needs it."""
        if driver is None:
            return ["1"]
        step = driver.path.steps[0]
        value = self.source.value(step) if isinstance(step, str) else None
        assert value is not None  # noqa: S101 - an attribute of current state has a value
        arms = [self.predicates.regular(value, driver)]
        marker = self.parameters.add(IRREGULAR)
        irregular = self.execute(
            f"SELECT 1 FROM entity e WHERE {type_arm} AND {value} = {marker} LIMIT 1"
        ).get
        if irregular is not None:
            arms.append(self.predicates.irregular(self.source, value, driver))
        return arms

    def _type_arms(self, selection: TypeSelection | None, *, driven: bool) -> list[str]:
        """Give predicates on `type`; when an index on a value leads, every type is named."""
        restricted = self.query.restriction.types is not None
        if selection is None and not restricted:
            return [self._any_type()] if driven else ["1"]
        return type_arms(
            self.reach, self.source, self.predicates, selection, self.query.restriction
        )

    def _any_type(self) -> str:
        """Name every type there is, for the index begins with the type."""
        return (
            "e.type IN (WITH RECURSIVE kind (t) AS (SELECT min(type) FROM entity "
            "WHERE type IS NOT NULL UNION ALL SELECT (SELECT min(type) FROM entity "
            "WHERE type > kind.t) FROM kind WHERE kind.t IS NOT NULL) "
            "SELECT t FROM kind WHERE t IS NOT NULL)"
        )


class _AsOfSelect(_Select):
    source: AsOf

    def geo(self) -> str:
        assert self.query.geo is not None  # noqa: S101 - the caller has looked
        return geography.as_of_predicate(self.source, self.query.geo)

    def arms(self) -> list[tuple[str, str]]:
        return [(self.source.row(), self.common(self.query.condition, selectors=True))]

    def rows(self, ids: str) -> list[Entity]:
        """Load the heads and all instances in force, and put the entities together."""
        wanted = [eid for eid, *_ in self.execute(ids)]
        listed = orjson.dumps(wanted[: self.query.limit + 1]).decode()
        name = self.parameters.add(listed)
        heads = self.execute(
            "SELECT e.eid, e.id, e.types, e.scope, e.created, e.modified, e.expires "
            f"FROM {self.source.row()} WHERE e.eid IN (SELECT value FROM json_each({name}))"
        )
        entities = {
            eid: Entity(entity_id, texts(types), {}, texts(scope), created, modified, expires)
            for eid, entity_id, types, scope, created, modified, expires in heads
        }
        self._fill(entities, name)
        return [entities[eid] for eid in wanted]

    def _fill(self, entities: dict[int, Entity], wanted: str) -> None:
        nodes = self.source.every_body()
        row = nodes.body.partition(".")[0]
        found = self.execute(
            f"SELECT {row}.eid, {row}.attr, {nodes.body} "
            f"FROM json_each({wanted}) w CROSS JOIN entity e ON e.eid = w.value "
            f"CROSS JOIN {nodes.tables[0]} WHERE {' AND '.join(nodes.where)}"
        )
        reach = self.reach
        for eid, attr, body in found:
            attrs: Attributes = entities[eid].attrs
            attrs.setdefault(reach.terms.iri(reach.connection, attr), []).append(orjson.loads(body))
        for entity in entities.values():
            for instances in entity.attrs.values():
                if len(instances) > 1:
                    instances.sort(key=_by_dataset)


def type_arms(
    reach: Reach,
    source: Source,
    predicates: Predicates,
    selection: TypeSelection | None,
    restriction: Restriction,
) -> list[str]:
    """Give predicates on the `type` of row `e`: disjoint, each an equality where it can be."""
    if restriction.types is not None:
        seen = TypeAny(tuple(TypeIs(iri) for iri in restriction.types))
        selection = seen if selection is None else TypeAll((selection, seen))
    if selection is None:
        return ["1"]
    named = _types_named(selection)
    terms = {iri: term for iri in named if (term := reach.term(iri)) is not None}
    arms = [f"e.type = {term}" for iri, term in terms.items() if has_types(selection, (iri,))]
    if terms and _any_of_several(reach, list(terms.values())):
        arms.append(f"(e.type = 0 AND {predicates.types(source, selection)})")
    if len(arms) > ARMS_MAX:
        return [predicates.types(source, selection)]
    return arms or ["0"]


def _any_of_several(reach: Reach, terms: list[int]) -> bool:
    """Whether some entity with several types has one of these."""
    found = reach.connection.execute(
        "SELECT 1 FROM multitype WHERE type IN (SELECT value FROM json_each(?)) LIMIT 1",
        (orjson.dumps(terms).decode(),),
    ).get
    return found is not None


def _by_dataset(instance: dict[str, Any]) -> str:
    return str(instance.get("datasetId", ""))


def _drivable(condition: Condition | None) -> str | None:
    """Give the attribute of a comparison that an index could serve."""
    if not isinstance(condition, Compare) or condition.operator not in ORDERED:
        return None
    steps = condition.path.steps
    if len(steps) != 1 or condition.path.members or not isinstance(steps[0], str):
        return None
    return steps[0] if ":" in steps[0] else None


def _types_named(selection: TypeSelection) -> list[str]:
    if isinstance(selection, TypeIs):
        return [selection.iri]
    return list(dict.fromkeys(iri for item in selection.items for iri in _types_named(item)))

"""A query as SQL statements: the page, the count, and what to index for the next time.

A statement is made of *arms*, joined by UNION ALL, so that each is served by one index: entities of
one type (nearly all) and those of several; a value that is compared at once and one that isn't
regular. Arms never overlap, so their counts add up.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

import apsw
import orjson

from conurb.model.entity import Attributes, Entity
from conurb.model.query.tree import (
    And,
    Compare,
    Condition,
    Query,
    TypeSelection,
)
from conurb.model.query.types import together
from conurb.store.contract import Page
from conurb.store.sqlite import geography
from conurb.store.sqlite.arms import type_arms
from conurb.store.sqlite.comparison import ORDERED
from conurb.store.sqlite.order import Term, order_terms
from conurb.store.sqlite.predicates import Predicates
from conurb.store.sqlite.rows import ENTITY_COLUMNS, Terms, entity_of, texts
from conurb.store.sqlite.sources import (
    AsOf,
    Current,
    Parameters,
    Question,
    Reach,
    conjunction,
)
from conurb.store.sqlite.values import IRREGULAR

INDEX_FROM_ENTITIES: Final = 1_000
"""From this many objects on, an attribute that is compared gets an index."""

_COLUMNS: Final = ", ".join(f"e.{name}" for name in ENTITY_COLUMNS.split(", "))
_BY_EID: Final = f"SELECT {ENTITY_COLUMNS} FROM entity WHERE eid = ?"
_BY_EIDS: Final = (
    f"SELECT e.eid, {_COLUMNS} FROM json_each(?) w CROSS JOIN entity e ON e.eid = w.value"
)
BATCH_MIN: Final = 4
"""From this many objects on they are loaded by one statement."""


@dataclass(slots=True)
class Plan:
    """A query's statements, and what of a store they depend on.

    `page` gives (eid, id) and the terms of the order, `count` a number, `ids` every id in no order.
    `descending` is the direction of each term. The statements hold for every store that gives the
    same `answers`.
    """

    page: str | None
    count: str | None
    ids: str
    descending: tuple[bool, ...]
    values: dict[str, Any]
    answers: dict[Question, Any]
    unindexed: list[str]


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
    return selection(reach, query, at_us=at_us, known_at_us=known_at_us).run()


def selection(
    reach: Reach, query: Query, *, at_us: int | None, known_at_us: int | None
) -> CurrentSelect | AsOfSelect:
    """Give what answers a query of the state of a time."""
    if at_us is None and known_at_us is None:
        return CurrentSelect(reach, query)
    at = reach.parameters.add(reach.now_us if at_us is None else at_us)
    known = None if known_at_us is None else reach.parameters.add(known_at_us)
    return AsOfSelect(reach, query, AsOf(reach, at, known))


class _Select:
    """What both kinds of state share."""

    def __init__(self, reach: Reach, query: Query, source: Current | AsOf) -> None:
        self.reach = reach
        self.query = replace(query, selectors=together(query.selectors))
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

    def load(self, eids: list[int]) -> dict[int, Entity]:
        """Load entities by their short names."""
        raise NotImplementedError

    def arms(self) -> list[tuple[str, str]]:
        """Give the arms: what stands behind FROM, and behind WHERE."""
        raise NotImplementedError

    def compile(self) -> Plan:
        """Write the statements."""
        query, arms = self.query, self.arms()
        keys = order_terms(self.source, query.order, self.predicates)
        return Plan(
            page=self._page(arms, keys) if query.limit > 0 else None,
            count=_counted(arms) if query.count else None,
            ids=" UNION ALL ".join(
                f"SELECT e.id FROM {table} WHERE {where}" for table, where in arms
            ),
            descending=tuple(direction == " DESC" for _, direction in keys),
            values=self.parameters.values,
            answers=self.reach.answers,
            unindexed=self.unindexed,
        )

    def run(self) -> Selected:
        """Run the statements."""
        plan = self.compile()
        page = Page([])
        if plan.count is not None:
            page.total = int(self.execute(plan.count).get)
        if plan.page is not None:
            entities = self.rows(plan.page)
            page.more = len(entities) > self.query.limit
            page.entities = entities[: self.query.limit]
        return Selected(page, self.unindexed)

    def execute(self, statement: str) -> apsw.Cursor:
        """Run a statement with the parameters that it names."""
        return self.reach.connection.execute(statement, self.parameters.values)

    def _page(self, arms: list[tuple[str, str]], keys: list[Term]) -> str:
        """Write the statement that gives (eid, id) and the order's terms, one more than asked."""
        columns = "".join(f", {expression} AS k{n}" for n, (expression, _) in enumerate(keys))
        order = "".join(f"k{n}{direction}, " for n, (_, direction) in enumerate(keys))
        limit = self.parameters.add(self.query.limit + 1)
        offset = self.parameters.add(self.query.offset)
        selects = " UNION ALL ".join(
            f"SELECT e.eid AS eid, e.id AS id{columns} FROM {table} WHERE {where}"
            for table, where in arms
        )
        return f"{selects} ORDER BY {order}id LIMIT {limit} OFFSET {offset}"


class CurrentSelect(_Select):
    """Answers of current state."""

    def __init__(self, reach: Reach, query: Query) -> None:
        super().__init__(reach, query, Current(reach))

    def geo(self) -> str:
        """Compile the geographic condition."""
        assert self.query.geo is not None  # noqa: S101 - the caller has looked
        return geography.current_predicate(self.reach, "e", self.query.geo)

    def rows(self, ids: str) -> list[Entity]:
        """Load the entities of the page that the statement `ids` gives."""
        # The order of the inner statement is kept: the outer loop runs over it.
        statement = f"SELECT {_COLUMNS} FROM ({ids}) p CROSS JOIN entity e ON e.eid = p.eid"
        return [entity_of(row) for row in self.execute(statement)]

    def load(self, eids: list[int]) -> dict[int, Entity]:
        """Load entities by their short names."""
        return load_current(self.reach.connection, eids)

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
        return self.reach.ask("SELECT 1 FROM indexed WHERE attr = :term", term=term) is not None

    def _is_large(self) -> bool:
        large = self.reach.ask("SELECT max(eid) >= :least FROM entity", least=INDEX_FROM_ENTITIES)
        return bool(large)

    def _value_arms(self, driver: Compare | None, type_arm: str) -> list[str]:
        """Give the regular form, and the general one only when the index has what needs it."""
        if driver is None:
            return ["1"]
        step = driver.path.steps[0]
        value = self.source.value(step) if isinstance(step, str) else None
        assert value is not None  # noqa: S101 - an attribute of current state has a value
        arms = [self.predicates.regular(value, driver)]
        marker = self.parameters.add(IRREGULAR)
        irregular = self.reach.ask_of_query(
            f"SELECT 1 FROM entity e WHERE {type_arm} AND {value} = {marker} LIMIT 1"
        )
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


class AsOfSelect(_Select):
    """Answers of the state that held at a time."""

    source: AsOf

    def geo(self) -> str:
        """Compile the geographic condition."""
        assert self.query.geo is not None  # noqa: S101 - the caller has looked
        return geography.as_of_predicate(self.source, self.query.geo)

    def arms(self) -> list[tuple[str, str]]:
        """Give the one arm: no index on values serves the past."""
        return [(self.source.row(), self.common(self.query.condition, selectors=True))]

    def rows(self, ids: str) -> list[Entity]:
        """Load the heads and all instances in force, and put the entities together."""
        wanted = [eid for eid, *_ in self.execute(ids)]
        entities = self.load(wanted)
        return [entities[eid] for eid in wanted]

    def load(self, eids: list[int]) -> dict[int, Entity]:
        """Load entities by their short names."""
        name = self.parameters.add(orjson.dumps(eids).decode())
        heads = self.execute(
            "SELECT e.eid, e.id, e.types, e.scope, e.created, e.modified, e.expires "
            f"FROM {self.source.row()} WHERE e.eid IN (SELECT value FROM json_each({name}))"
        )
        entities = {
            eid: Entity(entity_id, texts(types), {}, texts(scope), created, modified, expires)
            for eid, entity_id, types, scope, created, modified, expires in heads
        }
        self._fill(entities, name)
        return entities

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


def load_current(connection: apsw.Connection, eids: list[int]) -> dict[int, Entity]:
    """Load current state by short names; an object that is gone is left out."""
    if len(eids) < BATCH_MIN:
        return {eid: entity_of(row) for eid in eids for row in connection.execute(_BY_EID, (eid,))}
    rows = connection.execute(_BY_EIDS, (orjson.dumps(eids).decode(),))
    return {eid: entity_of(row) for eid, *row in rows}


def _counted(arms: list[tuple[str, str]]) -> str:
    counts = " UNION ALL ".join(
        f"SELECT count(*) AS c FROM {table} WHERE {where}" for table, where in arms
    )
    return f"SELECT sum(c) FROM ({counts})"


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

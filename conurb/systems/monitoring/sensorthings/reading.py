"""Reads entities of SensorThings: by id, as a set, linked to another, expanded into another.

What the store can answer (a name, an id, a link, a time) becomes a query; only what is left of a
filter is asked of documents, over a bounded number of them. Reads go through `site.node.consume`
and `site.node.temporal`: at a region they reach every member, and a caller sees what they may see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from conurb.access.caller import Caller
from conurb.errors import InvariantError, NotFoundError, TooComplexQueryError
from conurb.model.entity import Entity
from conurb.model.query.tree import (
    Aggregation,
    AttributePath,
    Compare,
    Condition,
    OrderBy,
    Query,
    Selector,
    TemporalQuery,
    TypeIs,
    Uri,
    conjunction,
)
from conurb.systems.contract import Site
from conurb.systems.monitoring.sensorthings.filters import (
    Call,
    Literal,
    Path,
    Tree,
    conjuncts,
    evaluate,
    holds,
    paths_of,
)
from conurb.systems.monitoring.sensorthings.kinds import (
    DATASTREAMS,
    HISTORICAL_LOCATIONS,
    LINKS,
    OBSERVATIONS,
    REVERSED,
    Kind,
    get_kind,
)
from conurb.systems.monitoring.sensorthings.mapping import (
    NUMBER,
    OTHER,
    Row,
    Span,
    feature_of,
    iri,
    linked_ids,
    properties_of,
    split_moment,
)
from conurb.systems.monitoring.sensorthings.options import NONE, Options, Order
from conurb.systems.monitoring.sensorthings.series import Series

SCANNED_MAX: Final = 20_000
"""How many entities a filter is asked of that the store can't answer."""
PAGE: Final = 500
IDS_MAX: Final = 1_000


@dataclass(slots=True)
class Found:
    """A page of a set: its rows, how many there are in all (when asked), whether more follow."""

    rows: list[Row]
    total: int | None = None
    more: bool = False


@dataclass(slots=True)
class Reader:
    """Reads for one caller at one site; `base` is the address of the service."""

    site: Site
    caller: Caller
    base: str
    spans: dict[str, Span] = field(default_factory=dict)

    # ── one ───────────────────────────────────────────────────────────────────────────────────

    async def get(self, kind: Kind, entity_id: str) -> Row:
        """Give an entity; raise NotFoundError when there is none of its id."""
        if kind is OBSERVATIONS:
            return await Series(self.site, self.caller).get(entity_id)
        if kind is HISTORICAL_LOCATIONS:
            thing, at_us = split_moment(entity_id)
            for row in await self._past_locations((thing,)):
                if row.instance is not None and row.instance.at_us == at_us:
                    return row
            raise NotFoundError(f"HistoricalLocations({entity_id!r:.200}) doesn't exist here")
        entities = await self._entities(kind, (entity_id,))
        if not entities:
            raise NotFoundError(f"{kind.plural}({entity_id!r:.200}) doesn't exist here")
        return Row(kind, entities[0])

    async def one_of(self, row: Row, name: str) -> Row:
        """Follow a link to one entity; raise NotFoundError when it leads nowhere."""
        found = await self.linked(row, name, replace(NONE, top=1))
        if not found.rows:
            raise NotFoundError(f"{row.kind.plural}({row.id!r:.200}) has no {name}")
        return found.rows[0]

    # ── sets ──────────────────────────────────────────────────────────────────────────────────

    async def all(self, kind: Kind, options: Options) -> Found:
        """Give a page of a set."""
        if kind is OBSERVATIONS:
            return await self._observations(None, options)
        if kind is HISTORICAL_LOCATIONS:
            return await self._chosen(await self._past_locations(()), options)
        return await self._stored(kind, None, options)

    async def linked(self, row: Row, name: str, options: Options) -> Found:
        """Give a page of the entities that a link leads to."""
        kind = get_kind(row.kind.navigations[name].kind)
        if row.kind is DATASTREAMS and name == "Observations":
            return await self._observations((row.entity,), options)
        if row.kind.plural == "FeaturesOfInterest" and name == "Observations":
            streams = await self._pages(
                DATASTREAMS, _links(iri("refPointOfInterest"), row.entity.id)
            )
            return await self._observations(streams, options, feature=row.entity.id)
        if kind is HISTORICAL_LOCATIONS:
            things = (row.entity.id,)
            if row.kind.plural == "Locations":
                return await self._chosen(await self._past_at(row.entity.id), options)
            return await self._chosen(await self._past_locations(things), options)
        reverse = REVERSED.get((row.kind.plural, name))
        if reverse is not None:
            return await self._stored(kind, _links(iri(reverse), row.entity.id), options)
        entities = await self._entities(kind, self._targets(row, name))
        return await self._chosen([Row(kind, entity) for entity in entities], options)

    def _targets(self, row: Row, name: str) -> tuple[str, ...]:
        """Give the ids that an entity itself points to."""
        term = LINKS.get((row.kind.plural, name))
        if term is not None:
            return linked_ids(row.entity, term)
        if row.kind is OBSERVATIONS:
            if name == "Datastream":
                return (row.entity.id,)
            feature = feature_of(row)
            return () if feature is None else (feature,)
        if row.kind is HISTORICAL_LOCATIONS and row.instance is not None:
            if name == "Thing":
                return (row.entity.id,)
            value = (row.instance.instance or {}).get("object", ())
            return tuple(value) if isinstance(value, list) else (value,)
        raise InvariantError(f"{row.kind.plural} have no way to {name}")

    async def _stored(self, kind: Kind, condition: Condition | None, options: Options) -> Found:
        """Give a page of a set of objects: by the store alone where it can, else by scanning."""
        pushed, left = _pushed(options.filter)
        order = _pushed_order(options.order)
        both = conjunction(condition, *pushed)
        if not left and order is not None:
            query = replace(
                self._query(kind, both),
                order=order,
                limit=min(options.top, PAGE),
                offset=options.skip,
                count=options.count,
            )
            answer = await self.site.node.consume.query(self.caller, query)
            rows = [Row(kind, entity) for entity in answer.entities]
            return Found(rows, answer.total, answer.more)
        entities = await self._pages(kind, both)
        rest = replace(options, filter=_joined(left))
        return await self._chosen([Row(kind, entity) for entity in entities], rest)

    def _query(self, kind: Kind, condition: Condition | None) -> Query:
        if kind.term is None:
            raise InvariantError(f"{kind.plural} are no objects of their own")
        selector = Selector(types=TypeIs(iri(kind.term)))
        return Query((selector,), condition=condition, limit=PAGE)

    async def _pages(self, kind: Kind, condition: Condition | None) -> list[Entity]:
        """Give all objects that a condition holds for; raise TooComplexQueryError for too many."""
        query = self._query(kind, condition)
        entities: list[Entity] = []
        while True:
            answer = await self.site.node.consume.query(
                self.caller, replace(query, offset=len(entities))
            )
            entities += answer.entities
            if len(entities) > SCANNED_MAX:
                raise TooComplexQueryError(
                    f"$filter or $orderby looks at over {SCANNED_MAX} {kind.plural}; "
                    "narrow it by an id, a name or a link"
                )
            if not answer.more or not answer.entities:
                return entities

    async def _entities(self, kind: Kind, ids: Sequence[str]) -> list[Entity]:
        if not ids or kind.term is None:
            return []
        selector = Selector(ids=tuple(ids[:IDS_MAX]), types=TypeIs(iri(kind.term)))
        query = Query((selector,), limit=len(ids[:IDS_MAX]))
        answer = await self.site.node.consume.query(self.caller, query)
        return answer.entities

    # ── history ───────────────────────────────────────────────────────────────────────────────

    async def _observations(
        self, streams: Sequence[Entity] | None, options: Options, *, feature: str | None = None
    ) -> Found:
        if streams is None:
            streams = await self._pages(DATASTREAMS, None)
        series = Series(self.site, self.caller)
        found = await series.page(streams, options, self._tester(options.filter), feature=feature)
        return Found(found.rows, found.total, found.more)

    def _tester(self, tree: Tree | None) -> Any:
        """Give what decides the part of a filter that the history itself can't answer."""

        async def test(left: Tree, row: Row) -> bool:
            return holds(left, await self._asked_document(row, [left]))

        return None if tree is None else test

    async def _past_locations(self, things: Sequence[str]) -> list[Row]:
        """Give where things have been, latest first."""
        selector = (
            Selector(ids=tuple(things), types=TypeIs(iri("Device")))
            if things
            else Selector(types=TypeIs(iri("Device")))
        )
        attribute = iri("refPointOfInterest")
        query = TemporalQuery(
            Query((selector,), attributes=(attribute,), limit=PAGE),
            attributes=(attribute,),
            instance_limit=SCANNED_MAX,
        )
        page = await self.site.node.temporal.query(self.caller, query)
        rows = []
        for evolution in page.evolutions:
            entity = Entity(evolution.id, evolution.types)
            for instance in evolution.instances.get(attribute, ()):
                if instance.instance is not None:
                    rows.append(Row(HISTORICAL_LOCATIONS, entity, instance))
        return sorted(rows, key=lambda row: (-_at(row), row.id))

    async def _past_at(self, location: str) -> list[Row]:
        rows = await self._past_locations(())
        return [row for row in rows if location in self._targets(row, "Locations")]

    async def load_spans(self, rows: Sequence[Row]) -> None:
        """Look up from when to when datastreams have observations, all in one query."""
        ids = [row.entity.id for row in rows if row.entity.id not in self.spans]
        if not ids:
            return
        attributes = (iri(NUMBER), iri(OTHER))
        query = TemporalQuery(
            Query((Selector(ids=tuple(ids)),), limit=len(ids)),
            attributes=attributes,
            aggregation=Aggregation(("totalCount",)),
        )
        page = await self.site.node.temporal.query(self.caller, query)
        for evolution in page.evolutions:
            for methods in evolution.aggregates.values():
                for count, begin_us, end_us in methods.get("totalCount", ()):
                    span = Span(begin_us, end_us, int(count))
                    self.spans[evolution.id] = _wider(self.spans.get(evolution.id), span)

    # ── choosing in memory ────────────────────────────────────────────────────────────────────

    async def _chosen(self, rows: list[Row], options: Options) -> Found:
        """Filter, order and cut rows that are in memory."""
        parts = list(conjuncts(options.filter))
        if parts:
            documents = [await self._asked_document(row, parts) for row in rows]
            rows = [
                row
                for row, document in zip(rows, documents, strict=True)
                if all(holds(part, document) for part in parts)
            ]
        for order in reversed(options.order):
            keys = [await self._key(row, order) for row in rows]
            paired = sorted(
                zip(keys, range(len(rows)), strict=True),
                key=lambda one: one[0],
                reverse=order.descending,
            )
            rows = [rows[index] for _, index in paired]
        end = options.skip + options.top
        total = len(rows) if options.count else None
        return Found(rows[options.skip : end], total, len(rows) > end)

    async def _key(self, row: Row, order: Order) -> tuple[int, Any]:
        values = evaluate(order.path, await self._asked_document(row, [order.path]))
        value = values[0] if values else None
        if value is None:
            return (0, "")
        return (1, value) if isinstance(value, int | float) else (2, str(value))

    async def _asked_document(self, row: Row, trees: Sequence[Tree]) -> dict[str, Any]:
        """Write as much of an entity as some paths speak of, linked entities included."""
        if row.kind is DATASTREAMS:
            await self.load_spans([row])
        document = {"@iot.id": row.id, **properties_of(row, self.spans.get(row.entity.id))}
        wanted: dict[str, list[Tree]] = {}
        for tree in trees:
            for path in paths_of(tree):
                if path.names[0] in row.kind.navigations and len(path.names) > 1:
                    wanted.setdefault(path.names[0], []).append(Path(path.names[1:]))
        for name, inner in wanted.items():
            found = await self.linked(row, name, replace(NONE, top=PAGE))
            inside = [await self._asked_document(one, inner) for one in found.rows]
            many = row.kind.navigations[name].many
            document[name] = inside if many else (inside[0] if inside else None)
        return document


def _links(attribute: str, entity_id: str) -> Condition:
    return Compare(AttributePath((attribute,)), "==", Uri(entity_id))


def _pushed(tree: Tree | None) -> tuple[list[Condition], list[Tree]]:
    """Part a filter into what the store answers and what is left."""
    pushed: list[Condition] = []
    left: list[Tree] = []
    for part in conjuncts(tree):
        condition = _condition(part)
        if condition is None:
            left.append(part)
        else:
            pushed.append(condition)
    return pushed, left


def _condition(part: Tree) -> Condition | None:
    if not isinstance(part, Call) or part.name != "eq":
        return None
    left, right = part.operands
    if isinstance(left, Literal):
        left, right = right, left
    if not isinstance(left, Path) or not isinstance(right, Literal):
        return None
    if not isinstance(right.value, str):
        return None
    if left.names in (("id",), ("@iot.id",)):
        return Compare(AttributePath(("id",)), "==", Uri(right.value))
    link = LINKS.get(("Datastreams", left.names[0]))
    if link is not None and len(left.names) == 2 and left.names[1] in ("id", "@iot.id"):
        return _links(iri(link), right.value)
    return None


def _pushed_order(order: Sequence[Order]) -> tuple[OrderBy, ...] | None:
    """Give the order as the store knows it; None when it doesn't."""
    known: list[OrderBy] = []
    for one in order:
        if one.path.names in (("id",), ("@iot.id",)):
            known.append(OrderBy(AttributePath(("id",)), one.descending))
        elif one.path.names == ("name",):
            known.append(OrderBy(AttributePath((iri("name"),)), one.descending))
        else:
            return None
    return tuple(known)


def _joined(parts: Sequence[Tree]) -> Tree | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else Call("and", tuple(parts))


def _at(row: Row) -> int:
    return 0 if row.instance is None else row.instance.at_us


def _wider(one: Span | None, other: Span) -> Span:
    if one is None:
        return other
    return Span(
        min(one.begin_us, other.begin_us),
        max(one.end_us, other.end_us),
        one.count + other.count,
    )

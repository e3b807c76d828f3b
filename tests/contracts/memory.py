"""A store in memory, plain enough to be believed: what every engine is compared with.

State is a dict, history a list of rows per object, queries are `matches` on every entity. It takes
the operations one by one, so that an engine's groups are compared with no groups at all.
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from conurb.errors import ConurbError
from conurb.model.changes import Change, HistoryInstance, Operation
from conurb.model.entity import Attributes, Entity, Instance, instance_value
from conurb.model.evolution import HEAD, Evolution
from conurb.model.query.match import admits, has_scope, holds, matches, selects, stands_in_relation
from conurb.model.query.ranking import order_key
from conurb.model.query.tree import Query, Restriction, TemporalQuery
from conurb.model.time import BEGINNING, Clock, Stamps, fixed_us
from conurb.store.contract import (
    AttributeInfo,
    EvolutionPage,
    Outcome,
    Page,
    Record,
    TypeInfo,
)
from conurb.store.ledger import Ledger
from conurb.store.rows import Held, Row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class MemoryStore:
    """The same contract, without files, threads or SQL."""

    clock: Clock
    held: dict[str, Held] = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stamps = Stamps(self.clock)

    # ── writing ───────────────────────────────────────────────────────────────────────────────

    def apply(self, operations: Sequence[Operation]) -> list[Outcome]:
        return [self._apply_one(operation) for operation in operations]

    def apply_all(self, operations: Sequence[Operation]) -> list[Change]:
        saved = (
            dict(self.held),
            {key: [replace(row) for row in rows] for key, rows in self.rows.items()},
            list(self.records),
        )
        outcomes = []
        for operation in operations:
            outcome = self._apply_one(operation)
            if isinstance(outcome, ConurbError):
                self.held, self.rows, self.records = saved
                raise outcome
            outcomes.append(outcome)
        return outcomes

    def _apply_one(self, operation: Operation) -> Outcome:
        entity_id = operation.entity_id
        ledger = Ledger(self.stamps)
        if entity_id in self.held:
            ledger.held[entity_id] = self.held[entity_id]
        outcome = ledger.decide(operation, self._live(entity_id, operation.history_of))
        needs = ledger.needs()
        live = [row for row in self.rows.get(entity_id, ()) if row.superseded_us is None]
        rows = ledger.take_rows(
            {row.key for row in live},
            {
                (entity_id, row.at_us): row.instance
                for row in live
                if row.attribute == HEAD and (entity_id, row.at_us) in needs.heads and row.instance
            },
        )
        for erased in rows.erased:
            self.rows.pop(erased, None)
            self.held.pop(erased, None)
        for key, held in rows.state.items():
            if held is not None:
                self.held[key] = held
        mine = self.rows.setdefault(entity_id, [])
        for key, at, when in rows.superseded_at:
            _supersede(mine, when, lambda row, k=key, a=at: row.key == k and row.at_us == a)
        for key, at, when in rows.superseded_after:
            _supersede(mine, when, lambda row, k=key, a=at: row.key == k and row.at_us > a)
        for _, attribute, number, when in rows.superseded_number:
            _supersede(
                mine,
                when,
                lambda row, a=attribute, n=number: row.attribute == a and row.number == n,
            )
        mine.extend(rows.history)
        for row in rows.journal:
            self.records.append(
                Record(
                    len(self.records) + 1,
                    row.at_us,
                    row.kind,
                    row.id,
                    row.types,
                    row.touched,
                    row.before,
                    row.after,
                    row.scope,
                    row.created_us,
                    row.modified_us,
                )
            )
        return outcome

    def _live(self, entity_id: str, attributes: Sequence[str]) -> list[HistoryInstance]:
        found = [
            row
            for row in self.rows.get(entity_id, ())
            if row.superseded_us is None
            and (row.attribute in attributes or ("*" in attributes and row.attribute != HEAD))
        ]
        return [_history_instance(row) for row in sorted(found, key=_in_order)]

    # ── state ─────────────────────────────────────────────────────────────────────────────────

    def current(self) -> dict[str, Entity]:
        now = self.clock()
        return {
            key: held.entity
            for key, held in self.held.items()
            if held.entity is not None
            and (held.entity.expires_at is None or held.entity.expires_at > now)
        }

    def find(self, entity_id: str, restriction: Restriction = Restriction()) -> Entity | None:
        entity = self.current().get(entity_id)
        return entity if entity is not None and admits(restriction, entity) else None

    def state_at(self, at_us: int, known_us: int | None) -> dict[str, Entity]:
        found = {key: self._entity_at(key, at_us, known_us) for key in self.rows}
        return {
            key: entity
            for key, entity in found.items()
            if entity is not None and (entity.expires_at is None or entity.expires_at > at_us)
        }

    def _entity_at(self, entity_id: str, at_us: int, known_us: int | None) -> Entity | None:
        rows = self.rows[entity_id]
        known = [row for row in rows if _is_known(row, known_us) and row.at_us <= at_us]
        latest: dict[tuple[str, str | None], Row] = {}
        for row in known:
            held = latest.get((row.attribute, row.dataset))
            if held is None or row.at_us > held.at_us:
                latest[row.attribute, row.dataset] = row
        head = latest.pop((HEAD, None), None)
        if head is None or head.instance is None:
            return None
        attrs: Attributes = {}
        for (attribute, _), row in latest.items():
            if row.instance is not None:
                attrs.setdefault(attribute, []).append(row.instance)
        for instances in attrs.values():
            instances.sort(key=lambda one: one.get("datasetId", ""))
        return Entity(
            entity_id,
            tuple(head.instance["types"]),
            attrs,
            tuple(head.instance["scope"]),
            min(row.recorded_us for row in rows if row.attribute == HEAD),
            max(row.recorded_us for row in known),
            head.instance.get("expires"),
        )

    def query(
        self, query: Query, *, at_us: int | None = None, known_at_us: int | None = None
    ) -> Page:
        if at_us is None and known_at_us is None:
            entities = self.current()
        else:
            entities = self.state_at(self.clock() if at_us is None else at_us, known_at_us)

        def linked(entity_id: str) -> Entity | None:
            entity = entities.get(entity_id)
            return entity if entity is not None and admits(query.restriction, entity) else None

        found = [e for e in entities.values() if matches(e, query, linked=linked)]
        found.sort(key=lambda entity: order_key(entity, query.order))
        end = query.offset + query.limit
        return Page(
            found[query.offset : end],
            len(found) if query.count else None,
            query.limit > 0 and len(found) > end,
        )

    def list_types(self, restriction: Restriction = Restriction()) -> list[TypeInfo]:
        entities = [e for e in self.current().values() if admits(restriction, e)]
        infos = []
        for iri in sorted({iri for e in entities for iri in e.types}):
            kinds: dict[str, set[str]] = {}
            mine = [e for e in entities if iri in e.types]
            for entity in mine:
                for attribute, instance in entity.iter_instances():
                    kinds.setdefault(attribute, set()).add(instance["type"])
            named = {name: tuple(sorted(kinds[name])) for name in sorted(kinds)}
            infos.append(TypeInfo(iri, len(mine), named))
        return infos

    def list_attributes(self, restriction: Restriction = Restriction()) -> list[AttributeInfo]:
        entities = [e for e in self.current().values() if admits(restriction, e)]
        infos = []
        for iri in sorted({iri for e in entities for iri in e.attrs}):
            mine = [e for e in entities if iri in e.attrs]
            instances = [i for e in mine for i in e.attrs[iri]]
            kinds = tuple(sorted({i["type"] for i in instances}))
            types = tuple(sorted({name for e in mine for name in e.types}))
            infos.append(AttributeInfo(iri, len(instances), kinds, types))
        return infos

    # ── history ───────────────────────────────────────────────────────────────────────────────

    def history(self, entity_id: str, attributes: Sequence[str]) -> list[HistoryInstance]:
        rows = [row for row in self.rows.get(entity_id, ()) if row.attribute in attributes]
        return [_history_instance(row) for row in sorted(rows, key=_in_order)]

    def evolution(self, temporal: TemporalQuery) -> EvolutionPage:
        query = temporal.query
        answers = []
        for entity_id in sorted(self.held):
            one = _Timeline(self, entity_id, temporal)
            if one.answers():
                answers.append(one)
        if query.order and query.order[0].descending:
            answers.reverse()
        end = query.offset + query.limit
        page = EvolutionPage(
            [],
            len(answers) if query.count else None,
            query.limit > 0 and len(answers) > end,
        )
        for one in answers[query.offset : end]:
            page.evolutions.append(one.evolution())
        if temporal.aggregation is None:
            _cut(page, temporal, {one.id: one for one in answers})
        return page


class _Timeline:
    """One object's live rows, as a temporal query sees them (match, points 11 and 12)."""

    def __init__(self, store: MemoryStore, entity_id: str, temporal: TemporalQuery) -> None:
        self.store = store
        self.id = entity_id
        self.temporal = temporal
        self.query = temporal.query
        live = [row for row in store.rows[entity_id] if row.superseded_us is None]
        self.heads = sorted((r for r in live if r.attribute == HEAD), key=lambda r: r.at_us)
        self.rows = [r for r in live if r.attribute != HEAD and self._in_window(r)]

    def time(self, row: Row) -> int | None:
        kind = self.temporal.window.timeproperty
        if kind == "deletedAt":
            return row.recorded_us if row.instance is None else None
        if kind != "observedAt":
            text = (row.instance or {}).get(kind)
            return None if text is None else fixed_us(text)
        if self.temporal.window.relation is None:
            return row.at_us
        stated = (
            row.at_us != row.recorded_us if row.instance is None else "observedAt" in row.instance
        )
        return row.at_us if stated else None

    def _in_window(self, row: Row) -> bool:
        time, window = self.time(row), self.temporal.window
        if time is None:
            return False
        if window.timeproperty == "observedAt" and self.query.scope is not None:
            valid = [head for head in self.heads if head.at_us <= row.at_us]
            if not valid or not self._scope_fits(valid[-1]):
                return False
        low, high = self._bounds()
        return (low is None or time >= low) and (high is None or time < high)

    def _bounds(self) -> tuple[int | None, int | None]:
        window = self.temporal.window
        low = window.at_us if window.relation in ("after", "between") else None
        high = {"before": window.at_us, "between": window.end_us}.get(window.relation or "")
        return low, high

    def _scope_fits(self, head: Row) -> bool:
        scope = tuple(head.instance["scope"]) if head.instance else ()
        assert self.query.scope is not None
        return has_scope(self.query.scope, scope)

    def entity(self) -> Entity:
        held = self.store.held[self.id].entity
        if held is not None:
            return held
        last = [head for head in self.heads if head.instance is not None][-1]
        assert last.instance is not None
        every = [row for row in self.store.rows[self.id] if row.attribute == HEAD]
        return Entity(
            self.id,
            tuple(last.instance["types"]),
            {},
            tuple(last.instance["scope"]),
            min(row.recorded_us for row in every),
            max(row.recorded_us for row in every),
        )

    def answers(self) -> bool:
        query, entity = self.query, self.entity()
        if query.selectors and not any(selects(s, entity) for s in query.selectors):
            return False
        if not admits(query.restriction, entity):
            return False
        by_last_head = query.scope is not None and self.temporal.window.timeproperty != "observedAt"
        if by_last_head and not self._scope_fits(self.heads[-1]):
            return False
        if not any(self._is_asked(row) for row in self.rows):
            return False
        attrs: Attributes = {}
        for row in self.rows:
            if row.instance is not None:
                attrs.setdefault(row.attribute, []).append(row.instance)
        seen = entity.with_attrs(attrs)
        if query.condition is not None and not holds(query.condition, seen, self._linked):
            return False
        return query.geo is None or stands_in_relation(query.geo, seen)

    def _linked(self, entity_id: str) -> Entity | None:
        return self.store.find(entity_id, self.query.restriction)

    def _is_asked(self, row: Row) -> bool:
        in_attributes = not self.query.attributes or row.attribute in self.query.attributes
        return in_attributes and self._is_in_datasets(row)

    def _is_in_datasets(self, row: Row) -> bool:
        return not self.query.datasets or (row.dataset or "@none") in self.query.datasets

    def given(self) -> list[Row]:
        wanted = self.temporal.attributes
        rows = [
            row
            for row in self.rows
            if (not wanted or row.attribute in wanted) and self._is_in_datasets(row)
        ]
        return sorted(rows, key=lambda row: (self.time(row), row.number))

    def evolution(self) -> Evolution:
        entity = self.entity()
        last = self.heads[-1]
        evolution = Evolution(
            self.id,
            entity.types,
            entity.scope,
            entity.created_at,
            entity.modified_at,
            last.at_us if last.instance is None else None,
        )
        if self.temporal.aggregation is not None:
            _aggregate(self, evolution)
            return evolution
        heads = self._heads_given()
        if heads:
            evolution.instances[HEAD] = [_history_instance(head) for head in heads]
        by_attribute: dict[str, list[Row]] = {}
        for row in self.given():
            by_attribute.setdefault(row.attribute, []).append(row)
        for attribute, rows in by_attribute.items():
            last_n = self.temporal.last_n
            chosen = rows if last_n is None else rows[::-1][:last_n]
            evolution.instances[attribute] = [_history_instance(row) for row in chosen]
        return evolution

    def _heads_given(self) -> list[Row]:
        if self.temporal.window.timeproperty != "observedAt":
            return self.heads
        low, high = self._bounds()
        ends = [head.at_us for head in self.heads[1:]] + [None]
        return [
            head
            for head, end in zip(self.heads, ends, strict=True)
            if (high is None or head.at_us < high) and (low is None or end is None or end > low)
        ]

    def instance_time(self, instance: HistoryInstance) -> int:
        row = next(
            r for r in self.rows if (r.attribute, r.number) == (instance.attribute, instance.number)
        )
        time = self.time(row)
        assert time is not None
        return time


def _cut(page: EvolutionPage, temporal: TemporalQuery, lines: dict[str, _Timeline]) -> None:
    times = [
        lines[evolution.id].instance_time(instance)
        for evolution in page.evolutions
        for attribute, instances in evolution.instances.items()
        if attribute != HEAD
        for instance in instances
    ]
    if len(times) <= temporal.instance_limit:
        return
    latest_first = temporal.last_n is not None
    last: int | None = None
    for time in sorted(set(times), reverse=latest_first):
        upto = sum(1 for t in times if (t >= time if latest_first else t <= time))
        if last is not None and upto > temporal.instance_limit:
            break
        last = time
    assert last is not None
    page.truncated_at_us = last
    for evolution in page.evolutions:
        line = lines[evolution.id]
        for attribute, instances in evolution.instances.items():
            if attribute != HEAD:
                evolution.instances[attribute] = [
                    one
                    for one in instances
                    if (line.instance_time(one) >= last) == latest_first
                    or line.instance_time(one) == last
                ]


# ── aggregation ───────────────────────────────────────────────────────────────────────────────


def _aggregate(line: _Timeline, evolution: Evolution) -> None:
    temporal = line.temporal
    aggregation = temporal.aggregation
    assert aggregation is not None
    rows = [(row, line.time(row)) for row in line.given() if row.instance is not None]
    rows = [(row, time) for row, time in rows if time != BEGINNING]
    low, high = line._bounds()
    for attribute in dict.fromkeys(row.attribute for row, _ in rows):
        mine = [(row, time) for row, time in rows if row.attribute == attribute]
        times = [time for _, time in mine if time is not None]
        start = min(times) if low is None else low
        latest = mine[-1][0].instance
        if latest is not None and latest["type"] != "Property":
            evolution.kinds[attribute] = latest["type"]
        for dataset in dict.fromkeys(row.dataset for row, _ in mine):
            periods: dict[tuple[int, int], list[Instance]] = {}
            for row, time in mine:
                if row.dataset != dataset or row.instance is None or time is None:
                    continue
                if aggregation.period_months or aggregation.period_us:
                    span = _period(start, time, aggregation.period_months, aggregation.period_us)
                else:
                    span = (start, max(times) if high is None else high)
                periods.setdefault(span, []).append(row.instance)
            evolution.aggregates[attribute, dataset] = {
                method: [
                    (value, *span)
                    for span in sorted(periods)
                    if (value := _value(method, periods[span])) is not None
                ]
                for method in dict.fromkeys(aggregation.methods)
            }


def _period(start: int, time: int, months: int, us: int) -> tuple[int, int]:
    number = 0
    while True:
        low = _later(start, number * months) + number * us
        high = _later(start, (number + 1) * months) + (number + 1) * us
        if low <= time < high:
            return low, high
        number = number + 1 if months else (time - start) // us


def _later(us: int, months: int) -> int:
    moment = EPOCH + timedelta(microseconds=us)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    moment = moment.replace(year=year, month=month + 1, day=day)
    return (moment - EPOCH) // timedelta(microseconds=1)


def _value(method: str, instances: Sequence[Instance]) -> Any:
    values = [instance_value(instance) for instance in instances]
    compared = [
        instance_value(instance)
        for instance in instances
        if instance["type"] not in ("Relationship", "ListRelationship")
    ]
    if method == "totalCount":
        return len(values)
    if method == "distinctCount":
        return len({orjson.dumps(v, option=orjson.OPT_SORT_KEYS) for v in values})
    numbers = [number for number in map(_number, compared) if number is not None]
    if not numbers:
        texts = [text for text in map(_text, compared) if text is not None]
        choose = {"min": min, "max": max}.get(method)
        return choose(texts) if choose is not None and texts else None
    mean = math.fsum(numbers) / len(numbers)
    return {
        "sum": lambda: math.fsum(numbers),
        "avg": lambda: mean,
        "min": lambda: min(numbers),
        "max": lambda: max(numbers),
        "stddev": lambda: math.sqrt(math.fsum((n - mean) ** 2 for n in numbers) / len(numbers)),
        "sumsq": lambda: math.fsum(n * n for n in numbers),
    }[method]()


def _number(value: Any) -> float | None:
    if isinstance(value, list):
        return len(value)
    return value if isinstance(value, int | float) else None


def _text(value: Any) -> str | None:
    if isinstance(value, dict):
        value = value.get("@value")
    return value if isinstance(value, str) else None


# ── rows ──────────────────────────────────────────────────────────────────────────────────────


def _supersede(rows: list[Row], when: int, chosen: Any) -> None:
    for row in rows:
        if row.superseded_us is None and chosen(row):
            row.superseded_us = when


def _is_known(row: Row, known_us: int | None) -> bool:
    if known_us is None:
        return row.superseded_us is None
    ended = row.superseded_us is not None and row.superseded_us <= known_us
    return row.recorded_us <= known_us and not ended


def _in_order(row: Row) -> tuple[str, str, int, int]:
    return row.attribute, row.dataset or "", row.at_us, row.recorded_us


def _history_instance(row: Row) -> HistoryInstance:
    return HistoryInstance(
        row.attribute,
        row.dataset,
        row.at_us,
        row.recorded_us,
        row.superseded_us,
        row.number,
        row.instance,
        row.kind,
    )

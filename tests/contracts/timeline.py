"""One object's history as a temporal query sees it: the plain model (match, points 11 and 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conurb.model.changes import HistoryInstance
from conurb.model.entity import Attributes, Entity
from conurb.model.evolution import HEAD, Evolution
from conurb.model.query.match import admits, has_scope, holds, selects, stands_in_relation
from conurb.model.query.tree import TemporalQuery
from conurb.model.time import BEGINNING, fixed_us
from conurb.store.contract import EvolutionPage
from conurb.store.rows import Row
from tests.contracts.aggregates import aggregate

if TYPE_CHECKING:
    from tests.contracts.memory import MemoryStore


class Timeline:
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
        low, high = self.bounds()
        return (low is None or time >= low) and (high is None or time < high)

    def bounds(self) -> tuple[int | None, int | None]:
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
            self._aggregate(evolution)
            return evolution
        heads = self._heads_given()
        if heads:
            evolution.instances[HEAD] = [history_instance(head) for head in heads]
        by_attribute: dict[str, list[Row]] = {}
        for row in self.given():
            by_attribute.setdefault(row.attribute, []).append(row)
        for attribute, rows in by_attribute.items():
            last_n = self.temporal.last_n
            chosen = rows if last_n is None else rows[::-1][:last_n]
            evolution.instances[attribute] = [history_instance(row) for row in chosen]
        return evolution

    def _aggregate(self, evolution: Evolution) -> None:
        rows = [(self.time(row), row) for row in self.given() if row.instance is not None]
        low, high = self.bounds()
        assert self.temporal.aggregation is not None
        for attribute in dict.fromkeys(row.attribute for _, row in rows):
            mine = [
                (time, row.dataset, row.instance)
                for time, row in rows
                if row.attribute == attribute and time not in (None, BEGINNING)
            ]
            if not mine:
                continue
            if mine[-1][2]["type"] != "Property":
                evolution.kinds[attribute] = mine[-1][2]["type"]
            for dataset, found in aggregate(mine, self.temporal.aggregation, low, high).items():
                evolution.aggregates[attribute, dataset] = found

    def _heads_given(self) -> list[Row]:
        if self.temporal.window.timeproperty != "observedAt":
            return self.heads
        low, high = self.bounds()
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


def cut(page: EvolutionPage, temporal: TemporalQuery, lines: dict[str, Timeline]) -> None:
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


def history_instance(row: Row) -> HistoryInstance:
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

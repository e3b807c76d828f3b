"""A store in memory, plain enough to be believed: what every engine is compared with.

State is a dict, history a list of rows per object, queries are `matches` on every entity. It takes
the operations one by one, so that an engine's groups are compared with no groups at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from conurb.errors import ConurbError
from conurb.model.changes import Change, HistoryInstance, Operation
from conurb.model.entity import Attributes, Entity
from conurb.model.evolution import HEAD
from conurb.model.query.match import admits, matches
from conurb.model.query.ranking import order_key
from conurb.model.query.tree import Query, Restriction, TemporalQuery
from conurb.model.time import Clock, Stamps
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
from tests.contracts.timeline import Timeline, cut, history_instance

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
        return [history_instance(row) for row in sorted(found, key=_in_order)]

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
        return [history_instance(row) for row in sorted(rows, key=_in_order)]

    def evolution(self, temporal: TemporalQuery) -> EvolutionPage:
        query = temporal.query
        answers = []
        for entity_id in sorted(self.held):
            one = Timeline(self, entity_id, temporal)
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
            cut(page, temporal, {one.id: one for one in answers})
        return page


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

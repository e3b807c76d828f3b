"""The same random operations and queries on an engine and on the memory model: same answers.

Numbers of an aggregation may differ by rounding (the engines add in another order): they are
compared within 1e-9 of their size, a variance of huge numbers within what cancels.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from conurb.errors import ConurbError
from conurb.model.changes import Change
from conurb.model.operations.temporal import DeleteInstance, UpdateInstance
from conurb.model.query.tree import Restriction
from conurb.store.contract import EvolutionPage, Store
from conurb.store.engines import open_store
from tests.contracts import generate
from tests.contracts.conftest import START_US, ManualClock
from tests.contracts.memory import MemoryStore
from tests.services.postgres import PostgresServer

STEPS = 14


class StoreMachine(RuleBasedStateMachine):
    """Drives an engine and the memory model side by side."""

    new_url: Callable[[], str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.memory = MemoryStore(self.clock)
        self.store: Store = open_store(type(self).new_url(), clock=self.clock)
        self.run(self.store.open())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        try:
            problems = self.run(self.store.check())
            assert problems == [], problems
            self.run(self._compare_all())
        finally:
            self.run(self.store.close())
            self.loop.close()

    @rule(operations=st.lists(generate.operations, min_size=1, max_size=6))
    def write(self, operations: list[Any]) -> None:
        self.clock.advance()
        expected = self.memory.apply(operations)
        assert _shapes(self.run(self.store.apply(operations))) == _shapes(expected)

    @rule(operations=st.lists(generate.operations, min_size=1, max_size=3))
    def write_all_or_nothing(self, operations: list[Any]) -> None:
        self.clock.advance()
        try:
            expected: Any = _shapes(self.memory.apply_all(operations))
        except ConurbError as error:
            expected = type(error)
        try:
            found: Any = _shapes(self.run(self.store.apply_all(operations)))
        except ConurbError as error:
            found = type(error)
        assert found == expected

    @rule(data=st.data(), delete=st.booleans())
    def write_to_one_instance(self, data: st.DataObject, delete: bool) -> None:
        rows = [
            row
            for rows in self.memory.rows.values()
            for row in rows
            if row.attribute in generate.ATTRIBUTES and row.instance and row.superseded_us is None
        ]
        if not rows:
            return
        row = data.draw(st.sampled_from(rows))
        if delete:
            self.write([DeleteInstance(row.id, row.attribute, row.number)])
            return
        instance = data.draw(generate.instances(row.attribute, dataset=row.dataset))
        self.write([UpdateInstance(row.id, row.attribute, row.number, instance)])

    @rule(seconds=st.sampled_from([1.0, 10.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.clock.advance(seconds)
        due = self.run(self.store.list_expired())
        now = self.clock()
        assert due == [
            key
            for _, key in sorted(
                (held.entity.expires_at, key)
                for key, held in self.memory.held.items()
                if held.entity is not None
                and held.entity.expires_at is not None
                and held.entity.expires_at <= now
            )
        ]

    @rule(attribute=generate.names)
    def index(self, attribute: str) -> None:
        self.run(self.store.ensure_index(attribute))

    @rule(query=generate.queries())
    def ask(self, query: Any) -> None:
        assert self.run(self.store.query(query)) == self.memory.query(query)

    @rule(query=generate.queries(), at=generate.times, back=st.none() | st.integers(0, 20))
    def ask_the_past(self, query: Any, at: int, back: int | None) -> None:
        known = None if back is None else START_US + back * 1_000_000
        found = self.run(self.store.query(query, at_us=at, known_at_us=known))
        assert found == self.memory.query(query, at_us=at, known_at_us=known)

    @rule(query=generate.temporal_queries())
    def ask_history(self, query: Any) -> None:
        found = self.run(self.store.evolution(query))
        _compare_pages(found, self.memory.evolution(query))

    @rule(restriction=st.just(Restriction()) | generate.restrictions)
    def discover(self, restriction: Any) -> None:
        assert self.run(self.store.list_types(restriction)) == self.memory.list_types(restriction)
        found = self.run(self.store.list_attributes(restriction))
        assert found == self.memory.list_attributes(restriction)

    async def _compare_all(self) -> None:
        for entity_id in generate.IDS:
            assert await self.store.find(entity_id) == self.memory.find(entity_id)
            for attribute in [*generate.ATTRIBUTES, "@head"]:
                found = await self.store.history(entity_id, [attribute])
                expected = self.memory.history(entity_id, [attribute])
                assert sorted(found, key=_by_time) == sorted(expected, key=_by_time)
        records = await self.store.journal(after=0, limit=10_000)
        assert records == self.memory.records
        assert await self.store.journal_end() == len(records)


def _by_time(one: Any) -> tuple[int, int, str]:
    return one.at_us, one.recorded_us, one.dataset or ""


def _shapes(outcomes: list[Any]) -> list[Any]:
    return [
        (one.kind, one.after, list(one.written), list(one.removed))
        if isinstance(one, Change)
        else type(one)
        for one in outcomes
    ]


def _compare_pages(found: EvolutionPage, expected: EvolutionPage) -> None:
    found_values = [one.aggregates for one in found.evolutions]
    expected_values = [one.aggregates for one in expected.evolutions]
    for one in (*found.evolutions, *expected.evolutions):
        one.aggregates = {}
    assert found == expected
    for left, right in zip(found_values, expected_values, strict=True):
        assert left.keys() == right.keys()
        for key, methods in right.items():
            assert left[key].keys() == methods.keys()
            for method, rows in methods.items():
                assert [row[1:] for row in left[key][method]] == [row[1:] for row in rows], method
                for (a, *_), (b, *_) in zip(left[key][method], rows, strict=True):
                    assert _is_near(a, b), (key, method, a, b)


def _is_near(a: Any, b: Any) -> bool:
    if isinstance(a, str) or isinstance(b, str):
        return bool(a == b)
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or max(abs(a), abs(b)) > 1e280


def run_machine(new_url: Callable[[], str], examples: int, **more: Any) -> None:
    machine = type("Machine", (StoreMachine,), {"new_url": staticmethod(new_url)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            **more,
        ),
    )


@pytest.mark.slow
def test_sqlite_answers_as_the_memory_model_does(tmp_path: Path) -> None:
    run_machine(lambda: tempfile.mktemp(suffix=".db", dir=tmp_path), 150)


@pytest.mark.slow
@pytest.mark.postgres
def test_postgres_answers_as_the_memory_model_does(postgres_server: PostgresServer) -> None:
    numbers = iter(range(1_000_000))
    run_machine(lambda: postgres_server.url(schema=f"machine_{next(numbers)}"), 25)

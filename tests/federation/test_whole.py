"""The answer of a region is that of one node that holds everything merged.

Objects are written to a region's own store, to a node of its process and to two nodes elsewhere,
which are reached over HTTP (without sockets); and, statement by statement in the same order, to one
node that holds everything. Some objects have one home, some are held twice in full, some an older
time at a second node, some in parts; they move. Then both are asked the same.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conurb.access.caller import LOCAL
from conurb.access.outbound import Outbound
from conurb.app import build_contexts, build_host
from conurb.config import Settings
from conurb.errors import NotFoundError
from conurb.federation.completeness import FederatedAnswer
from conurb.federation.history import FederatedEvolutionPage
from conurb.federation.members import OPERATIONS
from conurb.federation.region import reach_of, registrations_of
from conurb.federation.wire import Wire
from conurb.http.app import build_app
from conurb.model.changes import HistoryInstance
from conurb.model.entity import Entity, Instance
from conurb.model.evolution import Evolution
from conurb.model.operations.entity import UpsertEntity
from conurb.model.query.tree import (
    Aggregation,
    AggregationMethod,
    And,
    AttributePath,
    Compare,
    Condition,
    Exists,
    GeoCondition,
    Or,
    OrderBy,
    Query,
    Range,
    Selector,
    TemporalQuery,
    TimeWindow,
    TypeIs,
)
from conurb.model.registration import THIS_PROCESS, Registration
from conurb.model.time import US_PER_S, fixed
from conurb.node.host import Host
from conurb.node.node import Node

EXAMPLES = 60
"""Enough for every kind of object to meet every kind of query; they take some seconds."""
NODES = ("region", "here", "far", "away")
BASE = "https://example.org/"
SAYABLE = "https://uri.etsi.org/ngsi-ld/default-context/"
"""Names that a query of the standard can say without an @context, and `BASE` those that it can't:
then the region reads more, and asks itself."""
SPEED, LINE = SAYABLE + "speed", BASE + "line"
LOCATION = "https://uri.etsi.org/ngsi-ld/location"
DATASETS = (None, "urn:ngsi-ld:Dataset:b")
START_US = 1_780_000_000 * US_PER_S


# ── the worlds ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Statement:
    """What one object says of one attribute, and which nodes hold that."""

    local: int
    attribute: str
    value: Any
    nodes: tuple[str, ...]
    dataset: str | None = None


@dataclass
class Worlds:
    """A region of four nodes, and one node that holds everything."""

    region: Node
    nodes: dict[str, Node]
    whole: Node
    numbers: Iterator[int]

    async def write(self, kind: str, statements: Sequence[Statement]) -> None:
        """Write statements in order, each a second after the one before it."""
        for second, one in enumerate(statements):
            entity = Entity(
                object_id(kind, one.local), (kind,), {one.attribute: [instance_of(one, second)]}
            )
            for node in (*(self.nodes[name] for name in one.nodes), self.whole):
                await node.store.apply_all([UpsertEntity(entity, mode="update")])


def object_id(kind: str, local: int) -> str:
    return f"urn:ngsi-ld:{kind.rsplit('/', 1)[1]}:{local}"


def instance_of(statement: Statement, second: int) -> Instance:
    kind = "GeoProperty" if statement.attribute == LOCATION else "Property"
    instance: Instance = {"type": kind, "value": statement.value}
    if statement.attribute != LINE:  # lines are known by when they were written
        instance["observedAt"] = fixed(START_US + second * US_PER_S)
    if statement.dataset is not None:
        instance["datasetId"] = statement.dataset
    return instance


class Ticking:
    """A clock that is later whenever it is read, so that what is written later is later."""

    def __init__(self) -> None:
        self._us = count(START_US + 10**9)

    def __call__(self) -> int:
        return next(self._us)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.fixture(scope="module")
def worlds(loop: asyncio.AbstractEventLoop) -> Iterator[Worlds]:
    with tempfile.TemporaryDirectory() as folder:
        clock = Ticking()
        hosts = {
            name: build_host(
                Settings(store=str(Path(folder) / name), node_id=name, freshness_s=0), clock=clock
            )
            for name in ("delta", "cities", "everything")
        }
        made = loop.run_until_complete(_opened(hosts))
        yield made
        for host in hosts.values():
            loop.run_until_complete(host.close())


async def _opened(hosts: dict[str, Host]) -> Worlds:
    for host in hosts.values():
        await host.open()
    delta, cities = hosts["delta"], hosts["cities"]
    plain = Settings()
    transport = httpx.ASGITransport(build_app(cities, plain))
    region = await delta.node()
    here = await delta.node("here", create=True)
    reach_of(region).wire = Wire(Outbound(("*",)), build_contexts(plain), transport=transport)
    nodes = {"region": region, "here": here}
    registrations = registrations_of(region)
    for name in ("far", "away"):
        nodes[name] = await cities.node(name, create=True)
    for name in ("here", "far", "away"):
        await registrations.put(
            Registration(
                id=f"urn:x:r:{name}",
                endpoint=THIS_PROCESS if name == "here" else "http://cities",
                alias=name,
                tenant=name,
                operations=OPERATIONS,
            )
        )
    return Worlds(region, nodes, await hosts["everything"].node(), count())


# ── objects ───────────────────────────────────────────────────────────────────────────────────

places = st.tuples(st.integers(118, 122), st.integers(29, 32)).map(
    lambda at: {"type": "Point", "coordinates": list(at)}
)
values = {SPEED: st.integers(0, 6), LINE: st.sampled_from(["1", "2", "x"]), LOCATION: places}
node_names = st.sampled_from(NODES)


@st.composite
def said(draw: st.DrawFn, *, holders: st.SearchStrategy[tuple[str, ...]]) -> Statement:
    attribute = draw(st.sampled_from([SPEED, SPEED, LOCATION, LINE]))
    dataset = draw(st.sampled_from(DATASETS)) if attribute == SPEED else None
    value = draw(values[attribute])
    return Statement(draw(st.integers(0, 7)), attribute, value, draw(holders), dataset)


some_nodes = st.lists(node_names, min_size=1, max_size=3, unique=True).map(tuple)
spread = st.lists(said(holders=some_nodes), min_size=1, max_size=16)
"""Objects whose statements are anywhere: in parts, twice, or old at one node and new at another."""


@st.composite
def at_home(draw: st.DrawFn) -> list[Statement]:
    """Objects that each have one home, or several that hold all of it."""
    homes = draw(st.lists(some_nodes, min_size=8, max_size=8))
    statements = draw(st.lists(said(holders=st.just(())), min_size=1, max_size=16))
    return [replace(one, nodes=homes[one.local]) for one in statements]


# ── questions ─────────────────────────────────────────────────────────────────────────────────

speed = AttributePath((SPEED,))
compared = st.builds(
    Compare,
    st.just(speed),
    st.sampled_from(["==", "!=", ">", ">=", "<", "<="]),
    st.integers(0, 6),
)
conditions: st.SearchStrategy[Condition] = st.one_of(
    compared,
    st.builds(Compare, st.just(speed), st.just("=="), st.just(Range(2, 4))),
    st.builds(Compare, st.just(AttributePath((LINE,))), st.just("=="), st.sampled_from("12x")),
    st.sampled_from([Exists(speed), Exists(AttributePath((LINE,)))]),
    st.tuples(compared, st.just(Exists(AttributePath((LINE,))))).map(And),
    st.tuples(compared, compared).map(Or),
)
geos = st.one_of(
    st.builds(
        GeoCondition,
        st.just(LOCATION),
        st.just("near"),
        st.just("POINT (120 31)"),
        distance_m_max=st.sampled_from([1.0, 150_000.0]),
    ),
    st.just(
        GeoCondition(LOCATION, "within", "POLYGON ((119 30, 121.5 30, 121.5 31, 119 31, 119 30))")
    ),
)
orders = st.sampled_from(
    [
        (),
        (OrderBy(speed),),
        (OrderBy(speed, descending=True),),
        (OrderBy(AttributePath((LINE,)), descending=True), OrderBy(speed)),
        (OrderBy(AttributePath((LOCATION,)), distance_from_wkt="POINT (120 31)"),),
    ]
)


@st.composite
def questions(draw: st.DrawFn) -> Query:
    limit = draw(st.integers(0, 9))
    return Query(
        condition=draw(st.none() | conditions),
        geo=draw(st.none() | geos),
        order=draw(orders),
        limit=limit,
        offset=draw(st.integers(0, 5)),
        count=not limit or draw(st.booleans()),
        attributes=draw(st.sampled_from([(), (), (SPEED,), (LOCATION,), (LINE, LOCATION)])),
    )


def of(kind: str, query: Query, **changes: Any) -> Query:
    return replace(query, selectors=(Selector(types=TypeIs(kind)),), **changes)


def plainly(
    entity: Entity, attributes: Sequence[str] = ()
) -> tuple[str, dict[str, list[Instance]]]:
    """Give what an entity says of some attributes (none: of all), without when it was written."""
    kept = {
        name: [
            {k: v for k, v in one.items() if k not in ("createdAt", "modifiedAt")}
            for one in instances
        ]
        for name, instances in entity.attrs.items()
        if not attributes or name in attributes
    }
    return entity.id, dict(sorted(kept.items()))


bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


async def compare(worlds: Worlds, statements: list[Statement], asked: Query, split: bool) -> None:
    kind = f"{SAYABLE}Kind{next(worlds.numbers)}"
    await worlds.write(kind, statements)
    query = of(kind, asked)
    expected = await worlds.whole.consume.query(LOCAL, query)
    got = await worlds.region.consume.query(LOCAL, replace(query, split=split))
    assert isinstance(got, FederatedAnswer)
    assert got.completeness.whole
    said = got.completeness
    assert len(said.asked) + len(said.skipped) == len(NODES)
    assert [one.id for one in got.entities] == [one.id for one in expected.entities]
    for one, other in zip(got.entities, expected.entities, strict=True):
        assert plainly(one, query.attributes) == plainly(other, query.attributes)
    assert got.total == expected.total
    assert got.more == expected.more or not query.limit
    await compare_each(worlds, kind, statements)


async def compare_each(worlds: Worlds, kind: str, statements: list[Statement]) -> None:
    """Retrieve each object, and one that nobody has."""
    for local in {one.local for one in statements}:
        entity_id = object_id(kind, local)
        [expected] = (await worlds.whole.consume.retrieve(LOCAL, entity_id)).entities
        [got] = (await worlds.region.consume.retrieve(LOCAL, entity_id)).entities
        assert plainly(got) == plainly(expected)
    with pytest.raises(NotFoundError):
        await worlds.region.consume.retrieve(LOCAL, object_id(kind, 99))


@bounded
@given(statements=at_home(), asked=questions())
def test_a_query_of_objects_with_a_home_is_answered_as_by_one_node(
    worlds: Worlds, loop: asyncio.AbstractEventLoop, statements: list[Statement], asked: Query
) -> None:
    loop.run_until_complete(compare(worlds, statements, asked, split=False))


@bounded
@given(statements=spread, asked=questions())
def test_a_query_of_objects_in_parts_is_answered_as_by_one_node(
    worlds: Worlds, loop: asyncio.AbstractEventLoop, statements: list[Statement], asked: Query
) -> None:
    loop.run_until_complete(compare(worlds, statements, asked, split=True))


# ── history ───────────────────────────────────────────────────────────────────────────────────


@st.composite
def histories(draw: st.DrawFn) -> TemporalQuery:
    at_us = START_US + draw(st.integers(-1, 17)) * US_PER_S
    relation = draw(st.sampled_from([None, "after", "before", "between"]))
    window = TimeWindow()
    if relation is not None:
        end_us = at_us + 5 * US_PER_S if relation == "between" else None
        window = TimeWindow("observedAt", relation, at_us, end_us)
    limit, offset = draw(st.integers(1, 9)), draw(st.integers(0, 3))
    attributes = draw(st.sampled_from([(), (SPEED,)]))
    return TemporalQuery(
        Query(limit=limit, offset=offset, count=True, attributes=attributes),
        window,
        attributes=attributes,
        last_n=draw(st.sampled_from([None, 1, 3])),
    )


def told(instances: dict[str, list[HistoryInstance]]) -> dict[str, list[tuple[Any, ...]]]:
    """Give what was observed, as (dataset, time, value)."""
    return {
        name: [
            (one.dataset, one.at_us, one.instance["value"])
            for one in items
            if one.instance is not None
        ]
        for name, items in instances.items()
        if name in (SPEED, LOCATION) and items
    }


@bounded
@given(statements=spread, asked=histories())
def test_a_history_in_parts_is_that_of_one_node(
    worlds: Worlds,
    loop: asyncio.AbstractEventLoop,
    statements: list[Statement],
    asked: TemporalQuery,
) -> None:
    async def compared_histories() -> None:
        observed = [one for one in statements if one.attribute != LINE]
        kind = f"{SAYABLE}Kind{next(worlds.numbers)}"
        await worlds.write(kind, observed)
        query = replace(asked, query=of(kind, asked.query))
        expected = await worlds.whole.temporal.query(LOCAL, query)
        got = await worlds.region.temporal.query(LOCAL, query)
        assert isinstance(got, FederatedEvolutionPage)
        assert got.completeness.whole
        assert len(got.completeness.asked) == len(NODES)
        assert [one.id for one in got.evolutions] == [one.id for one in expected.evolutions]
        for one, other in zip(got.evolutions, expected.evolutions, strict=True):
            assert told(one.instances) == told(other.instances)
        assert (got.total, got.more) == (expected.total, expected.more)

    loop.run_until_complete(compared_histories())


METHODS = get_args(AggregationMethod)
TOLERANCE = 1e-9
"""Sums of a few small numbers differ by their order alone."""


@st.composite
def aggregations(draw: st.DrawFn) -> TemporalQuery:
    """Whole windows: the periods of a window that is open begin with what is first in it."""
    begin_us = START_US + draw(st.integers(-1, 5)) * US_PER_S
    end_us = begin_us + draw(st.integers(1, 15)) * US_PER_S
    methods = draw(st.lists(st.sampled_from(METHODS), min_size=1, max_size=4, unique=True))
    return TemporalQuery(
        Query(limit=9, attributes=(SPEED,)),
        TimeWindow("observedAt", "between", begin_us, end_us),
        attributes=(SPEED,),
        aggregation=Aggregation(tuple(methods), period_us=draw(st.integers(0, 6)) * US_PER_S),
    )


def figures(evolution: Evolution) -> dict[tuple[Any, ...], Any]:
    """Give every aggregate by attribute, dataset, method and period."""
    return {
        (attribute, dataset, method, begin_us): value
        for (attribute, dataset), methods in evolution.aggregates.items()
        for method, rows in methods.items()
        for value, begin_us, _ in rows
        if value is not None
    }


@bounded
@given(statements=spread, asked=aggregations())
def test_aggregates_of_a_history_in_parts_are_those_of_one_node(
    worlds: Worlds,
    loop: asyncio.AbstractEventLoop,
    statements: list[Statement],
    asked: TemporalQuery,
) -> None:
    async def compared_aggregates() -> None:
        kind = f"{SAYABLE}Kind{next(worlds.numbers)}"
        await worlds.write(kind, statements)
        query = replace(asked, query=of(kind, asked.query))
        expected = await worlds.whole.temporal.query(LOCAL, query)
        got = await worlds.region.temporal.query(LOCAL, query)
        assert isinstance(got, FederatedEvolutionPage)
        assert got.completeness.whole
        assert [one.id for one in got.evolutions] == [one.id for one in expected.evolutions]
        for one, other in zip(got.evolutions, expected.evolutions, strict=True):
            assert figures(one) == pytest.approx(figures(other), rel=TOLERANCE, abs=TOLERANCE)

    loop.run_until_complete(compared_aggregates())

"""A pack comes up as nodes: each city in its own, the region answering for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from conurb.access.caller import LOCAL
from conurb.app import build_host
from conurb.config import Settings
from conurb.errors import NotFoundError, UnavailableError
from conurb.federation.completeness import FederatedAnswer, FederatedEvolutionPage
from conurb.model.query.tree import (
    AttributePath,
    Compare,
    GeoCondition,
    Query,
    Selector,
    TemporalQuery,
    TimeWindow,
    TypeIs,
)
from conurb.node.host import Host
from conurb.node.node import Node
from conurb.regions.bringup import load
from conurb.regions.pack import Pack

CITY, POPULATION, CO2, GDP = "urn:x:City", "urn:x:population", "urn:x:co2", "urn:x:gdp"
CITIES = Query(selectors=(Selector(types=TypeIs(CITY)),), limit=100, count=True)
SHANGHAI = "urn:ngsi-ld:City:shanghai:shanghai"


def iri(term: str) -> str:
    return f"urn:x:{term}"


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Host]:
    host = build_host(Settings(store=str(folder / "region.db"), node_id="yrd"))
    await host.open()
    try:
        yield host
    finally:
        await host.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yrd")


@pytest.fixture
async def host(folder: Path, yrd: Pack) -> AsyncIterator[Host]:
    """Give the Delta, loaded by the first test that asks for it."""
    async with opened(folder) as host:
        await load(host, yrd, iri)
        yield host


async def asked(host: Host, query: Query) -> FederatedAnswer:
    region = await host.node(None)
    answer = await region.consume.query(LOCAL, query)
    assert isinstance(answer, FederatedAnswer)
    return answer


async def test_every_city_is_a_node_and_all_of_them_answer(host: Host) -> None:
    assert len(host.list_tenants()) == 41
    answer = await asked(host, CITIES)
    assert answer.total == len(answer.entities) == 41
    assert [one.id for one in answer.entities] == sorted(one.id for one in answer.entities)
    assert len(answer.completeness.asked) == 42
    assert answer.completeness.whole


async def test_a_condition_is_answered_by_the_cities_that_meet_it(host: Host, yrd: Pack) -> None:
    latest = {
        figure.city: figure.value
        for figure in yrd.iter_figures()
        if figure.column.name == "population"
    }
    over = Compare(AttributePath((POPULATION,)), ">", 5_000_000)
    answer = await asked(host, replace(CITIES, condition=over))
    expected = sorted(city for city, value in latest.items() if value > 5_000_000)
    assert [one.id.rsplit(":", 1)[1] for one in answer.entities] == expected
    assert len(expected) > 10


async def test_the_city_at_a_point_is_found_by_its_boundary(host: Host) -> None:
    # Kunshan, a county of Suzhou, 15 km from Shanghai's border.
    point = GeoCondition(iri("location"), "intersects", "POINT (120.98 31.38)")
    answer = await asked(host, replace(CITIES, geo=point))
    assert [one.id for one in answer.entities] == ["urn:ngsi-ld:City:suzhou-jiangsu:suzhou-jiangsu"]


async def test_a_citys_own_node_has_it_and_its_neighbours_node_does_not(host: Host) -> None:
    shanghai, wuxi = await host.node("shanghai"), await host.node("wuxi")
    answer = await shanghai.consume.retrieve(LOCAL, SHANGHAI)
    assert answer.entities[0].attrs[iri("role")][0]["value"] == "centre"
    with pytest.raises(NotFoundError):
        await wuxi.consume.retrieve(LOCAL, SHANGHAI)


async def test_the_region_gives_24_years_of_a_citys_co2(host: Host) -> None:
    region = await host.node(None)
    query = TemporalQuery(Query(), TimeWindow(), attributes=(CO2,))
    evolution, page = await region.temporal.retrieve(LOCAL, "urn:ngsi-ld:City:hefei:hefei", query)
    edgar = [
        item
        for item in evolution.instances[CO2]
        if item.dataset == "urn:ngsi-ld:dataset:edgar-v8:prefecture"
    ]
    assert len(edgar) == 24
    assert [item.at_us for item in edgar] == sorted(item.at_us for item in edgar)
    assert isinstance(page, FederatedEvolutionPage)
    assert page.completeness.whole


async def test_the_region_gives_a_panel_of_all_cities(host: Host) -> None:
    region = await host.node(None)
    whole = await region.temporal.query(
        LOCAL, TemporalQuery(CITIES, TimeWindow(), attributes=(POPULATION,))
    )
    assert (len(whole.evolutions), whole.total, whole.truncated_at_us) == (41, 41, None)
    count = sum(len(one.instances[POPULATION]) for one in whole.evolutions)
    assert count == 883


async def test_a_panel_over_the_bound_ends_at_one_time_for_all(host: Host) -> None:
    region = await host.node(None)
    query = TemporalQuery(CITIES, TimeWindow(), attributes=(iri("area"),), instance_limit=41 * 10)
    page = await region.temporal.query(LOCAL, query)
    assert page.truncated_at_us is not None
    times = [[item.at_us for item in one.instances[iri("area")]] for one in page.evolutions]
    assert {max(one) for one in times} == {page.truncated_at_us}
    assert {len(one) for one in times} == {10}


async def test_a_second_start_writes_nothing(host: Host, yrd: Pack) -> None:
    region, hefei = await host.node(None), await host.node("hefei")
    before = await region.store.journal_end(), await hefei.store.journal_end()
    assert (await load(host, yrd, iri)).written == 0
    assert (await load(host, yrd, iri, again=True)).written == 0
    assert (await region.store.journal_end(), await hefei.store.journal_end()) == before


async def test_a_pack_that_changed_is_written_where_it_changed(
    host: Host, yrd: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    cities = tuple(
        replace(city, role="port") if city.id == "ningbo" else city for city in yrd.cities
    )
    digest: Callable[[Pack], str] = lambda pack: "another"  # noqa: E731
    monkeypatch.setattr(Pack, "digest", digest)
    assert (await load(host, replace(yrd, cities=cities), iri)).written == 1
    answer = await asked(
        host, replace(CITIES, condition=Compare(AttributePath((iri("role"),)), "==", "port"))
    )
    assert [one.id for one in answer.entities] == ["urn:ngsi-ld:City:ningbo:ningbo"]
    assert (await load(host, yrd, iri, again=True)).written == 1


async def test_what_is_loaded_agrees_with_itself(host: Host) -> None:
    for tenant in (None, "hefei", "zhoushan"):
        assert await (await host.node(tenant)).store.check() == []


async def test_a_city_that_cannot_be_written_is_an_error_and_the_pack_is_not_noted(
    tmp_path: Path, yrd: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as host:
        making = host.node

        async def failing(tenant: str | None = None, *, create: bool = False) -> Node:
            if tenant == "hefei":
                raise UnavailableError("hefei: the disk is full")
            return await making(tenant, create=create)

        with monkeypatch.context() as patched:
            patched.setattr(host, "node", failing)
            with pytest.raises(UnavailableError, match="hefei"):
                await load(host, yrd, iri)
        assert (await load(host, yrd, iri)).written > 0

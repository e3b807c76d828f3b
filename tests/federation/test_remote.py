"""Nodes of other processes are asked over HTTP: complete, by their registration, never hanging."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from tests.federation.served import API, Fault, Served, bus, faulty, served


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[tuple[Served, Served, Served]]:
    """A region and two cities."""
    async with AsyncExitStack() as stack:
        started = [
            await stack.enter_async_context(served(tmp_path, name))
            for name in ("region", "suzhou", "wuxi")
        ]
        yield started[0], started[1], started[2]


def ids(response: Any) -> list[str]:
    return [one["id"].rsplit(":", 1)[1] for one in response.json()]


async def test_pages_of_several_nodes_are_those_of_one(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, wuxi = nodes
    await suzhou.put(*(bus(f"{number:02}", speed=number) for number in range(0, 30, 2)))
    await wuxi.put(*(bus(f"{number:02}", speed=number) for number in range(1, 30, 2)))
    await region.register(suzhou.url)
    await region.register(wuxi.url)
    first = await region.buses(limit="10", count="true")
    assert ids(first) == [f"{number:02}" for number in range(10)]
    assert first.headers["NGSILD-Results-Count"] == "30"
    assert first.headers["Conurb-Completeness"] == "3/3"
    assert ids(await region.buses(limit="10", offset="20")) == [f"{n:02}" for n in range(20, 30)]
    fast = await region.buses(q="speed>=27", orderBy="speed;desc")
    assert ids(fast) == ["29", "28", "27"]


async def test_of_two_statements_on_one_attribute_the_later_counts(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, wuxi = nodes
    early, late = bus("1", speed=1, line="a"), bus("1", speed=2, doors=4)
    early["speed"]["observedAt"] = "2026-01-01T00:00:00Z"
    late["speed"]["observedAt"] = "2026-01-02T00:00:00Z"
    await suzhou.put(late)
    await wuxi.put(early)
    await region.register(suzhou.url)
    await region.register(wuxi.url)
    found = (await region.client.get(f"{API}/entities/urn:ngsi-ld:Bus:1")).json()
    assert found["speed"]["value"] == 2
    assert found["line"]["value"] == "a"
    assert found["doors"]["value"] == 4


async def test_a_statement_without_a_time_of_its_own_is_as_late_as_it_was_written(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, wuxi = nodes
    await wuxi.put(bus("1", speed=1))
    await asyncio.sleep(0.01)
    await suzhou.put(bus("1", speed=2))
    await region.register(suzhou.url)
    await region.register(wuxi.url)
    assert (await region.buses()).json()[0]["speed"]["value"] == 2


async def test_what_is_registered_exclusively_comes_from_the_source_alone(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, _ = nodes
    await region.put(bus("1", line="a"))
    await region.register(
        suzhou.url,
        mode="exclusive",
        information=[
            {"entities": [{"id": "urn:ngsi-ld:Bus:1", "type": "Bus"}], "propertyNames": ["speed"]}
        ],
    )
    await suzhou.put(bus("1", speed=7, line="not registered"))
    [found] = (await region.buses()).json()
    assert found["speed"]["value"] == 7
    assert found["line"]["value"] == "a"


async def test_an_auxiliary_source_adds_only_what_nobody_else_says(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, _ = nodes
    await region.put(bus("1", speed=1))
    await asyncio.sleep(0.01)
    await suzhou.put(bus("1", speed=2, doors=3), bus("2", speed=9))
    await region.register(suzhou.url, mode="auxiliary", operations=["retrieveOps"])
    one, two = (await region.buses()).json()
    assert (one["speed"]["value"], one["doors"]["value"]) == (1, 3)
    assert two["speed"]["value"] == 9


async def test_a_name_that_a_query_can_not_say_is_looked_at_here(
    nodes: tuple[Served, Served, Served],
) -> None:
    """Names of an embedded @context have no term that a GET could use."""
    region, suzhou, _ = nodes
    await region.register(suzhou.url, operations=["federationOps"])
    context = {"tempo": "https://example.org/v#tempo", "Bus": "https://example.org/v#Bus"}
    ld = {"Content-Type": "application/ld+json"}
    for number in range(3):
        response = await suzhou.client.post(
            f"{API}/entities",
            json={**bus(str(number), tempo=number), "@context": context},
            headers=ld,
        )
        assert response.status_code == 201
    await region.register(
        suzhou.url, information=[{"entities": [{"type": "https://example.org/v#Bus"}]}]
    )
    query = {"type": "Query", "entities": [{"type": "Bus"}], "q": "tempo>0", "@context": context}
    response = await region.client.post(f"{API}/entityOperations/query", json=query, headers=ld)
    assert response.status_code == 200, response.text
    assert ids(response) == ["1", "2"]


async def test_types_and_attributes_of_other_nodes_are_listed_and_described(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, _ = nodes
    await suzhou.put(bus("1", speed=1), bus("2", speed=2))
    await region.register(suzhou.url)
    assert (await region.client.get(f"{API}/types")).json()["typeList"] == ["Bus"]
    described = (await region.client.get(f"{API}/types/Bus")).json()
    assert described["entityCount"] == 2
    assert described["attributeDetails"][0]["attributeTypes"] == ["Property"]
    assert (await region.client.get(f"{API}/attributes/speed")).json()["attributeCount"] == 2
    assert (await region.client.get(f"{API}/types/Tram")).status_code == 404


async def test_history_of_other_nodes_is_read(nodes: tuple[Served, Served, Served]) -> None:
    region, suzhou, _ = nodes
    entity: dict[str, Any] = {"id": "urn:ngsi-ld:Bus:1", "type": "Bus"}
    entity["speed"] = [
        {"type": "Property", "value": hour, "observedAt": f"2026-01-01T0{hour}:00:00Z"}
        for hour in range(4)
    ]
    await suzhou.client.post(f"{API}/temporal/entities", json=entity)
    await region.register(suzhou.url, operations=["federationOps", "queryTemporal"])
    window = {"timerel": "after", "timeAt": "2026-01-01T01:30:00Z"}
    response = await region.client.get(f"{API}/temporal/entities", params={"type": "Bus", **window})
    assert [one["value"] for one in response.json()[0]["speed"]] == [2, 3]
    averaged = await region.client.get(
        f"{API}/temporal/entities/urn:ngsi-ld:Bus:1",
        params={
            **window,
            "format": "aggregatedValues",
            "aggrMethods": "avg",
            "aggrPeriodDuration": "PT0S",
        },
    )
    assert averaged.json()["speed"]["avg"][0][0] == 2.5


async def test_nodes_that_register_each_other_do_not_ask_in_circles(
    nodes: tuple[Served, Served, Served],
) -> None:
    one, two, three = nodes
    for node, number in ((one, 1), (two, 2), (three, 3)):
        await node.put(bus(str(number), speed=number))
    await one.register(two.url)
    await two.register(three.url)
    await three.register(one.url)
    response = await one.buses()
    assert ids(response) == ["1", "2", "3"]
    assert response.headers["Conurb-Completeness"] == "2/2"
    assert response.headers["NGSILD-Warning"].startswith('199 region "registration loop')


async def test_a_node_that_is_down_is_named_and_is_back_without_anybody_doing_anything(
    tmp_path: Path, nodes: tuple[Served, Served, Served]
) -> None:
    region, suzhou, _ = nodes
    await suzhou.put(bus("1", speed=1))
    await region.register(suzhou.url, contextSourceAlias="suzhou")
    async with served(tmp_path, "huzhou") as huzhou:
        await huzhou.put(bus("2", speed=2))
        await region.register(huzhou.url, contextSourceAlias="huzhou")
        assert ids(await region.buses()) == ["1", "2"]
        port = int(huzhou.url.rsplit(":", 1)[1])
    without = await region.buses()
    assert ids(without) == ["1"]
    assert without.headers["Conurb-Completeness"] == "2/3"
    assert without.headers["NGSILD-Warning"].startswith("199 huzhou ")
    strict = await region.buses(strict="true")
    assert strict.status_code == 503
    assert "huzhou" in strict.json()["detail"]
    assert port


FAULTS: list[tuple[Fault, str]] = [
    ("garbage", "111"),
    ("not-ngsi-ld", "111"),
    ("endless", "111"),
    ("cut", "199"),
    ("refused", "199"),
    ("slow", "199"),
    ("error", "299"),
]


@pytest.mark.parametrize(("fault", "code"), FAULTS)
async def test_a_source_that_misbehaves_is_missing_and_holds_nobody_up(
    fault: Fault, code: str, nodes: tuple[Served, Served, Served]
) -> None:
    region, suzhou, _ = nodes
    await suzhou.put(bus("1", speed=1))
    await region.register(suzhou.url)
    async with faulty(fault) as source:
        await region.register(source.url, contextSourceAlias="evil", management={"timeout": 1500})
        started = perf_counter()
        response = await region.buses(count="true")
        assert perf_counter() - started < 5
        assert ids(response) == ["1"]
        assert response.headers["Conurb-Completeness"] == "2/3"
        assert response.headers["NGSILD-Warning"].startswith(f"{code} evil ")
        assert "EVIL" not in response.text
        retrieved = await region.client.get(f"{API}/entities/urn:ngsi-ld:Bus:9")
        assert retrieved.status_code == 404
        assert retrieved.headers["NGSILD-Warning"].startswith(f"{code} evil ")


async def test_a_node_that_does_not_answer_is_not_asked_for_a_while_and_then_probed(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, _, _ = nodes
    async with faulty("refused") as source:
        await region.register(source.url, contextSourceAlias="evil")
        for _ in range(6):
            await region.buses()
        asked = len(source.requests)
        await region.buses()
        assert len(source.requests) == asked
        health = (await region.client.get("/region/health")).json()
        assert health["ill"] == 1
        assert health["nodes"][0]["state"] == "open"
        assert health["nodes"][0]["failures"] >= 5
        metrics = (await region.client.get("/metrics")).text
        assert 'conurb_source_up{node="evil"} 0' in metrics
        source.fault = "empty"
        await asyncio.sleep(5.2)
        back = await region.buses()
        assert back.headers["Conurb-Completeness"] == "2/2"
        health = (await region.client.get("/region/health")).json()
        assert health["nodes"][0]["state"] == "closed"


async def test_an_answer_is_given_again_for_as_long_as_the_registration_says(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, _ = nodes
    await suzhou.put(bus("1", speed=1))
    path = f"{API}/entities/urn:ngsi-ld:Bus:1"
    lasting = {"cacheDuration": "PT1H"}
    registration = await region.register(
        suzhou.url, management=lasting, operations=["redirectionOps"]
    )

    async def seen() -> tuple[int, int]:
        [one] = (await region.buses()).json()
        return one["speed"]["value"], (await region.client.get(path)).json()["speed"]["value"]

    assert await seen() == (1, 1)
    changed = {"speed": {"type": "Property", "value": 2}}
    assert (await suzhou.client.patch(f"{path}/attrs", json=changed)).status_code == 204
    assert await seen() == (1, 1)
    assert len((await region.buses(q="speed==2")).json()) == 1  # another question is asked anew
    written = {"speed": {"type": "Property", "value": 3}}
    assert (await region.client.patch(f"{path}/attrs", json=written)).status_code == 204
    assert await seen() == (3, 3)
    plain = f"{API}/csourceRegistrations/{registration}"
    response = await region.client.patch(plain, json={"management": {"cacheDuration": "PT0.2S"}})
    assert response.status_code == 204, response.text
    assert (await suzhou.client.patch(f"{path}/attrs", json=changed)).status_code == 204
    await asyncio.sleep(0.3)
    assert await seen() == (2, 2)


async def test_a_source_is_told_what_its_registration_says_and_no_more(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, _, _ = nodes
    async with faulty("empty") as source:
        await region.register(
            source.url,
            tenant="there",
            management={"localOnly": True},
            information=[{"entities": [{"type": "Bus"}], "propertyNames": ["speed"]}],
            contextSourceInfo=[
                {"key": "X-Key", "value": "secret"},
                {"key": "X-User", "value": "urn:ngsi-ld:request"},
                {"key": "NGSILD-Tenant", "value": "other"},
            ],
        )
        await region.client.get(
            f"{API}/entities", params={"type": "Bus,Tram"}, headers={"X-User": "li"}
        )
    line, _, rest = source.requests[0].decode().partition("\r\n")
    headers = dict(one.split(": ", 1) for one in rest.lower().strip().split("\r\n"))
    assert "type=Bus&" in line
    assert "attrs=speed" in line
    assert "local=true" in line
    assert headers["x-key"] == "secret"
    assert headers["x-user"] == "li"
    assert headers["ngsild-tenant"] == "there"
    assert headers["via"] == "1.1 region"


async def test_entities_spread_over_nodes_are_put_together_before_they_are_asked(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, wuxi = nodes
    await suzhou.put(bus("1", speed=50), bus("2", speed=50))
    await wuxi.put(bus("1", line="a"), bus("2", line="b"))
    await region.register(suzhou.url)
    await region.register(wuxi.url)
    asked = {"q": 'speed>20;line=="a"'}
    assert ids(await region.buses(**asked)) == []
    assert ids(await region.buses(**asked, splitEntities="true")) == ["1"]


async def test_a_filter_of_sources_leaves_out_those_that_it_does_not_hold_for(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, _ = nodes
    await suzhou.put(bus("1", speed=1))
    await region.register(suzhou.url, kind="sensor")
    assert ids(await region.buses(csf='kind=="sensor"')) == ["1"]
    assert ids(await region.buses(csf='kind=="archive"')) == []


async def test_history_that_several_nodes_have_is_one_history(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, suzhou, wuxi = nodes
    for node, hours in ((suzhou, (1, 2, 5)), (wuxi, (2, 3, 4))):
        entity: dict[str, Any] = {"id": "urn:ngsi-ld:Bus:1", "type": "Bus"}
        entity["speed"] = [
            {"type": "Property", "value": hour, "observedAt": f"2026-01-01T0{hour}:00:00Z"}
            for hour in hours
        ]
        await node.client.post(f"{API}/temporal/entities", json=entity)
        await region.register(node.url, operations=["queryTemporal", "retrieveTemporal"])
    path = f"{API}/temporal/entities/urn:ngsi-ld:Bus:1"
    whole = (await region.client.get(path)).json()
    assert [one["value"] for one in whole["speed"]] == [1, 2, 3, 4, 5]
    latest = (await region.client.get(path, params={"lastN": "3"})).json()
    assert [one["value"] for one in latest["speed"]] == [5, 4, 3]


async def test_who_is_missing_behind_a_node_is_missing(
    nodes: tuple[Served, Served, Served],
) -> None:
    region, delta, _ = nodes
    await delta.put(bus("1", speed=1))
    await delta.register("http://127.0.0.1:9", contextSourceAlias="nantong")
    await region.register(delta.url, contextSourceAlias="delta")
    response = await region.buses()
    assert ids(response) == ["1"]
    assert response.headers["Conurb-Completeness"] == "2/3"
    assert response.headers["NGSILD-Warning"].startswith("199 nantong ")
    assert (await region.buses(strict="true")).status_code == 503

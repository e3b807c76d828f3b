"""The history of entities over HTTP: written, queried, cut at a bound, aggregated, deleted."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from conurb.config import Settings

CITY = "urn:ngsi-ld:City:1"
WINDOW = "timerel=after&timeAt=1990-01-01T00:00:00Z"


@pytest.fixture
def settings() -> Settings:
    return Settings(temporal_instances_max=6)


def observed(value: Any, at: str, **more: Any) -> dict[str, Any]:
    return {"type": "Property", "value": value, "observedAt": at, **more}


def yearly(first: int, count: int, **more: Any) -> list[dict[str, Any]]:
    return [observed(n, f"{n}-01-01T00:00:00Z", **more) for n in range(first, first + count)]


async def put(client: httpx.AsyncClient, entity_id: str = CITY, **attrs: Any) -> int:
    document = {"id": entity_id, "type": "City", **attrs}
    answer = await client.post("/temporal/entities", json=document)
    assert answer.status_code in (201, 204), answer.text
    return answer.status_code


async def get(client: httpx.AsyncClient, query: str = "", status: int = 200) -> Any:
    answer = await client.get(f"/temporal/entities/{CITY}?{query}")
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_history_is_created_then_added_to_and_makes_the_present(client: httpx.AsyncClient):
    assert await put(client, gdp=yearly(2000, 2)) == 201
    assert await put(client, gdp=yearly(1998, 1), type=["City", "Town"]) == 204
    document = await get(client)
    assert [one["value"] for one in document["gdp"]] == [1998, 2000, 2001]
    assert document["type"] == ["City", "Town"]
    entity = (await client.get(f"/entities/{CITY}")).json()
    assert entity["gdp"]["value"] == 2001


async def test_adding_to_what_does_not_exist_is_not_found(client: httpx.AsyncClient):
    answer = await client.post(f"/temporal/entities/{CITY}/attrs", json={"gdp": yearly(2000, 1)})
    assert answer.status_code == 404
    await put(client, gdp=yearly(2000, 1))
    answer = await client.post(f"/temporal/entities/{CITY}/attrs", json={"area": yearly(2001, 1)})
    assert answer.status_code == 204
    assert "area" in await get(client)


async def test_what_the_entity_api_writes_is_history_too(client: httpx.AsyncClient):
    await client.post(
        "/entities", json={"id": CITY, "type": "City", "gdp": observed(1, "2001-01-01T00:00:00Z")}
    )
    await client.patch(
        f"/entities/{CITY}/attrs/gdp", json={"value": 2, "observedAt": "2002-01-01T00:00:00Z"}
    )
    await client.delete(f"/entities/{CITY}/attrs/gdp")
    assert [one["value"] for one in (await get(client, WINDOW))["gdp"]] == [1, 2]
    [gone] = (await get(client, "timeproperty=deletedAt"))["gdp"]
    assert gone["value"] == "urn:ngsi-ld:null"
    assert "deletedAt" in gone


async def test_a_window_takes_its_start_and_leaves_its_end(client: httpx.AsyncClient):
    await put(client, gdp=yearly(2000, 4))

    async def values(query: str) -> list[int]:
        return [one["value"] for one in (await get(client, query)).get("gdp", [])]

    one, three = "2001-01-01T00:00:00Z", "2003-01-01T00:00:00Z"
    assert await values(f"timerel=after&timeAt={one}") == [2001, 2002, 2003]
    assert await values(f"timerel=before&timeAt={one}") == [2000]
    assert await values(f"timerel=between&timeAt={one}&endTimeAt={three}") == [2001, 2002]
    assert await values(f"timerel=after&timeAt={three}&lastN=1") == [2003]
    assert await values("lastN=2") == [2003, 2002]
    assert await values("timerel=after&timeAt=2020-01-01T00:00:00Z") == []


async def test_instances_are_corrected_and_deleted_by_their_id(client: httpx.AsyncClient):
    await put(client, gdp=yearly(2000, 2))
    first, second = [one["instanceId"] for one in (await get(client))["gdp"]]
    path = f"/temporal/entities/{CITY}/attrs/gdp"
    body = {"gdp": [observed(5, "2001-06-01T00:00:00Z")]}
    assert (await client.patch(f"{path}/{second}", json=body)).status_code == 204
    document = await get(client)
    assert [(one["value"], one["instanceId"]) for one in document["gdp"]] == [
        (2000, first),
        (5, second),
    ]
    assert (await client.get(f"/entities/{CITY}")).json()["gdp"]["value"] == 5
    assert (await client.delete(f"{path}/{second}")).status_code == 204
    assert (await client.get(f"/entities/{CITY}")).json()["gdp"]["value"] == 2000
    assert (await client.delete(f"{path}/{second}")).status_code == 404
    assert (await client.delete(f"{path}/urn:other:1")).status_code == 404
    assert (await client.delete(f"{path}/none")).status_code == 400
    two = {"gdp": yearly(2000, 2)}
    assert (await client.patch(f"{path}/{first}", json=two)).status_code == 400


async def test_attributes_and_entities_leave_history(client: httpx.AsyncClient):
    await put(client, gdp=yearly(2000, 1) + yearly(2000, 1, datasetId="urn:d:x"))
    path = f"/temporal/entities/{CITY}"
    assert (await client.delete(f"{path}/attrs/gdp")).status_code == 204
    document = await get(client)
    assert [one["datasetId"] for one in document["gdp"]] == ["urn:d:x"]
    both = f"{path}/attrs/gdp?deleteAll=true&datasetId=urn:d:x"
    assert (await client.delete(both)).status_code == 400
    assert (await client.delete(f"{path}/attrs/gdp?deleteAll=true")).status_code == 204
    assert "gdp" not in await get(client)
    assert (await client.delete(f"{path}/attrs/gdp")).status_code == 404
    assert (await client.delete(path)).status_code == 204
    assert (await client.delete(path)).status_code == 404
    assert (await client.get(f"/entities/{CITY}")).status_code == 404
    await get(client, status=404)


async def test_a_deleted_entity_keeps_its_history_until_it_is_erased(client: httpx.AsyncClient):
    await put(client, gdp=yearly(2000, 1))
    await client.delete(f"/entities/{CITY}")
    document = await get(client, WINDOW)
    assert document["gdp"][0]["value"] == 2000
    assert "deletedAt" in document
    assert (await client.delete(f"/temporal/entities/{CITY}")).status_code == 204
    await get(client, status=404)


async def test_an_answer_over_the_bound_is_partial_and_can_be_followed(client: httpx.AsyncClient):
    await put(client, gdp=yearly(2000, 5), area=yearly(2003, 5))
    found: dict[str, set[int]] = {"gdp": set(), "area": set()}
    query, status = WINDOW, 206
    for _ in range(5):
        answer = await client.get(f"/temporal/entities/{CITY}?{query}")
        status = answer.status_code
        for name, many in found.items():
            many.update(one["value"] for one in answer.json().get(name, []))
        if status == 200:
            break
        start_end, size = answer.headers["content-range"].removeprefix("date-time ").split("/")
        assert size == "*"
        query = f"timerel=after&timeAt={start_end[-20:]}"
    assert status == 200
    assert found == {"gdp": set(range(2000, 2005)), "area": set(range(2003, 2008))}


async def test_the_range_of_a_partial_answer_goes_backwards_with_last_n(client: httpx.AsyncClient):
    await put(client, gdp=yearly(2000, 5), area=yearly(2000, 5))
    answer = await client.get(f"/temporal/entities/{CITY}?lastN=5")
    assert answer.status_code == 206
    wanted = "date-time 2004-01-01T00:00:00Z-2002-01-01T00:00:00Z/5"
    assert answer.headers["content-range"] == wanted
    assert len(answer.json()["gdp"]) == len(answer.json()["area"]) == 3


async def test_a_query_asks_of_the_window_alone(client: httpx.AsyncClient):
    await put(client, gdp=yearly(2000, 2))
    await put(client, "urn:ngsi-ld:City:2", gdp=yearly(2010, 1), name=yearly(2000, 1))

    async def ids(query: str) -> list[str]:
        answer = await client.get(f"/temporal/entities?type=City&{query}")
        assert answer.status_code == 200, answer.text
        return [one["id"][-1] for one in answer.json()]

    early = "timerel=before&timeAt=2005-01-01T00:00:00Z"
    assert await ids(early) == ["1", "2"]
    assert await ids(f"{early}&q=gdp>1") == ["1"]
    assert await ids(f"{early}&q=!gdp") == ["2"]
    assert await ids(f"{WINDOW}&q=gdp>2005") == ["2"]
    assert await ids(f"{early}&attrs=gdp") == ["1"]
    assert await ids(f"{WINDOW}&orderBy=id;desc") == ["2", "1"]
    assert await ids(f"{WINDOW}&limit=1&offset=1") == ["2"]
    counted = await client.get(f"/temporal/entities?type=City&{WINDOW}&limit=0&count=true")
    assert counted.headers["ngsild-results-count"] == "2"


async def test_a_scope_query_takes_what_was_said_while_the_scope_held(client: httpx.AsyncClient):
    scope = [observed("/a", "2000-01-01T00:00:00Z"), observed("/b", "2002-01-01T00:00:00Z")]
    await put(client, gdp=yearly(2001, 3), scope=scope)

    async def values(scope_q: str) -> list[int]:
        answer = await client.get(f"/temporal/entities?type=City&{WINDOW}&scopeQ={scope_q}")
        return [one["value"] for found in answer.json() for one in found["gdp"]]

    assert await values("/a") == [2001]
    assert await values("/b") == [2002, 2003]
    assert await values("/c") == []
    assert (await client.get(f"/entities/{CITY}")).json()["scope"] == "/b"


async def test_history_is_given_as_values_and_as_aggregates(client: httpx.AsyncClient):
    await put(client, gdp=yearly(2000, 3))
    values = await get(client, "options=temporalValues")
    assert values["gdp"] == {
        "type": "Property",
        "values": [[n, f"{n}-01-01T00:00:00Z"] for n in (2000, 2001, 2002)],
    }
    aggregates = await get(
        client,
        "format=aggregatedValues&aggrMethods=max,totalCount&aggrPeriodDuration=P2Y"
        "&timerel=between&timeAt=2000-01-01T00:00:00Z&endTimeAt=2004-01-01T00:00:00Z",
    )
    assert aggregates["gdp"]["max"] == [
        [2001, "2000-01-01T00:00:00Z", "2002-01-01T00:00:00Z"],
        [2002, "2002-01-01T00:00:00Z", "2004-01-01T00:00:00Z"],
    ]
    assert [row[0] for row in aggregates["gdp"]["totalCount"]] == [2, 1]


async def test_a_query_document_asks_as_the_parameters_do(client: httpx.AsyncClient):
    await put(client, gdp=yearly(2000, 3))
    document = {
        "type": "Query",
        "entities": [{"type": "City"}],
        "q": "gdp>2000",
        "temporalQ": {"timerel": "after", "timeAt": "2000-01-01T00:00:00Z", "lastN": 1},
    }
    answer = await client.post("/temporal/entityOperations/query", json=document)
    assert answer.status_code == 200
    assert [one["value"] for one in answer.json()[0]["gdp"]] == [2002]
    document["aggrParams"] = {"aggrMethods": ["min"]}
    answer = await client.post("/temporal/entityOperations/query", json=document)
    assert answer.json()[0]["gdp"]["min"][0][0] == 2000


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("type=City", "timerel"),
        (WINDOW, "too wide"),
        (f"{WINDOW}&type=City&lastN=0", "lastN"),
        (f"{WINDOW}&type=City&orderBy=name", "orderBy"),
        (f"{WINDOW}&type=City&q=owner{{name}}", "link"),
        (f"{WINDOW}&type=City&pick=owner{{name}}", "link"),
        (f"{WINDOW}&type=City&format=aggregatedValues", "aggrMethods"),
        (f"{WINDOW}&type=City&format=aggregatedValues&aggrMethods=median", "aggrMethods"),
        (f"{WINDOW}&type=City&options=temporalValues,aggregatedValues", "options"),
        ("type=City&timerel=during&timeAt=2000-01-01T00:00:00Z", "timerel"),
        ("type=City&timerel=after&timeAt=2000-01-01", "timeAt"),
    ],
)
async def test_wrong_queries_are_refused(client: httpx.AsyncClient, query: str, reason: str):
    answer = await client.get(f"/temporal/entities?{query}")
    assert answer.status_code == 400, answer.text
    assert reason in answer.json()["detail"]


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"type": "City"},
        {"id": CITY},
        {"id": CITY, "type": "City", "gdp": []},
        {"id": CITY, "type": "City", "gdp": [observed(1, "yesterday")]},
        {"id": CITY, "type": "City", "gdp": [observed(1, "2000-01-01T00:00:00Z", datasetId="x")]},
    ],
)
async def test_wrong_histories_are_refused_and_nothing_is_kept(
    client: httpx.AsyncClient, document: Any
):
    answer = await client.post("/temporal/entities", json=document)
    assert answer.status_code == 400
    await get(client, status=404)


async def test_an_attribute_that_was_asked_for_has_to_be_of_a_type_to_aggregate(
    client: httpx.AsyncClient,
):
    link = {"type": "Relationship", "object": "urn:x:1", "observedAt": "2000-01-01T00:00:00Z"}
    await put(client, gdp=yearly(2000, 1), part=[link])
    query = "format=aggregatedValues&aggrMethods=avg"
    assert "gdp" in await get(client, query)
    problem = await get(client, f"{query}&attrs=part", status=400)
    assert problem["type"].endswith("InvalidRequest")

"""Entities over HTTP: what each method answers, and what a wrong request is told."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

CITY = "urn:ngsi-ld:City:wuxi:wuxi"
ETSI = "https://uri.etsi.org/ngsi-ld/errors/"
CONTEXT_REL = "http://www.w3.org/ns/json-ld#context"


def city(number: int = 0, **members: Any) -> dict[str, Any]:
    return {
        "id": CITY if number == 0 else f"urn:ngsi-ld:City:test:{number:04d}",
        "type": "City",
        "population": {"type": "Property", "value": 7_500_000 + number},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [120.3 + number / 1000, 31.5]},
        },
        **members,
    }


@pytest.fixture
async def stored(client: httpx.AsyncClient) -> httpx.AsyncClient:
    response = await client.post("/entities", json=city())
    assert response.status_code == 201, response.text
    return client


def assert_problem(response: httpx.Response, status: int, kind: str) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    assert document["type"] == ETSI + kind
    assert document["status"] == status
    assert document["title"]
    return str(document["detail"])


# ── create and retrieve ───────────────────────────────────────────────────────────────────────


async def test_created_entity_is_where_location_says(client: httpx.AsyncClient) -> None:
    response = await client.post("/entities", json=city())
    assert response.status_code == 201
    assert response.content == b""
    path = response.headers["location"]
    assert path == f"/ngsi-ld/v1/entities/{CITY}"
    found = await client.get(f"http://node.test{path}")
    assert found.status_code == 200
    assert found.json() == city()


async def test_created_twice_is_a_conflict_and_changes_nothing(stored: httpx.AsyncClient) -> None:
    response = await stored.post("/entities", json=city(population=1))
    assert CITY in assert_problem(response, 409, "AlreadyExists")
    assert (await stored.get(f"/entities/{CITY}")).json() == city()


async def test_json_answer_links_its_context(stored: httpx.AsyncClient) -> None:
    response = await stored.get(f"/entities/{CITY}")
    assert CONTEXT_REL in response.headers["link"]
    assert "@context" not in response.json()


async def test_json_ld_answer_has_its_context_inside(stored: httpx.AsyncClient) -> None:
    response = await stored.get(f"/entities/{CITY}", headers={"Accept": "application/ld+json"})
    assert response.headers["content-type"] == "application/ld+json"
    assert response.json()["@context"]
    assert "link" not in response.headers


async def test_geojson_answer_is_a_feature(stored: httpx.AsyncClient) -> None:
    accept = {"Accept": "application/geo+json"}
    feature = (await stored.get(f"/entities/{CITY}", headers=accept)).json()
    assert feature["type"] == "Feature"
    assert feature["geometry"]["coordinates"] == [120.3, 31.5]
    assert feature["@context"]
    bare = await stored.get(f"/entities/{CITY}", headers={**accept, "Prefer": "body=json"})
    assert "@context" not in bare.json()
    assert CONTEXT_REL in bare.headers["link"]
    collection = (await stored.get("/entities?type=City", headers=accept)).json()
    assert [one["id"] for one in collection["features"]] == [CITY]


async def test_ids_with_slashes_are_found(client: httpx.AsyncClient) -> None:
    entity_id = "https://example.org/cities/wuxi?a=b"
    created = await client.post("/entities", json=city(id=entity_id))
    assert created.status_code == 201
    encoded = entity_id.replace("/", "%2F").replace("?", "%3F")
    assert (await client.get(f"/entities/{encoded}")).json()["id"] == entity_id
    path = created.headers["location"]
    assert (await client.get(f"http://node.test{path}")).json()["id"] == entity_id


async def test_unknown_entity_is_not_found(client: httpx.AsyncClient) -> None:
    assert "urn:x:none" in assert_problem(
        await client.get("/entities/urn:x:none"), 404, "ResourceNotFound"
    )


async def test_an_id_that_is_no_uri_is_bad_data(client: httpx.AsyncClient) -> None:
    assert_problem(await client.get("/entities/nothing"), 400, "BadRequestData")


@pytest.mark.parametrize(
    ("parameter", "members"),
    [
        ("pick=population", {"population"}),
        ("omit=location,type", {"id", "population"}),
        ("attrs=population", {"id", "type", "population"}),
        ("options=keyValues", {"id", "type", "population", "location"}),
        ("options=sysAttrs&attrs=population", {"id", "type", "population", "createdAt"}),
    ],
)
async def test_projections_and_representations(
    stored: httpx.AsyncClient, parameter: str, members: set[str]
) -> None:
    document = (await stored.get(f"/entities/{CITY}?{parameter}")).json()
    assert members <= set(document)
    assert set(document) - members <= {"modifiedAt"}


async def test_format_goes_before_options(stored: httpx.AsyncClient) -> None:
    document = (await stored.get(f"/entities/{CITY}?format=simplified&options=normalized")).json()
    assert document["population"] == 7_500_000


@pytest.mark.parametrize(
    "query",
    [
        "pick=name&attrs=name",
        "omit=name&attrs=name",
        "pick=name&omit=name",
        "pick=rel{name}",
        "geometryProperty=location",
        "attrs=type",
        "joinLevel=2",
        "join=inline&joinLevel=0",
    ],
)
async def test_parameters_that_contradict_each_other_are_bad_data(
    stored: httpx.AsyncClient, query: str
) -> None:
    assert_problem(await stored.get(f"/entities/{CITY}?{query}"), 400, "BadRequestData")


async def test_nothing_left_by_a_projection_is_not_found(stored: httpx.AsyncClient) -> None:
    assert_problem(await stored.get(f"/entities/{CITY}?pick=unknown"), 404, "ResourceNotFound")


async def test_earlier_version_gets_what_it_knows(client: httpx.AsyncClient) -> None:
    await client.post("/entities", json=city(kind={"type": "VocabProperty", "vocab": "big"}))
    old = await client.get(f"/entities/{CITY}", headers={"Prefer": "ngsi-ld=1.5"})
    assert (old.status_code, old.headers["preference-applied"]) == (203, "ngsi-ld=1.5")
    assert old.json()["kind"] == {"type": "Property", "value": "big"}
    new = await client.get(f"/entities/{CITY}", headers={"Prefer": "ngsi-ld=1.9"})
    assert (new.status_code, new.headers["preference-applied"]) == (200, "ngsi-ld=1.9")
    assert new.json()["kind"]["type"] == "VocabProperty"


# ── query ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def many(client: httpx.AsyncClient) -> httpx.AsyncClient:
    batch = [city(number) for number in range(1, 31)]
    response = await client.post("/entityOperations/create", json=batch)
    assert response.status_code == 201, response.text
    return client


async def test_pages_link_to_each_other_and_give_everything_once(many: httpx.AsyncClient) -> None:
    seen: list[str] = []
    url = "/entities?type=City&limit=7&count=true"
    for _ in range(10):
        response = await many.get(url)
        assert response.headers["ngsild-results-count"] == "30"
        seen += [one["id"] for one in response.json()]
        links = httpx.Response(200, headers={"link": response.headers["link"]}).links
        assert ("prev" in links) == ("offset=" in url and "offset=0" not in url)
        if "next" not in links:
            break
        url = "http://node.test" + links["next"]["url"]
    assert len(seen) == len(set(seen)) == 30


async def test_count_alone_gives_no_entities(many: httpx.AsyncClient) -> None:
    response = await many.get("/entities?type=City&limit=0&count=true")
    assert response.json() == []
    assert response.headers["ngsild-results-count"] == "30"
    assert 'rel="next"' not in response.headers["link"]


async def test_get_and_post_mean_the_same(many: httpx.AsyncClient) -> None:
    by_get = await many.get(
        "/entities",
        params={
            "type": "City",
            "q": "population>=7500020",
            "georel": "near;maxDistance==20000",
            "geometry": "Point",
            "coordinates": "[120.33,31.5]",
            "pick": "id,population",
            "orderBy": "population;desc",
            "limit": 5,
        },
    )
    by_post = await many.post(
        "/entityOperations/query?limit=5",
        json={
            "type": "Query",
            "entities": [{"type": "City"}],
            "q": "population>=7500020",
            "geoQ": {
                "georel": "near;maxDistance==20000",
                "geometry": "Point",
                "coordinates": [120.33, 31.5],
            },
            "pick": ["id", "population"],
            "ordering": {"orderBy": ["population;desc"]},
        },
    )
    assert by_get.status_code == by_post.status_code == 200
    assert by_get.json() == by_post.json()
    assert [one["id"][-4:] for one in by_get.json()] == ["0030", "0029", "0028", "0027", "0026"]


@pytest.mark.parametrize(
    "query", ["", "id=urn:x:1", "attrs=createdAt", "q=modifiedAt>2020-01-01T00:00:00Z", "pick=id"]
)
async def test_a_query_for_everything_is_too_wide(many: httpx.AsyncClient, query: str) -> None:
    assert "too wide" in assert_problem(await many.get(f"/entities?{query}"), 400, "BadRequestData")
    local = await many.get(f"/entities?{query}{'&' if query else ''}local=true")
    assert local.status_code == 200


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("type=City&limit=-1", "limit"),
        ("type=City&limit=0", "limit"),
        ("type=City&georel=within", "geometry"),
        ("type=City&q=population>", "q"),
        ("type=City&q=owner{name}==1", "q"),
        ("type=City&csf=))bad((", "q"),
        ("type=City&orderFrom=[1,2]", "orderFrom"),
        ("type=City&id=nothing", "id"),
        ("type=City&datasetId=nothing", "datasetId"),
        ("type=*&local=false", "type"),
        ("type=(City", "type"),
    ],
)
async def test_what_a_query_cannot_mean_names_the_parameter(
    client: httpx.AsyncClient, query: str, name: str
) -> None:
    assert name in assert_problem(await client.get(f"/entities?{query}"), 400, "BadRequestData")


async def test_a_page_over_the_bound_is_too_complex(client: httpx.AsyncClient) -> None:
    response = await client.get("/entities?type=City&limit=100000")
    assert "1000" in assert_problem(response, 403, "TooComplexQuery")


async def test_an_unknown_parameter_is_an_invalid_request(client: httpx.AsyncClient) -> None:
    detail = assert_problem(await client.get("/entities?type=City&page=2"), 400, "InvalidRequest")
    assert "'page'" in detail
    assert "limit" in detail


@pytest.mark.parametrize(
    "injection",
    [
        "population>1;DROP TABLE entity",
        "population=='1' OR 1=1",
        "name=='\\'; DELETE FROM history; --'",
        'name~="(((("',
        "name==$(touch x)",
    ],
)
async def test_injection_attempts_are_data_or_refused(
    many: httpx.AsyncClient, injection: str
) -> None:
    response = await many.get("/entities", params={"type": "City", "q": injection})
    assert response.status_code in (200, 400)
    count = await many.get("/entities?type=City&limit=0&count=true")
    assert count.headers["ngsild-results-count"] == "30"


async def test_purge_needs_a_query_and_deletes_what_it_selects(many: httpx.AsyncClient) -> None:
    assert_problem(await many.delete("/entities"), 400, "BadRequestData")
    response = await many.request("DELETE", "/entities?type=City&q=population>7500010")
    assert response.status_code == 204
    count = await many.get("/entities?type=City&limit=0&count=true")
    assert count.headers["ngsild-results-count"] == "10"


# ── replace, merge, delete ────────────────────────────────────────────────────────────────────


async def test_replace_takes_the_old_attributes_away(stored: httpx.AsyncClient) -> None:
    document = {"type": "City", "name": {"type": "Property", "value": "无锡"}}
    assert (await stored.put(f"/entities/{CITY}", json=document)).status_code == 204
    found = (await stored.get(f"/entities/{CITY}?options=keyValues")).json()
    assert found == {"id": CITY, "type": "City", "name": "无锡"}


async def test_merge_goes_into_values_and_null_removes(stored: httpx.AsyncClient) -> None:
    patch = {"population": "urn:ngsi-ld:null", "name": {"type": "Property", "value": "无锡"}}
    headers = {"Content-Type": "application/merge-patch+json"}
    response = await stored.patch(f"/entities/{CITY}", json=patch, headers=headers)
    assert response.status_code == 204
    assert set((await stored.get(f"/entities/{CITY}")).json()) == {"id", "type", "location", "name"}


async def test_another_id_in_the_body_is_bad_data(stored: httpx.AsyncClient) -> None:
    for method in ("PUT", "PATCH"):
        response = await stored.request(method, f"/entities/{CITY}", json=city(1))
        assert_problem(response, 400, "BadRequestData")


async def test_deleted_entity_is_gone_and_no_content_has_no_length(
    stored: httpx.AsyncClient,
) -> None:
    response = await stored.delete(f"/entities/{CITY}")
    assert response.status_code == 204
    assert "content-length" not in response.headers
    assert_problem(await stored.delete(f"/entities/{CITY}"), 404, "ResourceNotFound")


async def test_type_in_the_query_must_fit(stored: httpx.AsyncClient) -> None:
    for method in ("GET", "DELETE"):
        response = await stored.request(method, f"/entities/{CITY}?type=Town")
        assert_problem(response, 404, "ResourceNotFound")
    assert (await stored.get(f"/entities/{CITY}?type=City|Town")).status_code == 200


# ── attributes ────────────────────────────────────────────────────────────────────────────────


async def values(client: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get(f"/entities/{CITY}?options=keyValues")).json()
    return found


async def test_append_says_which_attributes_it_left_out(stored: httpx.AsyncClient) -> None:
    body = {
        "name": {"type": "Property", "value": "无锡"},
        "population": {"type": "Property", "value": 1},
    }
    response = await stored.post(f"/entities/{CITY}/attrs?options=noOverwrite", json=body)
    assert response.status_code == 207
    result = response.json()
    assert result["updated"] == ["https://uri.etsi.org/ngsi-ld/default-context/name"]
    [left] = result["notUpdated"]
    assert left["attributeName"].endswith("/population")
    assert left["reason"]
    assert (await values(stored))["population"] == 7_500_000
    assert (await stored.post(f"/entities/{CITY}/attrs", json=body)).status_code == 204
    assert (await values(stored))["population"] == 1


async def test_partial_update_keeps_what_is_not_given(stored: httpx.AsyncClient) -> None:
    url = f"/entities/{CITY}/attrs/population"
    assert (await stored.patch(url, json={"unitCode": "C62"})).status_code == 204
    found = (await stored.get(f"/entities/{CITY}")).json()["population"]
    assert found == {"type": "Property", "value": 7_500_000, "unitCode": "C62"}


async def test_replaced_attribute_has_only_what_is_given(stored: httpx.AsyncClient) -> None:
    url = f"/entities/{CITY}/attrs/population"
    assert (await stored.put(url, json={"type": "Property", "value": 3})).status_code == 204
    assert (await values(stored))["population"] == 3


async def test_deleted_attribute_is_gone(stored: httpx.AsyncClient) -> None:
    url = f"/entities/{CITY}/attrs/population"
    assert (await stored.delete(url)).status_code == 204
    assert "population" not in await values(stored)
    for method in ("DELETE", "PATCH", "PUT"):
        body = None if method == "DELETE" else {"type": "Property", "value": 1}
        response = await stored.request(method, url, json=body)
        assert_problem(response, 404, "ResourceNotFound")


# ── batches ───────────────────────────────────────────────────────────────────────────────────


async def test_a_batch_fails_only_where_it_is_wrong(stored: httpx.AsyncClient) -> None:
    valueless = city(2, population={"type": "Property"})
    batch = [city(1), city(), {"id": "nothing", "type": "City"}, valueless]
    response = await stored.post("/entityOperations/create", json=batch)
    assert response.status_code == 207
    result = response.json()
    assert result["success"] == [city(1)["id"]]
    failed = {one["entityId"]: one["error"]["type"] for one in result["errors"]}
    assert failed[CITY] == ETSI + "AlreadyExists"
    assert failed["nothing"] == ETSI + "BadRequestData"


async def test_upsert_gives_the_ids_that_are_new(stored: httpx.AsyncClient) -> None:
    response = await stored.post("/entityOperations/upsert", json=[city(), city(1)])
    assert response.status_code == 201
    assert response.json() == [city(1)["id"]]
    again = await stored.post("/entityOperations/upsert", json=[city(), city(1)])
    assert (again.status_code, again.content) == (204, b"")


async def test_a_large_batch_is_read_whole(client: httpx.AsyncClient) -> None:
    batch = [{"id": f"urn:x:{n:04d}", "type": "T"} for n in range(1500)]
    response = await client.post("/entityOperations/create", json=batch)
    assert response.status_code == 201
    assert response.json() == [one["id"] for one in batch]
    over = await client.post("/entityOperations/create", json=[*batch, batch[0]])
    assert over.status_code == 413


@pytest.mark.parametrize("body", [{}, "text", 5])
async def test_a_batch_must_be_a_list(client: httpx.AsyncClient, body: Any) -> None:
    for operation in ("create", "upsert", "update", "merge", "delete"):
        response = await client.post(f"/entityOperations/{operation}", json=body)
        assert_problem(response, 400, "InvalidRequest")


async def test_an_empty_batch_is_bad_data(client: httpx.AsyncClient) -> None:
    for operation in ("create", "upsert", "update", "merge", "delete"):
        response = await client.post(f"/entityOperations/{operation}", json=[])
        assert_problem(response, 400, "BadRequestData")


async def test_batch_delete_says_what_was_not_there(stored: httpx.AsyncClient) -> None:
    response = await stored.post("/entityOperations/delete", json=[CITY, "urn:x:none", "nothing"])
    assert response.status_code == 207
    result = response.json()
    assert result["success"] == [CITY]
    assert {one["entityId"] for one in result["errors"]} == {"urn:x:none", "nothing"}

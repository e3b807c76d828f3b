"""What a real receiver on loopback is told of a subscription."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.http.subscribing import (
    CITY,
    CORE,
    SUBSCRIPTION,
    body,
    notification_of,
    patch,
    put,
    subscribe,
)
from tests.services.receiver import Receiver

# ── what is told ──────────────────────────────────────────────────────────────────────────────


async def test_a_created_entity_is_told(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await subscribe(client, body(receiver))
    await put(client, name={"type": "Property", "value": "上海"})
    (post,) = await receiver.wait(1)
    document = post.document
    assert document.pop("id").startswith("urn:ngsi-ld:Notification:")
    assert document.pop("notifiedAt")
    assert document == {
        "type": "Notification",
        "subscriptionId": SUBSCRIPTION,
        "data": [{"id": CITY, "type": "City", "name": {"type": "Property", "value": "上海"}}],
    }
    assert post.headers["content-type"] == "application/json"
    assert post.headers["link"] == (
        f'<{CORE}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    )


async def test_what_is_counted(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await subscribe(client, body(receiver))
    await put(client, name="a")
    await receiver.wait(1)
    notification = await notification_of(client, "status", "ok")
    assert notification["timesSent"] == 1
    assert "timesFailed" not in notification
    assert notification["lastNotification"] <= notification["lastSuccess"]


async def test_only_what_is_subscribed_to_is_told(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(
        client,
        body(
            receiver,
            entities=[{"type": "City", "idPattern": "shang"}, {"type": "*", "id": "urn:x:2"}],
            watchedAttributes=["size"],
            q="size>10",
            scopeQ="/yrd/#",
            format="keyValues",
        ),
    )
    await put(client, "urn:x:1", scope="/yrd/wuxi", size=11)  # another id
    await put(client, "urn:x:shang-a", scope="/yrd/wuxi", size=9)  # q
    await put(client, "urn:x:shang-b", scope="/prd", size=11)  # scopeQ
    await put(client, "urn:x:shang-c", scope="/yrd/wuxi", name="c")  # watched
    await put(client, "urn:x:shang-d", scope="/yrd/wuxi", size=11)
    await put(client, "urn:x:2", scope="/yrd", size=12)
    told = [one["id"] for _ in range(2) for one in (await receiver.next())["data"]]
    assert told == ["urn:x:shang-d", "urn:x:2"]
    await patch(client, "urn:x:2", name="not watched")
    await receiver.silence()


async def test_a_geoquery_decides(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await subscribe(
        client,
        body(
            receiver,
            geoQ={
                "georel": "near;maxDistance==1000",
                "geometry": "Point",
                "coordinates": "[121.47,31.23]",
            },
        ),
    )

    def at(longitude: float) -> Any:
        place = {"type": "Point", "coordinates": [longitude, 31.23]}
        return {"type": "GeoProperty", "value": place}

    await put(client, "urn:x:far", location=at(121.6))
    await put(client, "urn:x:near", location=at(121.475))
    assert [one["id"] for one in (await receiver.next())["data"]] == ["urn:x:near"]


async def test_a_linked_entity_decides(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await subscribe(client, body(receiver, q="capital{size}>10"))
    for name, size in (("big", 20), ("small", 5)):
        await client.post("/entities", json={"id": f"urn:x:{name}", "type": "Town", "size": size})
    for name in ("small", "big", "absent"):
        await put(
            client, f"urn:c:{name}", capital={"type": "Relationship", "object": f"urn:x:{name}"}
        )
    assert [one["id"] for one in (await receiver.next())["data"]] == ["urn:c:big"]
    await receiver.silence()


async def test_a_value_written_again_is_not_told(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await put(client, size=1)
    await subscribe(client, body(receiver))
    await patch(client, size=1)
    await receiver.silence()
    await patch(client, size=2)
    assert (await receiver.next())["data"][0]["size"]["value"] == 2


async def test_what_was_there_before_is_not_told(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await put(client, size=1)
    await subscribe(client, body(receiver))
    await receiver.silence()


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("normalized", {"type": "Property", "value": 2, "unitCode": "KMK"}),
        ("concise", {"value": 2, "unitCode": "KMK"}),
        ("keyValues", 2),
        ("simplified", 2),
    ],
)
async def test_the_representation_is_that_asked_for(
    client: httpx.AsyncClient, receiver: Receiver, form: str, expected: Any
) -> None:
    await subscribe(client, body(receiver, format=form))
    await put(client, size={"value": 2, "unitCode": "KMK"})
    assert (await receiver.next())["data"][0]["size"] == expected


async def test_members_are_chosen(client: httpx.AsyncClient, receiver: Receiver) -> None:
    forms = {
        "urn:s:attributes": ({"attributes": ["size"]}, {"id", "type", "size"}),
        "urn:s:pick": ({"pick": ["id", "size"]}, {"id", "size"}),
        "urn:s:omit": ({"omit": ["type", "size"]}, {"id", "name"}),
        "urn:s:times": (
            {"attributes": ["size"], "sysAttrs": True},
            {"id", "type", "size", "createdAt", "modifiedAt"},
        ),
    }
    for name, (members, _) in forms.items():
        await subscribe(client, body(receiver, id=name, **members))
    await put(client, size=1, name="a")
    told = {post.document["subscriptionId"]: post.document for post in await receiver.wait(4)}
    for name, (_, expected) in forms.items():
        assert set(told[name]["data"][0]) == expected


async def test_instances_are_chosen_by_dataset(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(client, body(receiver, datasetId=["urn:d:2"], format="concise"))
    await put(client, size=[{"value": 1}, {"value": 2, "datasetId": "urn:d:2"}], name="a")
    assert (await receiver.next())["data"] == [
        {"id": CITY, "type": "City", "size": {"value": 2, "datasetId": "urn:d:2"}}
    ]


async def test_a_language_is_chosen(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await subscribe(client, body(receiver, lang="zh", format="keyValues"))
    await put(client, name={"type": "LanguageProperty", "languageMap": {"en": "a", "zh": "上海"}})
    assert (await receiver.next())["data"][0]["name"] == "上海"


async def test_a_json_ld_notification_carries_its_context(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(client, body(receiver, endpoint={"accept": "application/ld+json"}))
    await put(client, size=1)
    (post,) = await receiver.wait(1)
    assert post.headers["content-type"] == "application/ld+json"
    assert "link" not in post.headers
    assert post.document["data"][0]["@context"] == CORE
    assert post.document["@context"] == CORE


@pytest.mark.parametrize("prefer", [None, "body=json"])
async def test_a_geojson_notification_is_a_feature_collection(
    client: httpx.AsyncClient, receiver: Receiver, prefer: str | None
) -> None:
    endpoint: dict[str, Any] = {"accept": "application/geo+json"}
    if prefer:
        endpoint["receiverInfo"] = [{"key": "Prefer", "value": prefer}]
    await subscribe(client, body(receiver, endpoint=endpoint))
    place = {"type": "Point", "coordinates": [121.5, 31.2]}
    await put(client, location={"type": "GeoProperty", "value": place})
    (post,) = await receiver.wait(1)
    data = post.document["data"]
    assert post.headers["content-type"] == "application/geo+json"
    assert data["type"] == "FeatureCollection"
    assert data["features"][0]["geometry"] == place
    assert data["features"][0]["properties"]["location"]["value"] == place
    assert ("@context" in data) is (prefer is None)
    assert ("link" in post.headers) is (prefer is not None)


async def test_the_receiver_is_told_its_headers_and_the_tenant(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    info = [{"key": "Authorization", "value": "Bearer x"}, {"key": "X-Two", "value": "2"}]
    tenant = {"NGSILD-Tenant": "wuxi"}
    document = body(receiver, endpoint={"receiverInfo": info})
    response = await client.post("/subscriptions", json=document, headers=tenant)
    assert response.status_code == 201
    entity = {"id": CITY, "type": "City", "size": 1}
    await client.post("/entities", json=entity)
    await client.post("/entities", json=entity, headers=tenant)
    (post,) = await receiver.wait(1)
    assert post.headers["authorization"] == "Bearer x"
    assert post.headers["x-two"] == "2"
    assert post.headers["ngsild-tenant"] == "wuxi"
    receiver.posts.clear()
    await receiver.silence()


async def test_linked_entities_are_told_inside_or_beside(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await client.post("/entities", json={"id": "urn:p:1", "type": "Province", "name": "江苏"})
    await subscribe(client, body(receiver, join="inline", format="simplified"))
    await put(client, isPartOf={"type": "Relationship", "object": "urn:p:1"})
    assert (await receiver.next())["data"] == [
        {
            "id": CITY,
            "type": "City",
            "isPartOf": {"id": "urn:p:1", "type": "Province", "name": "江苏"},
        }
    ]
    fragment = {"notification": {"endpoint": {"uri": receiver.url}, "join": "flat"}}
    await client.patch(f"/subscriptions/{SUBSCRIPTION}", json=fragment)
    await patch(client, size=1)
    data = (await receiver.next())["data"]
    assert [one["id"] for one in data] == [CITY, "urn:p:1"]
    assert data[0]["isPartOf"] == {"type": "Relationship", "object": "urn:p:1"}


# ── changes and deletions ─────────────────────────────────────────────────────────────────────


async def test_what_was_before_is_shown(client: httpx.AsyncClient, receiver: Receiver) -> None:
    names = {"type": "LanguageProperty", "languageMap": {"en": "a"}}
    kind = {"type": "VocabProperty", "vocab": "big"}
    part = {"type": "Relationship", "object": "urn:p:1"}
    await put(client, size=1, name=names, kind=kind, isPartOf=part, other=1)
    await subscribe(client, body(receiver, showChanges=True))
    await patch(
        client,
        size=2,
        name={"type": "LanguageProperty", "languageMap": {"zh": "b"}},
        kind={"type": "VocabProperty", "vocab": "small"},
        isPartOf={"type": "Relationship", "object": "urn:p:2"},
        fresh=1,
    )
    (entity,) = (await receiver.next())["data"]
    assert entity["size"] == {"type": "Property", "value": 2, "previousValue": 1}
    assert entity["name"]["previousLanguageMap"] == {"en": "a"}
    assert entity["kind"] == {"type": "VocabProperty", "vocab": "small", "previousVocab": "big"}
    assert entity["isPartOf"]["previousObject"] == "urn:p:1"
    assert entity["other"] == {"type": "Property", "value": 1}
    assert entity["fresh"] == {"type": "Property", "value": 1}


NULL = "urn:ngsi-ld:null"


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({}, {"type": "Property", "value": NULL}),
        ({"format": "concise"}, NULL),
        ({"format": "keyValues"}, NULL),
        ({"showChanges": True}, {"type": "Property", "value": NULL, "previousValue": 1}),
        ({"showChanges": True, "format": "concise"}, {"value": NULL, "previousValue": 1}),
    ],
)
async def test_a_deleted_attribute_is_told_as_null(
    client: httpx.AsyncClient, receiver: Receiver, members: dict[str, Any], expected: Any
) -> None:
    await put(client, size=1, name="a")
    await subscribe(client, body(receiver, notificationTrigger=["attributeDeleted"], **members))
    await patch(client, name="b")
    response = await client.delete(f"/entities/{CITY}/attrs/size")
    assert response.status_code == 204
    (entity,) = (await receiver.next())["data"]
    assert entity["size"] == expected
    assert set(entity) == {"id", "type", "size", "name"}


async def test_an_attribute_that_is_deleted_with_all_instances_is_told_as_one_null(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await put(client, size=[{"value": 1}, {"value": 2, "datasetId": "urn:d:2"}])
    await subscribe(client, body(receiver, notificationTrigger=["attributeDeleted"]))
    await client.delete(f"/entities/{CITY}/attrs/size", params={"deleteAll": "true"})
    assert (await receiver.next())["data"][0]["size"] == {"type": "Property", "value": NULL}


async def test_an_earlier_version_is_spoken_to_who_asks_for_it(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(client, body(receiver, ngsildConformance="1.3"))
    await put(client, scope="/yrd", kind={"type": "VocabProperty", "vocab": "big"})
    assert (await receiver.next())["data"] == [
        {"id": CITY, "type": "City", "kind": {"type": "Property", "value": "big"}}
    ]


async def test_a_deleted_instance_is_told_with_its_dataset_and_times(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await put(client, size=[{"value": 1}, {"value": 2, "datasetId": "urn:d:2"}])
    await subscribe(client, body(receiver, notificationTrigger=["attributeDeleted"], sysAttrs=True))
    await client.delete(f"/entities/{CITY}/attrs/size", params={"datasetId": "urn:d:2"})
    kept, gone = (await receiver.next())["data"][0]["size"]
    assert kept["value"] == 1
    assert (gone["value"], gone["datasetId"]) == (NULL, "urn:d:2")
    assert gone["createdAt"] <= gone["deletedAt"]


async def test_a_deleted_entity_is_told_with_the_time(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await put(client, size=1)
    await subscribe(client, body(receiver, notificationTrigger=["entityDeleted"], q="size==1"))
    await client.delete(f"/entities/{CITY}")
    (entity,) = (await receiver.next())["data"]
    assert set(entity) == {"id", "type", "deletedAt"}


async def test_a_deleted_entity_is_told_with_system_times_and_what_there_was(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await put(client, size=1, name={"type": "LanguageProperty", "languageMap": {"en": "a"}})
    await subscribe(
        client,
        body(receiver, notificationTrigger=["entityDeleted"], sysAttrs=True, showChanges=True),
    )
    await client.delete(f"/entities/{CITY}")
    (entity,) = (await receiver.next())["data"]
    assert entity["createdAt"] <= entity["modifiedAt"] <= entity["deletedAt"]
    assert (entity["size"]["value"], entity["size"]["previousValue"]) == (NULL, 1)
    assert entity["name"]["languageMap"] == {"@none": NULL}
    assert entity["name"]["previousLanguageMap"] == {"en": "a"}


async def test_who_waits_for_attributes_is_told_that_they_went_with_the_entity(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await put(client, size=1, name="a")
    await subscribe(
        client,
        body(receiver, notificationTrigger=["attributeDeleted"], watchedAttributes=["size"]),
    )
    await client.delete(f"/entities/{CITY}")
    (entity,) = (await receiver.next())["data"]
    assert entity.pop("deletedAt")
    assert entity == {"id": CITY, "type": "City", "size": {"type": "Property", "value": NULL}}

"""Registrations over HTTP, and what subscribers to them are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from conurb.access.caller import Right
from conurb.access.tokens import Token, digest_of, mint
from conurb.app import build_host, open_app
from conurb.config import Settings
from conurb.http.app import build_app
from conurb.node.tokens import TokenFile
from tests.services.receiver import Receiver, receiving

REGISTRATION = "urn:ngsi-ld:ContextSourceRegistration:wuxi"
SUBSCRIPTION = "urn:ngsi-ld:Subscription:sources"
ENDPOINT = "http://127.0.0.1:9/wuxi"
DEFAULT = "https://uri.etsi.org/ngsi-ld/default-context/"
SOURCES, SUBSCRIPTIONS = "/csourceRegistrations", "/csourceSubscriptions"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


def source(name: str = "wuxi", /, **members: Any) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:ContextSourceRegistration:{name}",
        "type": "ContextSourceRegistration",
        "information": [{"entities": [{"type": "City"}]}],
        "endpoint": ENDPOINT,
        **members,
    }


def wish(receiver: Receiver | None = None, /, **members: Any) -> dict[str, Any]:
    uri = receiver.url if receiver else "http://127.0.0.1:9/notify"
    return {
        "id": SUBSCRIPTION,
        "type": "Subscription",
        "entities": [{"type": "City"}],
        "notification": {"endpoint": {"uri": uri, "accept": "application/json"}},
        **members,
    }


async def register(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    response = await client.post(SOURCES, json=document)
    assert response.status_code == 201, response.text


async def subscribe(client: httpx.AsyncClient, document: dict[str, Any]) -> None:
    response = await client.post(SUBSCRIPTIONS, json=document)
    assert response.status_code == 201, response.text


async def ids(client: httpx.AsyncClient, **params: Any) -> list[str]:
    response = await client.get(SOURCES, params=params)
    assert response.status_code == 200, response.text
    return [one["id"].rpartition(":")[2] for one in response.json()]


def told(notification: dict[str, Any]) -> tuple[str, list[str]]:
    assert notification["type"] == "ContextSourceNotification"
    assert notification["subscriptionId"] == SUBSCRIPTION
    data = [one["id"].rpartition(":")[2] for one in notification["data"]]
    return notification["triggerReason"], data


# ── registrations ─────────────────────────────────────────────────────────────────────────────


async def test_a_registration_is_created_given_changed_and_deleted(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post(SOURCES, json=source(fleet="buses"))
    assert response.status_code == 201
    assert response.headers["location"] == f"/ngsi-ld/v1{SOURCES}/{REGISTRATION}"
    one = f"{SOURCES}/{REGISTRATION}"
    assert (await client.get(one)).json() == source(fleet="buses")
    assert (await client.patch(one, json={"fleet": None, "mode": "redirect"})).status_code == 204
    shown = (await client.get(one, params={"options": "sysAttrs"})).json()
    assert {"createdAt", "modifiedAt"} <= shown.keys()
    assert shown["mode"] == "redirect"
    assert "fleet" not in shown
    assert (await client.delete(one)).status_code == 204
    assert (await client.get(one)).status_code == 404
    assert (await client.delete(one)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("POST", SOURCES, "[]", 400, "InvalidRequest"),
        ("POST", SOURCES, "{", 400, "InvalidRequest"),
        ("POST", SOURCES, '{"type": "x"}', 400, "BadRequestData"),
        ("PATCH", f"{SOURCES}/wuxi", "{}", 400, "BadRequestData"),
        ("PATCH", f"{SOURCES}/urn:x:1", "{}", 404, "ResourceNotFound"),
        ("GET", f"{SOURCES}/wuxi", None, 400, "BadRequestData"),
        ("DELETE", f"{SOURCES}/wuxi", None, 400, "BadRequestData"),
        ("GET", SOURCES, None, 400, "BadRequestData"),
        ("GET", f"{SOURCES}?id=urn:x:1", None, 400, "BadRequestData"),
        ("GET", f"{SOURCES}?type=City&nonsense=1", None, 400, "InvalidRequest"),
        ("GET", f"{SOURCES}?type=City&timerel=before", None, 400, "BadRequestData"),
        ("GET", f"{SOURCES}?type=City&georel=within", None, 400, "BadRequestData"),
        ("GET", f"{SOURCES}?type=City&csf=a%3E%3E", None, 400, "BadRequestData"),
        ("GET", f"{SOURCES}?type=City&limit=100000", None, 403, "TooComplexQuery"),
        ("POST", SUBSCRIPTIONS, '{"type": "Subscription"}', 400, "BadRequestData"),
        ("GET", f"{SUBSCRIPTIONS}/urn:x:1", None, 404, "ResourceNotFound"),
        ("DELETE", f"{SUBSCRIPTIONS}/urn:x:1", None, 404, "ResourceNotFound"),
    ],
)
async def test_what_is_wrong_is_said(
    client: httpx.AsyncClient, method: str, path: str, body: str | None, status: int, kind: str
) -> None:
    headers = {} if body is None else {"Content-Type": "application/json"}
    response = await client.request(method, path, content=body, headers=headers)
    assert response.status_code == status, response.text
    assert response.json()["type"] == f"https://uri.etsi.org/ngsi-ld/errors/{kind}"


async def test_what_is_held_here_conflicts_with_a_redirect(client: httpx.AsyncClient) -> None:
    city = {"id": "urn:ngsi-ld:City:1", "type": "City"}
    assert (await client.post("/entities", json=city)).status_code == 201
    response = await client.post(SOURCES, json=source(mode="redirect"))
    assert response.status_code == 409
    assert response.json()["title"] == "Conflict"
    assert "urn:ngsi-ld:City:1" in response.json()["detail"]


async def test_a_source_beyond_the_allow_list_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post(SOURCES, json=source(endpoint="http://10.1.2.3"))
    assert response.status_code == 403
    assert "10.1.2.3" in response.json()["detail"]


async def test_registrations_are_found_by_what_they_may_know(client: httpx.AsyncClient) -> None:
    named = [{"propertyNames": ["speed"], "entities": [{"type": "Bus", "idPattern": "^urn:b:"}]}]
    await register(client, source("plain"))
    await register(client, source("buses", information=named, scope="/yrd/wuxi", fleet="blue"))
    place = {"type": "Point", "coordinates": [120.3, 31.5]}
    await register(
        client, source("placed", location=place, information=[{"propertyNames": ["p", "location"]}])
    )
    interval = {"startAt": "2020-01-01T00:00:00Z", "endAt": "2021-01-01T00:00:00Z"}
    await register(client, source("history", observationInterval=interval))
    assert await ids(client, type="City") == ["plain", "placed"]
    assert await ids(client, type="Bus") == ["buses", "placed"]
    assert await ids(client, type="City,Bus", attrs="speed") == ["plain", "buses"]
    assert await ids(client, attrs="speed") == ["plain", "buses"]
    assert await ids(client, q="speed>5") == ["plain", "buses"]
    assert await ids(client, type="Bus", id="urn:b:1") == ["buses", "placed"]
    assert await ids(client, type="Bus", id="urn:c:1") == ["placed"]
    assert await ids(client, type="Bus", idPattern="^urn:b:7") == ["buses", "placed"]
    assert await ids(client, type="Bus", scopeQ="/yrd/#") == ["buses"]
    assert await ids(client, type="Bus", csf='fleet=="blue"') == ["buses"]
    near = {"georel": "near;maxDistance==2000", "geometry": "Point", "coordinates": "[120.31,31.5]"}
    assert await ids(client, **near) == ["placed"]
    assert await ids(client, **{**near, "coordinates": "[121,31.5]"}) == []
    past = {"timerel": "before", "timeAt": "2020-06-01T00:00:00Z"}
    assert await ids(client, type="City", **past) == ["history"]
    assert await ids(client, type="City", **past, timeproperty="modifiedAt") == []
    assert await ids(client, type="City", timerel="after", timeAt="2022-01-01T00:00:00Z") == []


async def test_pages_of_registrations_are_linked_and_counted(client: httpx.AsyncClient) -> None:
    for name in ("a", "b", "c"):
        await register(client, source(name))
    params = {"type": "City", "limit": 1, "offset": 1, "count": "true"}
    response = await client.get(SOURCES, params=params)
    assert [one["id"][-1] for one in response.json()] == ["b"]
    assert response.headers["ngsild-results-count"] == "3"
    assert 'rel="prev"' in response.headers["link"]
    assert 'rel="next"' in response.headers["link"]


async def test_registrations_are_a_tenants_own(client: httpx.AsyncClient) -> None:
    wuxi = {"NGSILD-Tenant": "wuxi"}
    assert (await client.post(SOURCES, json=source(), headers=wuxi)).status_code == 201
    assert await ids(client, type="City") == []
    assert (await client.get(f"{SOURCES}/{REGISTRATION}", headers=wuxi)).status_code == 200
    assert (await client.get(f"{SOURCES}/{REGISTRATION}")).status_code == 404


async def test_registrations_and_subscriptions_survive_a_restart(
    tmp_path: Path, settings: Settings, receiver: Receiver
) -> None:
    for turn in range(2):
        async with open_app(store=tmp_path / "kept.db", settings=settings) as app:
            transport = httpx.ASGITransport(app=app)
            base = "http://node.test/ngsi-ld/v1"
            async with httpx.AsyncClient(transport=transport, base_url=base) as client:
                if turn == 0:
                    await register(client, source())
                    await subscribe(client, wish(receiver))
                    assert told(await receiver.next()) == ("newlyMatching", ["wuxi"])
                    continue
                assert await ids(client, type="City") == ["wuxi"]
                shown = (await client.get(f"{SUBSCRIPTIONS}/{SUBSCRIPTION}")).json()
                assert shown["notification"]["timesSent"] == 1
                await register(client, source("huzhou"))
                assert told(await receiver.next()) == ("newlyMatching", ["huzhou"])


# ── subscriptions to them ─────────────────────────────────────────────────────────────────────


async def test_a_subscriber_is_told_of_every_change_of_what_matches(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await register(client, source("first"))
    await register(client, source("other", information=[{"entities": [{"type": "Bus"}]}]))
    await subscribe(client, wish(receiver))
    assert told(await receiver.next()) == ("newlyMatching", ["first"])
    await register(client, source())
    assert told(await receiver.next()) == ("newlyMatching", ["wuxi"])
    one = f"{SOURCES}/{REGISTRATION}"
    await client.patch(one, json={"description": "changed"})
    assert told(await receiver.next()) == ("updated", ["wuxi"])
    await client.patch(one, json={"information": [{"entities": [{"type": "Bus"}]}]})
    assert told(await receiver.next()) == ("noLongerMatching", ["wuxi"])
    await client.patch(one, json={"description": "changed again"})
    await client.patch(one, json={"information": [{"entities": [{"type": "City"}]}]})
    assert told(await receiver.next()) == ("newlyMatching", ["wuxi"])
    await client.delete(one)
    assert told(await receiver.next()) == ("noLongerMatching", ["wuxi"])
    await receiver.silence()


async def test_a_notification_holds_what_matches_in_the_subscribers_words(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    information = [
        {"entities": [{"type": "Bus"}]},
        {"entities": [{"type": "City"}], "propertyNames": ["size"]},
    ]
    secret = [{"key": "Authorization", "value": "Bearer x"}]
    await register(client, source(information=information, contextSourceInfo=secret))
    await subscribe(client, wish(receiver))
    post = (await receiver.wait(1))[0]
    assert post.document["data"] == [source(information=information[1:])]
    assert post.document["id"].startswith("urn:ngsi-ld:ContextSourceNotification:")
    assert post.headers["content-type"] == "application/json"
    assert "json-ld#context" in post.headers["link"]


async def test_a_notification_in_json_ld_carries_its_context(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await register(client, source())
    endpoint = {"uri": receiver.url, "accept": "application/ld+json"}
    await subscribe(client, wish(notification={"endpoint": endpoint}))
    post = (await receiver.wait(1))[0]
    assert "@context" in post.document
    assert post.headers["content-type"] == "application/ld+json"
    assert "link" not in post.headers


@pytest.mark.parametrize(
    ("members", "is_told"),
    [
        ({}, True),
        ({"scopeQ": "/yrd/#"}, True),
        ({"scopeQ": "/gba/#"}, False),
        ({"csf": 'fleet=="blue"'}, True),
        ({"csf": 'fleet=="red"'}, False),
        ({"temporalQ": {"timerel": "after", "timeAt": "2020-01-01T00:00:00Z"}}, False),
        ({"watchedAttributes": ["speed"]}, True),
        ({"isActive": False}, False),
        (
            {"geoQ": {"georel": "within", "geometry": "Point", "coordinates": [120, 31]}},
            True,
        ),
        ({"geoQ": {"georel": "within", "geometry": "Point", "coordinates": [1, 1]}}, False),
    ],
)
async def test_a_subscriber_is_told_of_what_is_asked_for_alone(
    client: httpx.AsyncClient, receiver: Receiver, members: dict[str, Any], is_told: bool
) -> None:
    await subscribe(client, wish(receiver, **members))
    await register(
        client,
        source(
            information=[{"entities": [{"type": "City"}], "propertyNames": ["size"]}],
            location={"type": "Point", "coordinates": [120, 31]},
            scope="/yrd/wuxi",
            fleet="blue",
        ),
    )
    if is_told:
        assert told(await receiver.next()) == ("newlyMatching", ["wuxi"])
    else:
        await receiver.silence()


async def test_watched_and_notified_attributes_together_choose_sources(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    notification = {"attributes": ["speed"], "endpoint": {"uri": receiver.url}}
    await subscribe(client, wish(notification=notification, watchedAttributes=["heading"]))
    entity = {"entities": [{"type": "City"}]}
    await register(client, source("size", information=[{**entity, "propertyNames": ["size"]}]))
    await register(client, source("speed", information=[{**entity, "propertyNames": ["speed"]}]))
    assert told(await receiver.next()) == ("newlyMatching", ["speed"])
    await receiver.silence()


async def test_a_history_subscriber_is_told_of_sources_of_that_time(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    window = {"timerel": "after", "timeAt": "2020-06-01T00:00:00Z", "timeproperty": "createdAt"}
    await subscribe(client, wish(receiver, temporalQ=window))
    interval = {"startAt": "2020-01-01T00:00:00Z"}
    await register(client, source("latest"))
    await register(client, source("observed", observationInterval=interval))
    await register(client, source("managed", managementInterval=interval))
    assert told(await receiver.next()) == ("newlyMatching", ["managed"])
    await receiver.silence()


async def test_a_changed_subscription_is_told_of_all_that_matches_now(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await register(client, source("city"))
    await register(client, source("bus", information=[{"entities": [{"type": "Bus"}]}]))
    await subscribe(client, wish(receiver))
    assert told(await receiver.next()) == ("newlyMatching", ["city"])
    one = f"{SUBSCRIPTIONS}/{SUBSCRIPTION}"
    both = {"entities": [{"type": "City"}, {"type": "Bus"}]}
    assert (await client.patch(one, json=both)).status_code == 204
    assert told(await receiver.next()) == ("newlyMatching", ["city", "bus"])
    assert (await client.patch(one, json={"isActive": False})).status_code == 204
    await register(client, source("late"))
    await receiver.silence()
    assert (await client.get(one)).json()["status"] == "paused"


async def test_a_periodic_subscriber_is_told_of_all_again_and_again(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await register(client, source("a"))
    await subscribe(client, wish(receiver, timeInterval=0.2))
    assert told(await receiver.next()) == ("newlyMatching", ["a"])
    await register(client, source("b"))
    assert told(await receiver.next()) == ("newlyMatching", ["a", "b"])
    assert told(await receiver.next()) == ("newlyMatching", ["a", "b"])


async def test_how_notifications_went_is_shown(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(client, wish())
    await register(client, source())
    one = f"{SUBSCRIPTIONS}/{SUBSCRIPTION}"
    shown: dict[str, Any] = {}
    async with asyncio.timeout(5):
        while "status" not in shown:
            await asyncio.sleep(0.02)
            shown = (await client.get(one)).json()["notification"]
    assert (shown["status"], shown["timesSent"], shown["timesFailed"]) == ("failed", 1, 1)
    assert shown.keys() >= {"lastNotification", "lastFailure"}


async def test_nothing_is_told_when_a_subscription_is_gone(
    client: httpx.AsyncClient, receiver: Receiver
) -> None:
    await subscribe(client, wish(receiver))
    one = f"{SUBSCRIPTIONS}/{SUBSCRIPTION}"
    assert (await client.delete(one)).status_code == 204
    assert (await client.get(one)).status_code == 404
    await register(client, source())
    await receiver.silence()


async def test_subscriptions_to_sources_are_listed_apart_from_those_to_entities(
    client: httpx.AsyncClient,
) -> None:
    for number in range(3):
        await subscribe(client, wish(id=f"urn:ngsi-ld:Subscription:{number}"))
    response = await client.get(SUBSCRIPTIONS, params={"limit": 2, "count": "true"})
    assert [one["id"][-1] for one in response.json()] == ["0", "1"]
    assert response.headers["ngsild-results-count"] == "3"
    assert "notificationTrigger" not in response.json()[0]
    assert (await client.get("/subscriptions")).json() == []
    taken = await client.post(SUBSCRIPTIONS, json=wish(id="urn:ngsi-ld:Subscription:0"))
    assert taken.status_code == 409


@pytest.mark.parametrize(
    "members",
    [
        {"temporalQ": {"timeAt": "2020-01-01T00:00:00Z"}},
        {"temporalQ": {"timerel": 7, "timeAt": "2020-01-01T00:00:00Z"}},
        {"temporalQ": {"timerel": "between", "timeAt": "2020-01-01T00:00:00Z"}},
        {"csf": "fleet=="},
        {"expiresAt": "2020-01-01T00:00:00Z"},
    ],
)
async def test_a_subscription_that_breaks_a_rule_is_refused(
    client: httpx.AsyncClient, members: dict[str, Any]
) -> None:
    response = await client.post(SUBSCRIPTIONS, json=wish(**members))
    assert response.status_code == 400, response.text
    assert (await client.get(SUBSCRIPTIONS)).json() == []


async def test_a_peer_that_may_federate_does_not_see_what_sources_are_told(
    tmp_path: Path,
) -> None:
    file = TokenFile(tmp_path / "tokens.json")
    rights: tuple[Right, ...] = ("admin", "federate")
    secrets = {right: mint() for right in rights}
    for right, secret in secrets.items():
        file.add(Token(right, digest_of(secret), frozenset({right, "read"})))
    settings = Settings(store=str(tmp_path / "guarded.db"), tokens=file.path)
    host = build_host(settings)
    await host.open()
    transport = httpx.ASGITransport(app=build_app(host, settings, tokens=file))
    shown = {}
    try:
        for right, secret in secrets.items():
            async with httpx.AsyncClient(
                transport=transport,
                base_url="http://node/ngsi-ld/v1",
                headers={"Authorization": f"Bearer {secret}"},
            ) as client:
                if right == "admin":
                    told = [{"key": "Authorization", "value": "Bearer x"}]
                    await register(client, source(contextSourceInfo=told))
                shown[right] = (await client.get(SOURCES, params={"type": "City"})).text
    finally:
        await host.close()
    assert "Bearer x" in shown["admin"]
    assert "Bearer x" not in shown["federate"]
    assert ENDPOINT in shown["federate"]

"""Cities join a region by a code, are visible at once, and are gone when they leave."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.federation.nodes import (
    ADMIN,
    Place,
    command,
    invited,
    joined,
    kill,
    place,
    put,
    running,
)

API = "/ngsi-ld/v1"
TYPES = {"Bus": {"speed": {"kind": "Property", "required": True, "value": "number"}}}


def bus(number: int, speed: object = 30) -> dict[str, object]:
    return {"id": f"urn:ngsi-ld:Bus:wuxi:{number}", "type": "Bus", "speed": speed}


async def buses(here: Place, token: str = ADMIN) -> tuple[list[str], httpx.Response]:
    async with here.client(token) as client:
        response = await client.get(f"{API}/entities", params={"type": "Bus", "limit": "100"})
    assert response.status_code == 200, response.text
    return sorted(one["id"] for one in response.json()), response


async def ask(here: Place, method: str, path: str, **more: Any) -> httpx.Response:
    async with here.client(more.pop("token", ADMIN)) as client:
        return await client.request(method, path, **more)


@pytest.mark.slow
async def test_a_city_is_visible_at_once_missed_when_killed_and_back_by_itself(
    tmp_path: Path,
) -> None:
    region, city = place(tmp_path, "delta"), place(tmp_path, "wuxi")
    async with running(region) as regional:
        async with running(city) as process:
            await put(city, bus(1), bus(2))
            response = await joined(city, region)
            assert response.status_code == 201, response.text
            ids, answer = await buses(region)
            assert ids == [str(bus(1)["id"]), str(bus(2)["id"])]
            assert answer.headers["Conurb-Completeness"].startswith("2/2")
            await kill(process)
        ids, answer = await buses(region)
        assert ids == []
        assert answer.headers["Conurb-Completeness"].startswith("1/2")
        assert "wuxi" in answer.headers["NGSILD-Warning"]
        async with running(city), asyncio.timeout(60):
            while len((await buses(region))[0]) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
            assert (await buses(region))[1].headers["Conurb-Completeness"].startswith("2/2")
            await kill(regional)
            async with running(region):
                assert (await buses(region))[1].headers["Conurb-Completeness"].startswith("2/2")


@pytest.mark.slow
async def test_an_expelled_citys_token_is_refused_and_so_is_the_regions(tmp_path: Path) -> None:
    region, city = place(tmp_path, "delta"), place(tmp_path, "wuxi")
    async with running(region), running(city):
        await put(city, bus(1))
        assert (await joined(city, region)).status_code == 201
        inward, outward = await secrets_of(region, city)
        assert (await buses(region, inward))[0] == (await buses(city, outward))[0] != []
        watch = {
            "type": "Subscription",
            "entities": [{"type": "Bus"}],
            "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}},
        }
        for here, token in ((region, inward), (city, outward)):
            made = await ask(here, "POST", f"{API}/subscriptions", json=watch, token=token)
            assert made.status_code == 201, made.text

        response = await ask(region, "DELETE", "/federation/members/wuxi")
        assert response.json() == {"told": True}
        for here, token in ((region, inward), (city, outward)):
            refused = await ask(here, "GET", f"{API}/entities?type=Bus", token=token)
            assert refused.status_code == 401
            assert (await ask(here, "GET", f"{API}/subscriptions")).json() == []
        assert (await buses(region))[0] == []
        for here, path in ((region, "members"), (city, "memberships")):
            assert (await ask(here, "GET", f"/federation/{path}")).json() == []
        registrations = await ask(region, "GET", f"{API}/csourceRegistrations?type=Bus")
        assert registrations.json() == []


async def secrets_of(region: Place, city: Place) -> tuple[str, str]:
    """Take the secrets out of the stores of both sides, which are the only places that have them.

    The first is the city's for the region, the second the region's for the city.
    """
    from conurb.store.engines import open_store

    secrets = []
    for here, kind in ((city, "membership"), (region, "csource-registration")):
        store = open_store(str(here.folder / "node.db"))
        await store.open()
        [stored] = await store.list_documents(kind)
        await store.close()
        if kind == "membership":
            secrets.append(stored.body["secret"])
        else:
            [told] = stored.body["document"]["contextSourceInfo"]
            secrets.append(told["value"].removeprefix("Bearer "))
    for here in (region, city):
        kept = (here.folder / "tokens.json").read_text()
        assert not any(secret in kept for secret in secrets)
    return secrets[0], secrets[1]


@pytest.mark.slow
async def test_objects_that_do_not_fit_are_named_and_keep_the_city_out(tmp_path: Path) -> None:
    region, city = place(tmp_path, "delta"), place(tmp_path, "wuxi")
    async with running(region), running(city):
        assert (
            await ask(region, "PUT", "/federation/shared", json={"types": TYPES})
        ).status_code == 204
        without: dict[str, object] = {"id": "urn:ngsi-ld:Bus:wuxi:9", "type": "Bus"}
        await put(city, bus(1), bus(2, "fast"), without)
        response = await joined(city, region)
        assert response.status_code == 200
        document = response.json()
        assert document["joined"] is False
        faults = {one["id"]: one["reason"] for one in document["report"]["faults"]}
        assert faults == {
            str(bus(2)["id"]): "holds 'fast', not a number",
            without["id"]: "is missing",
        }
        assert all(one["attribute"].endswith("/speed") for one in document["report"]["faults"])
        assert (await ask(region, "GET", "/federation/members")).json() == []

        await put(city, bus(2), {**without, "speed": 5})
        secret: dict[str, object] = {"id": "urn:ngsi-ld:Secret:wuxi:1", "type": "Secret"}
        await put(city, secret)
        code = await invited(region, "wuxi")
        for dry in (True, False):
            wish = {"region": region.url, "code": code, "dry": dry}
            response = await ask(city, "POST", "/federation/memberships", json=wish)
            assert response.json()["report"]["faults"] == []
            assert response.json()["joined"] is not dry
        assert len((await buses(region))[0]) == 3
        _, outward = await secrets_of(region, city)
        hidden = await ask(city, "GET", f"{API}/entities?type=Secret", token=outward)
        assert hidden.json() == []


@pytest.mark.slow
async def test_a_code_is_good_for_one_city_once(tmp_path: Path) -> None:
    region, wuxi, huzhou = (place(tmp_path, name) for name in ("delta", "wuxi", "huzhou"))
    async with running(region), running(wuxi), running(huzhou):
        code = await invited(region, "wuxi")
        wish: dict[str, Any] = {"region": region.url, "code": "of-nobody", "types": ["Bus"]}
        refused = await ask(wuxi, "POST", "/federation/memberships", json=wish)
        assert refused.status_code == 403
        wish["code"] = code
        assert (await ask(wuxi, "POST", "/federation/memberships", json=wish)).status_code == 201
        refused = await ask(huzhou, "POST", "/federation/memberships", json=wish)
        assert refused.status_code == 403
        assert [one.name for one in huzhou.tokens.list_tokens()] == ["admin"]
        again = {"region": region.url, "code": await invited(region, "wuxi")}
        assert (await ask(wuxi, "POST", "/federation/memberships", json=again)).status_code == 409
        brief = {"city": "huzhou", "lifetime": 1}
        late = (await ask(region, "POST", "/federation/invitations", json=brief)).json()["code"]
        await asyncio.sleep(1.1)
        refused = await ask(
            huzhou, "POST", "/federation/memberships", json={"region": region.url, "code": late}
        )
        assert refused.status_code == 403


@pytest.mark.slow
async def test_regions_nest_and_a_city_may_belong_to_two(tmp_path: Path) -> None:
    delta, province, city = (place(tmp_path, name) for name in ("delta", "jiangsu", "wuxi"))
    async with AsyncExitStack() as stack:
        for here in (delta, province, city):
            await stack.enter_async_context(running(here))
        await put(city, bus(1))
        await put(province, bus(2))
        for member, region in ((city, province), (province, delta), (city, delta)):
            response = await joined(member, region)
            assert response.status_code == 201, response.text
        # In a circle: the province has the Delta as a member too.
        assert (await joined(delta, province)).status_code == 201
        everything = [str(bus(1)["id"]), str(bus(2)["id"])]
        for here in (delta, province):
            assert (await buses(here))[0] == everything
        async with delta.client() as client:
            counted = await client.get(
                f"{API}/entities", params={"type": "Bus", "count": "true", "limit": "1"}
            )
        assert counted.headers["NGSILD-Results-Count"] == "2"
        assert len((await ask(city, "GET", "/federation/memberships")).json()) == 2

        left = await ask(city, "DELETE", "/federation/memberships/delta")
        assert left.json() == {"told": True}
        assert [
            one["region"] for one in (await ask(city, "GET", "/federation/memberships")).json()
        ] == ["jiangsu"]
        assert (await buses(delta))[0] == everything, "through the province still"
        assert (await buses(province))[0] == everything


@pytest.mark.slow
@pytest.mark.parametrize("by", ["city", "region"])
async def test_copies_of_the_regions_subscriptions_end_with_the_membership(
    tmp_path: Path, by: str
) -> None:
    region, city = place(tmp_path, "delta"), place(tmp_path, "wuxi")
    watch = {
        "type": "Subscription",
        "entities": [{"type": "Bus"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}},
    }
    async with running(region), running(city):
        await put(city, bus(1))
        assert (await ask(region, "POST", f"{API}/subscriptions", json=watch)).status_code == 201
        assert (await joined(city, region)).status_code == 201
        async with asyncio.timeout(30):
            while not (await ask(city, "GET", f"{API}/subscriptions")).json():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        here, path = {"city": (city, "memberships/delta"), "region": (region, "members/wuxi")}[by]
        assert (await ask(here, "DELETE", f"/federation/{path}")).json() == {"told": True}
        assert (await ask(city, "GET", f"{API}/subscriptions")).json() == []
        await asyncio.sleep(2)
        assert (await ask(city, "GET", f"{API}/subscriptions")).json() == []
        assert len((await ask(region, "GET", f"{API}/subscriptions")).json()) == 1


@pytest.mark.slow
async def test_the_commands_invite_join_leave_and_expel(tmp_path: Path) -> None:
    region, city = place(tmp_path, "delta"), place(tmp_path, "wuxi")
    async with running(region), running(city):
        await put(city, bus(1))
        code, _ = await command(region, "invite", "wuxi")
        _, said = await command(city, "join", region.url, "--code", code.strip(), "--dry-run")
        assert "nothing was done" in said
        _, said = await command(city, "join", region.url, "--code", code.strip())
        assert "Joined delta as wuxi" in said
        assert len((await buses(region))[0]) == 1
        _, said = await command(city, "leave")
        assert said.strip() == "Left delta"
        assert (await buses(region))[0] == []
        code, _ = await command(region, "invite", "wuxi")
        await command(city, "join", region.url, "--code", code.strip())
        _, said = await command(region, "expel", "wuxi")
        assert said.strip() == "Expelled wuxi"
        assert (await buses(region))[0] == []


@pytest.mark.slow
async def test_nodes_with_an_authority_of_their_own_join_over_tls(tmp_path: Path) -> None:
    tls = certificate(tmp_path)
    region, city = (place(tmp_path, name, tls=tls) for name in ("delta", "wuxi"))
    async with running(region), running(city):
        await put(city, bus(1))
        code, _ = await command(region, "invite", "wuxi")
        _, said = await command(city, "join", region.url, "--code", code.strip())
        assert "Joined delta as wuxi" in said
        ids, answer = await buses(region)
        assert ids == [bus(1)["id"]]
        assert answer.headers["Conurb-Completeness"].startswith("2/2")


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for this machine, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl isn't installed; it makes the test's certificate")
    made, key = folder / "city.pem", folder / "city.key"
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject),
            *("-out", str(made), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
    )
    return made, key

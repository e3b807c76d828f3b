"""What subscriptions tell across restarts and crashes, and every interval."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from conurb.access.caller import LOCAL
from conurb.model.time import system_clock
from conurb.node.dispatch import FLUSH_S, HEAD, READER, STANDING_KIND
from conurb.node.office import Policy
from conurb.store.contract import Store
from conurb.store.engines import open_store
from tests.node.city import QUICK, City, ids, opened, told, until
from tests.services.receiver import Receiver, receiving

# ── restarts ──────────────────────────────────────────────────────────────────────────────────


async def test_what_was_not_delivered_is_after_a_restart(place: str, receiver: Receiver) -> None:
    async with receiving() as gone:
        port = gone.port
    async with opened(place) as city:
        await city.subscribe(receiver.url, "urn:s:good")
        await city.subscribe(f"http://127.0.0.1:{port}/notify", "urn:s:bad")
        for number in range(5):
            await city.put(f"urn:e:{number}", a=1)
        await told(receiver, 5)
    receiver.posts.clear()
    async with receiving(port) as back, opened(place) as city:
        assert await told(back, 5) == [f"urn:e:{number}" for number in range(5)]
        await receiver.silence()
        await city.put("urn:e:new", a=1)
        assert await told(receiver, 1) == ["urn:e:new"]


async def test_what_is_under_way_when_a_node_stops_is_not_told_again(
    place: str, receiver: Receiver
) -> None:
    receiver.delay_s = 0.2
    async with opened(place) as city:
        await city.subscribe(receiver.url)
        await city.put("urn:e:1", a=1)
        await receiver.wait(1)
        await city.put("urn:e:2", a=1)
    async with opened(place) as city:
        assert await told(receiver, 2) == ["urn:e:1", "urn:e:2"]


async def test_a_crash_repeats_at_most_what_was_not_stored_and_loses_nothing(
    place: str, receiver: Receiver
) -> None:
    for life in range(4):
        city = City(open_store(place, clock=system_clock), QUICK)
        await city.open()
        if life == 0:
            await city.subscribe(receiver.url)
        for number in range(10):
            await city.put(f"urn:e:{life}-{number}", a=1)
        await asyncio.sleep(0.03 * life)
        await city.kill()
    async with opened(place):
        everything = {f"urn:e:{life}-{number}" for life in range(4) for number in range(10)}
        assert set(await told(receiver, 40)) == everything


async def test_a_backlog_survives_a_crash_even_when_the_others_have_gone_on(
    place: str, receiver: Receiver
) -> None:
    policy = Policy(pause_s=0.05, pause_s_max=0.05, queue_max=3, page=5)
    async with receiving() as gone:
        port = gone.port
    city = City(open_store(place, clock=system_clock), policy)
    await city.open()
    await city.subscribe(receiver.url, "urn:s:good")
    await city.subscribe(f"http://127.0.0.1:{port}/notify", "urn:s:bad")
    for number in range(30):
        await city.put(f"urn:e:{number}", a=1)
    await told(receiver, 30)
    await until_stored(city.store, HEAD, 30)
    assert await city.store.position(READER) < 30
    await city.kill()
    receiver.posts.clear()
    async with receiving(port) as back, opened(place, policy):
        assert await told(back, 30) == [f"urn:e:{number}" for number in range(30)]
        assert receiver.posts == []


@pytest.mark.parametrize("seed", range(3))
async def test_crashes_while_couriers_are_behind_lose_nothing(
    place: str, receiver: Receiver, seed: int
) -> None:
    chance = Random(seed)
    policy = Policy(pause_s=0.01, pause_s_max=0.02, queue_max=2, group_max=2, page=3)
    receiver.answer = lambda post: 503 if chance.random() < 0.3 else 200
    async with receiving() as gone:
        port = gone.port
    everything = set()
    for life in range(5):
        city = City(open_store(place, clock=system_clock), policy)
        await city.open()
        if life == 0:
            await city.subscribe(receiver.url, "urn:s:flaky")
            await city.subscribe(f"http://127.0.0.1:{port}/notify", "urn:s:dead")
        for number in range(15):
            everything.add(f"urn:e:{life}-{number}")
            await city.put(f"urn:e:{life}-{number}", a=1)
        await asyncio.sleep(chance.random() * 0.6)
        await city.kill()
    async with receiving(port) as back, opened(place, policy):
        assert set(await told(receiver, 75)) == everything
        assert list(dict.fromkeys(await told(back, 75))) == sorted(everything, key=born)


async def test_what_was_read_in_catching_up_survives_a_crash_before_it_is_delivered(
    place: str, receiver: Receiver
) -> None:
    policy = Policy(pause_s=0.02, pause_s_max=0.02, queue_max=5, page=10)
    async with receiving() as slow:
        slow.answer = lambda post: 503
        city = City(open_store(place, clock=system_clock), policy)
        await city.open()
        await city.subscribe(receiver.url, "urn:s:good")
        await city.subscribe(slow.url, "urn:s:slow")
        for number in range(8):
            await city.put(f"urn:e:{number}", a=1)
        await until_stored(city.store, HEAD, 8)
        slow.answer = lambda post: 503 if "urn:e:5" in ids(post) else 200
        courier = city.subscriptions.dispatcher.find("urn:s:slow")
        assert courier is not None
        await until(lambda: not courier.standing.behind and len(courier._waiting) == 3)
        await asyncio.sleep(2 * FLUSH_S)
        await city.kill()
        slow.posts.clear()
        slow.answer = lambda post: 200
        async with opened(place, policy):
            assert await told(slow, 3) == ["urn:e:5", "urn:e:6", "urn:e:7"]


def born(entity_id: str) -> tuple[int, int]:
    life, number = entity_id.removeprefix("urn:e:").split("-")
    return int(life), int(number)


async def test_what_a_paused_subscription_missed_stays_missed_after_a_restart(
    place: str, receiver: Receiver
) -> None:
    async with opened(place) as city:
        await city.subscribe(receiver.url)
        await city.update({"isActive": False})
        await city.put("urn:e:1", a=1)
        await city.update({"isActive": True})
    async with opened(place) as city:
        await receiver.silence()
        await city.put("urn:e:2", a=1)
        assert await told(receiver, 1) == ["urn:e:2"]


async def test_counts_survive_a_restart_and_go_with_the_subscription(
    place: str, receiver: Receiver
) -> None:
    async with opened(place) as city:
        await city.subscribe(receiver.url)
        await city.put("urn:e:1", a=1)
        await told(receiver, 1)
    async with opened(place) as city:
        assert await city.counts() == (1, 0, "ok")
        await city.subscriptions.delete(LOCAL, "urn:s:1")
        assert await city.store.list_documents(STANDING_KIND) == []


async def test_positions_let_the_journal_be_pruned(city: City, receiver: Receiver) -> None:
    await city.subscribe(receiver.url)
    await city.put("urn:e:1", a=1)
    await city.put("urn:e:2", b=1)
    await told(receiver, 2)
    await until_stored(city.store, READER, 2)
    await city.store.prune_journal(before_us=system_clock() + 1)
    await city.put("urn:e:3", a=1)
    assert (await told(receiver, 3))[-1] == "urn:e:3"


async def until_stored(store: Store, reader: str, seq: int) -> None:
    async with asyncio.timeout(10):
        while await store.position(reader) < seq:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


# ── periodic subscriptions ────────────────────────────────────────────────────────────────────


async def test_a_periodic_subscription_tells_what_there_is_every_interval(
    city: City, receiver: Receiver
) -> None:
    await city.put("urn:e:1", a=1)
    await city.put("urn:e:2", a=20)
    await city.subscribe(receiver.url, timeInterval=0.3, q="a>10")
    first, second = await receiver.wait(2)
    assert ids(first) == ids(second) == ["urn:e:2"]
    assert 0.2 < second.at_s - first.at_s < 0.6


async def test_a_periodic_subscription_says_nothing_of_nothing(
    city: City, receiver: Receiver
) -> None:
    await city.subscribe(receiver.url, timeInterval=0.1)
    await receiver.silence()
    await city.put("urn:e:1", a=1)
    await receiver.wait(1)
    await city.update({"isActive": False})
    receiver.posts.clear()
    await receiver.silence()
    await city.update({"isActive": True})
    await receiver.wait(1)


async def test_a_periodic_subscription_goes_on_after_failures_and_restarts(
    place: str, receiver: Receiver
) -> None:
    receiver.answer = lambda post: 500 if len(receiver.posts) == 1 else 200
    async with opened(place) as city:
        await city.put("urn:e:1", a=1)
        await city.subscribe(receiver.url, timeInterval=0.1)
        await receiver.wait(2)
    receiver.posts.clear()
    async with opened(place):
        await receiver.wait(2)


async def test_a_subscription_that_expires_falls_silent(city: City, receiver: Receiver) -> None:
    from conurb.model.time import shown_us

    soon = shown_us(system_clock() + 300_000)
    await city.subscribe(receiver.url, expiresAt=soon)
    await city.put("urn:e:1", a=1)
    await receiver.wait(1)
    await asyncio.sleep(0.4)
    receiver.posts.clear()
    await city.put("urn:e:2", a=1)
    await receiver.silence()
    shown = await city.subscriptions.get(LOCAL, "urn:s:1")
    assert shown.subscription.status(system_clock()) == "expired"

"""How notifications are delivered: retries, throttling, backlogs; to whom, and at what cost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from conurb.access.caller import LOCAL, Caller
from conurb.access.outbound import Outbound
from conurb.errors import ForbiddenError
from conurb.model.context import core_terms
from conurb.model.query.tree import Restriction
from conurb.node.office import Policy
from tests.node.city import BASE, City, ids, opened, told, until
from tests.services.receiver import Receiver, receiving

# ── failures ──────────────────────────────────────────────────────────────────────────────────


async def test_what_fails_is_tried_again_until_it_is_taken(city: City, receiver: Receiver) -> None:
    answers = iter([500, 503, 200])
    receiver.answer = lambda post: next(answers)
    await city.subscribe(receiver.url)
    await city.put("urn:e:1", a=1)
    posts = await receiver.wait(3)
    assert [ids(post) for post in posts] == [["urn:e:1"]] * 3
    await until(lambda: not city.subscriptions.dispatcher._dirty)
    assert await city.counts() == (3, 2, "ok")
    assert posts[2].at_s - posts[1].at_s > posts[1].at_s - posts[0].at_s > 0.025


async def test_what_is_refused_for_good_is_not_tried_again(city: City, receiver: Receiver) -> None:
    receiver.answer = lambda post: 400 if ids(post) == ["urn:e:1"] else 200
    await city.subscribe(receiver.url)
    await city.put("urn:e:1", a=1)
    await receiver.wait(1)
    await city.put("urn:e:2", a=1)
    posts = await receiver.wait(2)
    assert [ids(post) for post in posts] == [["urn:e:1"], ["urn:e:2"]]
    await asyncio.sleep(0.05)
    assert await city.counts() == (2, 1, "ok")


async def test_a_receiver_that_comes_back_gets_everything_in_order(city: City) -> None:
    async with receiving() as gone:
        port = gone.port
    await city.subscribe(f"http://127.0.0.1:{port}/notify")
    for number in range(5):
        await city.put(f"urn:e:{number}", a=1)
    await asyncio.sleep(0.1)
    assert (await city.counts())[2] == "failed"
    async with receiving(port) as receiver:
        assert await told(receiver, 5) == [f"urn:e:{number}" for number in range(5)]


async def test_a_receiver_that_takes_too_long_has_failed(city: City, receiver: Receiver) -> None:
    receiver.delay_s = 60
    await city.subscribe(receiver.url, endpoint={"timeout": 100})
    await city.put("urn:e:1", a=1)
    # The second attempt says that the first was given up; it may have been given up as well.
    await receiver.wait(2)
    _, failed, status = await city.counts()
    assert status == "failed"
    assert failed >= 1


async def test_nothing_is_sent_while_a_receiver_cools_down(city: City, receiver: Receiver) -> None:
    receiver.answer = lambda post: 500 if len(receiver.posts) == 1 else 200
    await city.subscribe(receiver.url, endpoint={"cooldown": 600})
    await city.put("urn:e:1", a=1)
    first, second = await receiver.wait(2)
    assert second.at_s - first.at_s >= 0.6


async def test_what_has_waited_too_long_is_given_up(place: str, receiver: Receiver) -> None:
    receiver.answer = lambda post: 500 if "urn:e:1" in ids(post) else 200
    policy = Policy(pause_s=0.05, pause_s_max=0.05, kept_s=0.2)
    async with opened(place, policy) as city:
        await city.subscribe(receiver.url)
        await city.put("urn:e:1", a=1)
        await asyncio.sleep(0.4)
        await city.put("urn:e:2", a=1)
        assert (await told(receiver, 2))[-1] == "urn:e:2"
        count = len(receiver.posts)
        await asyncio.sleep(0.2)
        assert len(receiver.posts) == count


async def test_a_slow_receiver_holds_up_nobody(city: City, receiver: Receiver) -> None:
    async with receiving() as slow:
        slow.delay_s = 30
        await city.subscribe(slow.url, "urn:s:slow", endpoint={"timeout": 60_000})
        await city.subscribe("http://127.0.0.1:9/dead", "urn:s:dead")
        await city.subscribe(receiver.url, "urn:s:quick")
        started_s = asyncio.get_running_loop().time()
        for number in range(20):
            await city.put(f"urn:e:{number}", a=1)
        assert len(await told(receiver, 20)) == 20
        assert asyncio.get_running_loop().time() - started_s < slow.delay_s / 2


async def test_the_allow_list_is_asked_again_when_something_is_sent(
    city: City, receiver: Receiver
) -> None:
    await city.subscribe(receiver.url)
    city.delivery.outbound = Outbound(())
    await city.put("urn:e:1", a=1)
    await receiver.silence()
    assert (await city.counts())[2] == "failed"


# ── throttling and groups ─────────────────────────────────────────────────────────────────────


async def test_throttled_changes_are_told_together_afterwards(
    city: City, receiver: Receiver
) -> None:
    await city.subscribe(receiver.url, throttling=0.7)
    await city.put("urn:e:1", a=0)
    first = (await receiver.wait(1))[0]
    for value in (1, 2, 3):
        await city.patch("urn:e:1", a=value)
    await city.put("urn:e:2", a=9)
    second = (await receiver.wait(2))[1]
    assert second.at_s - first.at_s >= 0.69
    assert second.document["data"] == [
        {"id": "urn:e:1", "type": "T", "a": 3},
        {"id": "urn:e:2", "type": "T", "a": 9},
    ]
    receiver.posts.clear()
    await receiver.silence(0.9)


async def test_a_storm_of_changes_becomes_one_notification_when_throttled(
    place: str, receiver: Receiver
) -> None:
    policy = Policy(queue_max=4, gathered_max=10, page=7)
    async with opened(place, policy) as city:
        await city.subscribe(receiver.url, throttling=1.5)
        await city.put("urn:e:1", a=0)
        await receiver.wait(1)
        for value in range(40):
            await city.patch("urn:e:1", a=value + 1)
        await city.put("urn:e:2", a=0)
        second = (await receiver.wait(2))[1]
        assert [(one["id"], one["a"]) for one in second.document["data"]] == [
            ("urn:e:1", 40),
            ("urn:e:2", 0),
        ]


async def test_a_throttled_backlog_of_many_entities_comes_in_portions(
    place: str, receiver: Receiver
) -> None:
    policy = Policy(gathered_max=10, page=4)
    async with opened(place, policy) as city:
        await city.subscribe(receiver.url, throttling=0.2)
        for number in range(35):
            await city.put(f"urn:e:{number}", a=1)
        arrived = await told(receiver, 35)
        assert sorted(arrived) == sorted(f"urn:e:{number}" for number in range(35))
        assert all(len(ids(post)) <= 10 for post in receiver.posts)


async def test_throttling_that_comes_and_goes_loses_nothing(city: City, receiver: Receiver) -> None:
    await city.subscribe(receiver.url, throttling=3600)
    await city.put("urn:e:0", a=0)
    await receiver.wait(1)
    for number in range(1, 5):
        await city.put(f"urn:e:{number}", a=0)
        await city.patch(f"urn:e:{number}", a=1)
    await city.update({"throttling": None})
    assert set(await told(receiver, 5)) == {f"urn:e:{number}" for number in range(5)}


async def test_changes_that_wait_go_together_but_none_of_one_entity_is_left_out(
    city: City, receiver: Receiver
) -> None:
    receiver.delay_s = 0.3
    await city.subscribe(receiver.url)
    await city.put("urn:e:1", a=0)
    await receiver.wait(1)
    await city.put("urn:e:2", a=0)
    await city.put("urn:e:3", a=0)
    await city.patch("urn:e:2", a=1)
    posts = await receiver.wait(3)
    assert [ids(post) for post in posts] == [["urn:e:1"], ["urn:e:2", "urn:e:3"], ["urn:e:2"]]
    assert [posts[1].document["data"][0]["a"], posts[2].document["data"][0]["a"]] == [0, 1]


# ── backlogs ──────────────────────────────────────────────────────────────────────────────────


async def test_a_backlog_waits_in_the_journal_not_in_memory(place: str, receiver: Receiver) -> None:
    policy = Policy(pause_s=0.05, pause_s_max=0.05, queue_max=4, page=7, group_max=3)
    receiver.answer = lambda post: 503
    async with opened(place, policy) as city:
        await city.subscribe(receiver.url)
        courier = city.subscriptions.dispatcher.find("urn:s:1")
        assert courier is not None
        for number in range(60):
            await city.put(f"urn:e:{number}", a=1)
        await until(lambda: courier.standing.behind)
        assert len(courier._waiting) <= 4
        receiver.posts.clear()
        receiver.answer = lambda post: 200
        assert await told(receiver, 60) == [f"urn:e:{number}" for number in range(60)]
        await until(lambda: not courier.standing.behind)
        await city.put("urn:e:last", a=1)
        assert (await told(receiver, 61))[-1] == "urn:e:last"


async def test_nothing_is_lost_while_couriers_fall_behind_and_catch_up(
    place: str, receiver: Receiver
) -> None:
    policy = Policy(pause_s=0.01, pause_s_max=0.01, queue_max=2, page=3, group_max=1)
    receiver.answer = lambda post: 503 if len(receiver.posts) % 5 == 0 else 200
    async with opened(place, policy) as city:
        await city.subscribe(receiver.url)
        for number in range(150):
            await city.put(f"urn:e:{number}", a=1)
            if number % 10 == 0:
                await asyncio.sleep(0.02)
        arrived = await told(receiver, 150)
        assert list(dict.fromkeys(arrived)) == [f"urn:e:{number}" for number in range(150)]


# ── callers ───────────────────────────────────────────────────────────────────────────────────


async def test_nobody_is_told_what_they_may_not_read(city: City, receiver: Receiver) -> None:
    caller = Caller("guest", frozenset({"read"}), Restriction(scopes=("/yrd",)))
    document = {
        "id": "urn:s:1",
        "type": "Subscription",
        "entities": [{"type": "T"}],
        "notification": {"endpoint": {"uri": receiver.url}},
    }
    await city.subscriptions.create(caller, document, core_terms(), base_url=BASE)
    await city.put("urn:e:1", a=1, scope="/prd/shenzhen")
    await city.put("urn:e:2", a=1, scope="/yrd/wuxi")
    assert await told(receiver, 1) == ["urn:e:2"]
    await receiver.wait(1)
    assert len(receiver.posts) == 1


async def test_a_subscription_belongs_to_who_made_it(city: City) -> None:
    one = Caller("one", frozenset({"read"}))
    other = Caller("other", frozenset({"read", "write"}))
    document = {
        "id": "urn:s:1",
        "type": "Subscription",
        "entities": [{"type": "T"}],
        "notification": {"endpoint": {"uri": "http://127.0.0.1:9/"}},
    }
    await city.subscriptions.create(one, document, core_terms(), base_url=BASE)
    with pytest.raises(ForbiddenError):
        await city.subscriptions.delete(other, "urn:s:1")
    with pytest.raises(ForbiddenError):
        await city.subscriptions.update(
            other, "urn:s:1", {"isActive": False}, core_terms(), base_url=BASE
        )
    assert (await city.subscriptions.query(other, limit=10)) == ([], 0)
    assert (await city.subscriptions.query(one, limit=10))[1] == 1
    assert (await city.subscriptions.query(LOCAL, limit=10))[1] == 1
    with pytest.raises(ForbiddenError):
        await city.subscriptions.create(
            Caller("nobody", frozenset()), document, core_terms(), base_url=BASE
        )


# ── cost ──────────────────────────────────────────────────────────────────────────────────────


async def test_without_subscriptions_the_journal_is_not_read(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    monkeypatch.setattr(city.store, "journal", lambda **bounds: read.append(bounds))
    for number in range(5):
        await city.put(f"urn:e:{number}", a=1)
    await asyncio.sleep(0.1)
    assert read == []


async def test_a_write_asks_only_the_subscriptions_of_its_type(
    city: City, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    dispatcher = city.subscriptions.dispatcher
    concerns = dispatcher.concerns

    async def counted(subscription: Any, *rest: Any) -> bool:
        asked.append(subscription.id)
        return await concerns(subscription, *rest)

    monkeypatch.setattr(dispatcher, "concerns", counted)
    for number in range(50):
        await city.subscribe(receiver.url, f"urn:s:{number}", entities=[{"type": f"T{number}"}])
    await city.subscribe(receiver.url, "urn:s:mine")
    await city.put("urn:e:1", a=1)
    await told(receiver, 1)
    assert asked == ["urn:s:mine"]

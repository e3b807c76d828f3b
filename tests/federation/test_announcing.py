"""A subscriber to registrations is told until it takes it; back again, of all that matches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from conurb.federation import announcing as module
from conurb.federation.announcing import Announcer, Charge, Office
from conurb.federation.filing import Filed, Search, Shown, Standing
from conurb.model.context import Terms, core_terms
from conurb.model.query.tree import Query
from conurb.model.registration_document import read_document
from conurb.model.registration_rules import compile_registration
from conurb.model.subscription import compile_subscription
from conurb.model.time import system_clock
from conurb.node.message import TAKEN, Message, Outcome
from conurb.node.office import Standing as Deliveries

REFUSED = Outcome(ok=False, again=False, detail="410")
DOWN = Outcome(ok=False, again=True, detail="no answer")


class Contexts:
    async def terms(self, value: Any) -> Terms:
        return core_terms()


class Receiver:
    """Takes notifications, with outcomes given in turn; then all are taken."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.sent: list[tuple[str, list[str]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.more = asyncio.Event()

    async def send(self, message: Message) -> Outcome:
        await self.gate.wait()
        document = json.loads(message.body)
        self.sent.append((document["triggerReason"], [one["id"] for one in document["data"]]))
        self.more.set()
        return self.outcomes.pop(0) if self.outcomes else TAKEN

    async def wait(self, count: int) -> list[tuple[str, list[str]]]:
        async with asyncio.timeout(5):
            while len(self.sent) < count:
                self.more.clear()
                await self.more.wait()
        return self.sent


def shown(name: str) -> Shown:
    raw = {
        "id": f"urn:r:{name}",
        "type": "ContextSourceRegistration",
        "endpoint": "http://x.example",
        "information": [{"entities": [{"type": "City"}]}],
    }
    document = read_document(raw, core_terms())
    filed = Filed(document, compile_registration(document), 0, 0)
    return Shown(filed, filed.registration.information, Standing())


class Desk:
    """An announcer and everything around it."""

    def __init__(self, receiver: Receiver, standing: Deliveries, **members: Any) -> None:
        self.receiver = receiver
        self.matching: list[Shown] = []
        document = {
            "id": "urn:s:1",
            "type": "Subscription",
            "entities": [{"type": "City"}],
            "notification": {"endpoint": {"uri": "http://x.example/n"}},
            **members,
        }
        subscription = compile_subscription(document, core_terms())
        office = Office(
            contexts=Contexts(),  # type: ignore[arg-type]
            delivery=receiver,  # type: ignore[arg-type]
            matching=lambda search: self.matching,
            changed=lambda announcer: None,
            clock=system_clock,
            pause_s=0.01,
        )
        charge = Charge(subscription, Search(Query()), None, "http://core")
        self.announcer = Announcer(charge, standing, office)

    def offer(self, name: str) -> None:
        self.announcer.offer("updated", [shown(name)])


@pytest.fixture
async def desks() -> AsyncIterator[list[Desk]]:
    made: list[Desk] = []
    yield made
    for desk in made:
        await desk.announcer.stop()


def desk_of(
    desks: list[Desk],
    outcomes: Sequence[Outcome] = (),
    standing: Deliveries | None = None,
    **members: Any,
) -> Desk:
    desk = Desk(Receiver(*outcomes), standing or Deliveries(seq=0), **members)
    desks.append(desk)
    return desk


async def test_what_a_receiver_does_not_take_is_told_again(desks: list[Desk]) -> None:
    desk = desk_of(desks, (DOWN, DOWN))
    desk.announcer.begin()
    desk.offer("a")
    desk.offer("b")
    sent = await desk.receiver.wait(4)
    assert [ids for _, ids in sent] == [["urn:r:a"]] * 3 + [["urn:r:b"]]
    standing = desk.announcer.standing
    assert (standing.sent, standing.failed, standing.status) == (4, 2, "ok")


async def test_what_a_receiver_refuses_for_good_is_left(desks: list[Desk]) -> None:
    desk = desk_of(desks, (REFUSED,))
    desk.announcer.begin()
    desk.offer("a")
    desk.offer("b")
    sent = await desk.receiver.wait(2)
    assert [ids for _, ids in sent] == [["urn:r:a"], ["urn:r:b"]]


async def test_a_line_that_is_full_becomes_one_notification_of_all_that_matches(
    desks: list[Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINE_MAX", 2)
    desk = desk_of(desks)
    desk.receiver.gate.clear()
    desk.announcer.begin()
    desk.matching = [shown("x"), shown("y")]
    for name in ("a", "b", "c"):
        desk.offer(name)
    desk.receiver.gate.set()
    sent = await desk.receiver.wait(1)
    assert sent == [("newlyMatching", ["urn:r:x", "urn:r:y"])]


async def test_a_line_that_becomes_full_while_the_first_is_sent_is_told_all_after_it(
    desks: list[Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINE_MAX", 2)
    desk = desk_of(desks)
    desk.receiver.gate.clear()
    desk.announcer.begin()
    desk.offer("a")
    await asyncio.sleep(0.01)
    desk.matching = [shown("x")]
    for name in ("b", "c"):
        desk.offer(name)
    desk.receiver.gate.set()
    sent = await desk.receiver.wait(2)
    assert sent == [("updated", ["urn:r:a"]), ("newlyMatching", ["urn:r:x"])]


async def test_what_was_not_told_before_a_stop_is_told_with_all_that_matches_after_it(
    desks: list[Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.01)
    desk = desk_of(desks)
    desk.receiver.gate.clear()
    desk.announcer.begin()
    desk.offer("a")
    await asyncio.sleep(0.01)
    await desk.announcer.stop()
    assert desk.announcer.standing.behind
    again = desk_of(desks, standing=desk.announcer.standing)
    again.matching = [shown("a")]
    again.announcer.start()
    assert await again.receiver.wait(1) == [("newlyMatching", ["urn:r:a"])]


async def test_nothing_is_told_at_a_start_when_nothing_was_missed(desks: list[Desk]) -> None:
    desk = desk_of(desks)
    desk.matching = [shown("a")]
    desk.announcer.start()
    await asyncio.sleep(0.05)
    assert desk.receiver.sent == []


async def test_what_is_under_way_at_a_stop_is_let_finish(desks: list[Desk]) -> None:
    desk = desk_of(desks)
    desk.receiver.gate.clear()
    desk.announcer.begin()
    desk.offer("a")
    await asyncio.sleep(0.01)
    stopping = asyncio.create_task(desk.announcer.stop())
    await asyncio.sleep(0.01)
    desk.receiver.gate.set()
    await stopping
    assert desk.receiver.sent == [("updated", ["urn:r:a"])]
    assert not desk.announcer.standing.behind


async def test_throttling_spaces_notifications(desks: list[Desk]) -> None:
    desk = desk_of(desks, throttling=0.2)
    desk.announcer.begin()
    desk.offer("a")
    await desk.receiver.wait(1)
    begun = asyncio.get_running_loop().time()
    desk.offer("b")
    await desk.receiver.wait(2)
    assert asyncio.get_running_loop().time() - begun > 0.15

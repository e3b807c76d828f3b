"""Telling one subscriber of registrations, notification after notification (clauses 5.3.2, 5.11.7).

What is to be told waits in a short line. When the receiver fails for long and the line is full, it
is left for one notification that tells all that matches, which is what a subscriber has to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

import orjson

from conurb.errors import ConurbError
from conurb.federation.filing import Search, Shown, render_registration
from conurb.model.context import CORE_CONTEXT_URL
from conurb.model.subscription import Subscription
from conurb.model.time import US_PER_S, shown_us
from conurb.node.message import Message

if TYPE_CHECKING:
    from conurb.model.time import Clock
    from conurb.node.contexts import Contexts
    from conurb.node.delivery import Delivery
    from conurb.node.office import Standing

TriggerReason = Literal["newlyMatching", "updated", "noLongerMatching"]

LINE_MAX: Final = 100
"""Notifications that wait for one receiver."""
PAUSE_S: Final = 10.0
PAUSE_S_MAX: Final = 600.0
"""How long is waited after a failure: at first, and at most, each shortened by up to half."""
GRACE_S: Final = 1.0
"""How long a receiver may take with what is under way when telling stops."""
PERIOD_S_MIN: Final = 0.05
"""A periodic subscription isn't served more often."""
JSON: Final = "application/json"
JSON_LD: Final = "application/ld+json"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Charge:
    """A subscription as its announcer needs it: compiled, and how notifications are to speak."""

    subscription: Subscription
    search: Search
    context: Any
    context_url: str

    @property
    def id(self) -> str:
        """Give the subscription's id."""
        return self.subscription.id


@dataclass(frozen=True, slots=True)
class Office:
    """What all announcers of a node share."""

    contexts: Contexts
    delivery: Delivery
    matching: Callable[[Search], list[Shown]]
    changed: Callable[[Announcer], None]
    clock: Clock
    tenant: str | None = None
    pause_s: float = PAUSE_S
    new_id: Callable[[], str] = lambda: f"urn:ngsi-ld:ContextSourceNotification:{uuid4()}"
    jitter: Callable[[], float] = random.random


class Announcer:
    """Tells the receiver of one subscription."""

    def __init__(self, charge: Charge, standing: Standing, office: Office) -> None:
        self.charge = charge
        self.standing = standing
        self._office = office
        self._line: deque[tuple[TriggerReason, Sequence[Shown]]] = deque()
        self._waits = asyncio.Event()
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Go on telling; all that matches is told anew if something failed to be told before."""
        if self.standing.behind:
            self._tell_all()
        self._task = asyncio.create_task(self._run(), name=f"announcing {self.charge.id}")

    def begin(self) -> None:
        """Start telling, with all that matches (clauses 5.11.2.4, 5.11.3.4)."""
        self._tell_all()
        self._task = asyncio.create_task(self._run(), name=f"announcing {self.charge.id}")

    async def stop(self) -> None:
        """Stop telling, when the receiver has had a moment to take what is under way.

        What isn't told then is told, with all that matches, after the next start.
        """
        task, self._task = self._task, None
        if task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await self._at_rest.wait()
        task.cancel()
        await asyncio.wait([task])
        self.standing.behind = bool(self._line)
        self._office.changed(self)

    def offer(self, reason: TriggerReason, told: Sequence[Shown]) -> None:
        """Have a change told, unless the subscription is periodic or isn't active."""
        subscription = self.charge.subscription
        if subscription.interval_us is None and self._is_active() and told:
            self._put(reason, told)

    def _tell_all(self) -> None:
        self._line.clear()
        told = self._office.matching(self.charge.search)
        if told and self._is_active():
            self._put("newlyMatching", told)

    def _put(self, reason: TriggerReason, told: Sequence[Shown]) -> None:
        if len(self._line) >= LINE_MAX:
            self._line.clear()
            reason, told = "newlyMatching", self._office.matching(self.charge.search)
        self._line.append((reason, told))
        self._waits.set()

    def _is_active(self) -> bool:
        return self.charge.subscription.status(self._office.clock()) == "active"

    # ── ──────────────────────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        interval_us = self.charge.subscription.interval_us
        pause_s = 0.0
        while True:
            if not self._line:
                await self._rest(interval_us)
                continue
            await self._until((self.standing.last_success_us or 0) + self._throttling_us())
            reason, told = self._line[0]
            try:
                done = not self._is_active() or await self._send(reason, told)
            except ConurbError as error:
                self._settle(ok=False, detail=error.detail)
                done = False
            except Exception as error:  # an announcer that dies would be silent for ever
                _log.exception("notification of %s", self.charge.id)
                self._settle(ok=False, detail=repr(error))
                done = True
            if done or interval_us is not None:
                # An update of the line may have come while it was sent.
                if self._line and self._line[0][1] is told:
                    self._line.popleft()
                self.standing.behind = bool(self._line)
                pause_s = 0.0
                continue
            pause_s = min(pause_s * 2 or self._office.pause_s, PAUSE_S_MAX)
            cooldown_s = self.charge.subscription.notification.endpoint.cooldown_s
            await asyncio.sleep(max(pause_s * (1 - self._office.jitter() / 2), cooldown_s))

    async def _rest(self, interval_us: int | None) -> None:
        """Wait for something to tell: a change, or the next turn."""
        self._waits.clear()
        if interval_us is None:
            await self._waits.wait()
            return
        interval_us = max(interval_us, round(PERIOD_S_MIN * US_PER_S))
        await self._until((self.standing.last_notification_us or 0) + interval_us)
        self._tell_all()
        if not self._line:
            await asyncio.sleep(interval_us / US_PER_S)

    def _throttling_us(self) -> int:
        return self.charge.subscription.throttling_us

    async def _until(self, us: int) -> None:
        while (left_us := us - self._office.clock()) > 0:  # noqa: ASYNC110 - the clock decides
            await asyncio.sleep(left_us / US_PER_S)

    async def _send(self, reason: TriggerReason, told: Sequence[Shown]) -> bool:
        """Send once; whether that is the end of it."""
        message = await self._message(reason, told)
        self.standing.sent += 1
        self.standing.last_notification_us = self._office.clock()
        self._at_rest.clear()
        try:
            outcome = await self._office.delivery.send(message)
        finally:
            self._at_rest.set()
        self._settle(ok=outcome.ok, detail=outcome.detail)
        return outcome.ok or not outcome.again

    def _settle(self, *, ok: bool, detail: str) -> None:
        standing, now = self.standing, self._office.clock()
        if ok:
            standing.status, standing.last_success_us = "ok", now
        else:
            standing.failed += 1
            standing.status, standing.last_failure_us = "failed", now
            standing.behind = self.charge.subscription.interval_us is None
            _log.info("notification of %s failed: %s", self.charge.id, detail)
        self._office.changed(self)

    async def _message(self, reason: TriggerReason, told: Sequence[Shown]) -> Message:
        charge, office = self.charge, self._office
        terms = await office.contexts.terms(charge.context)
        endpoint = charge.subscription.notification.endpoint
        in_body = endpoint.accept == JSON_LD
        document: dict[str, Any] = {
            "id": office.new_id(),
            "type": "ContextSourceNotification",
            "subscriptionId": charge.id,
            "notifiedAt": shown_us(office.clock()),
            "triggerReason": reason,
            "data": [
                render_registration(
                    one, terms, sys_attrs=charge.subscription.notification.sys_attrs
                )
                for one in told
            ],
        }
        if in_body:
            document["@context"] = CORE_CONTEXT_URL if charge.context is None else charge.context
        return Message(
            endpoint=endpoint,
            body=orjson.dumps(document),
            media=JSON_LD if in_body else JSON,
            context_url=None if in_body else charge.context_url,
            tenant=office.tenant,
        )

"""A courier brings the notifications of one subscription, one after the other, in journal order.

It holds what waits in a bounded queue. When a receiver is slower than the journal grows, the queue
stays as it is and the courier falls *behind*: it reads the journal itself, from its own cursor,
until it has caught up. So memory is bounded whatever the backlog, and a slow or dead receiver holds
up nobody else. The cursor is stored after the receiver has taken a notification: each arrives at
least once.

What a failing receiver doesn't take is tried again with growing pauses, until it is older than
`Policy.kept_s`. While throttled, what happens is told together afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from conurb.errors import ConurbError, InputError
from conurb.model.query.tree import Query
from conurb.model.render import View
from conurb.model.time import US_PER_S
from conurb.node.join import Join, inline, walk
from conurb.node.message import Message, Outcome
from conurb.node.notification import Told, carried_context, context_in_body, tell, view_of
from conurb.node.notification import write_notification as write
from conurb.node.notify import touches
from conurb.node.office import Charge, Office, Standing
from conurb.node.waiting import Gathering, Line, Waiting

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.store.contract import Record

PERIODIC_PAGE: Final = 1000
"""Entities of one notification of a periodic subscription; more come in further ones."""
PERIOD_S_MIN: Final = 0.05
"""A periodic subscription isn't served more often."""

_log = logging.getLogger(__name__)


class Courier:
    """Brings the notifications of one subscription."""

    def __init__(self, charge: Charge, standing: Standing, office: Office) -> None:
        self.charge = charge
        self.standing = standing
        self.behind_is_stored = False
        self._office = office
        self._view: View = view_of(charge.subscription)
        self._waiting: Waiting = self._make_waiting()
        self._cursor = standing.seq
        self._pause_s = 0.0
        self._retry_us = 0
        self._task: asyncio.Task[None] | None = None
        self._at_rest = asyncio.Event()
        self._at_rest.set()
        self._closed = False

    # ── what the reader of the journal asks and gives ─────────────────────────────────────────

    def wants(self, seq: int) -> bool:
        """Whether a record is to be offered: it isn't when the courier reads by itself."""
        return not (self.standing.behind or self._closed) and seq > self._cursor

    def offer(self, record: Record) -> None:
        """Take a record that concerns the subscription; fall behind when the queue is full."""
        if self._waiting.push(record):
            self._cursor = record.seq
            self.start()
        else:
            self.standing.behind = True
            self._office.changed(self)

    def done(self, head: int) -> int:
        """Give how far everything is delivered, the node's reader having come to `head`."""
        first = self._waiting.first
        if first is not None:
            return first[0] - 1
        return self._cursor if self.standing.behind else max(head, self._cursor)

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Start working if there is something to do; what runs by itself ends when there isn't."""
        if self._task is not None or self._closed or not self._is_active():
            return
        periodic = self.charge.subscription.interval_us is not None
        if periodic or self._waiting or self.standing.behind:
            work = self._beat() if periodic else self._work()
            self._task = asyncio.create_task(work, name=f"courier {self.charge.id}")

    async def stop(self, *, grace_s: float = 0.0) -> None:
        """Stop working, for good; what is under way after `grace_s` counts as not delivered."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._at_rest.wait()
        await self._halt()

    async def recharge(self, charge: Charge, *, seq: int) -> None:
        """Go on with a changed subscription; after a pause, from record `seq` on."""
        await self._halt()
        was_active, was_throttled = self._is_active(), self._is_throttled()
        self.charge = charge
        self._view = view_of(charge.subscription)
        self._retry_us, self._pause_s = 0, 0.0
        if not (was_active and self._is_active()):
            self._waiting.clear()
            self._cursor = seq
            self.standing.behind = False
        elif self._waiting.first is not None and self._is_throttled() != was_throttled:
            # What was put together can't be taken apart: it is read again.
            self._cursor = self._waiting.first[0] - 1
            self.standing.behind = True
        if self._is_throttled() != was_throttled:
            self._waiting = self._make_waiting()
        self._office.changed(self)
        self.start()

    def _make_waiting(self) -> Waiting:
        policy = self._office.policy
        if self._is_throttled():
            return Gathering(room=policy.gathered_max)
        return Line(room=policy.queue_max, portion=policy.group_max)

    def _is_throttled(self) -> bool:
        return self.charge.subscription.throttling_us > 0

    def _is_active(self) -> bool:
        return self.charge.subscription.status(self._office.clock()) == "active"

    async def _halt(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    # ── work ──────────────────────────────────────────────────────────────────────────────────

    async def _work(self) -> None:
        while (self._waiting or self.standing.behind) and not self._closed:
            try:
                # A throttled subscription is told everything at once, so it is all read before.
                while self.standing.behind and (self._is_throttled() or not self._waiting):
                    if not await self._catch_up():
                        break
                if self._waiting:
                    await self._deliver()
            except Exception as error:  # a courier that dies would be silent for ever
                _log.exception("notifications of %s: %s", self.charge.id, error)
                self._failed(repr(error))
                if self._waiting and self._gives_up():
                    self._waiting.settle()
                await self._until_retry()
        self._task = None

    async def _catch_up(self) -> bool:
        """Read a page of the journal by oneself; whether there is room for more.

        With the last page, the courier isn't behind any more.
        """
        office = self._office
        async with office.catching_up:
            head = office.reading()
            records = await office.store.journal(after=self._cursor, limit=office.policy.page)
            for record in records:
                concerned = await office.concerns(self.charge.subscription, record, touches(record))
                if concerned and not self._waiting.push(record):
                    return False
                self._cursor = record.seq
        if not records:  # what was between was pruned
            self._cursor = max(self._cursor, head)
        # No await from here: nothing can be dispatched between look and leap.
        if self._cursor >= office.reading():
            self.standing.behind = False
        office.changed(self)
        return True

    async def _deliver(self) -> None:
        """Bring what waits first; be done with it when it is taken or given up."""
        await self._until(self._throttled_us())
        told = [tell(self.charge.subscription, record) for record in self._waiting.take()]
        while not (await self._attempt(told) or self._gives_up()):
            await self._until_retry()
        self._waiting.settle()
        self._office.changed(self)

    async def _attempt(self, told: list[Told]) -> bool:
        """Send once; whether that is the end of it."""
        office, standing = self._office, self.standing
        if not self._is_active():
            return True
        try:
            message = await self._message(told)
        except InputError as error:
            self._failed(error.detail)
            return True
        except ConurbError as error:
            self._failed(error.detail)
            return False
        standing.sent += 1
        standing.last_notification_us = office.clock()
        self._at_rest.clear()
        try:
            outcome = await office.delivery.send(message)
        finally:
            self._at_rest.set()
        self._settle(outcome)
        return outcome.ok or not outcome.again

    async def relay(self, told: list[Told], *, attempts_max: int) -> None:
        """Tell of what another node has told of; give up after some attempts."""
        for _ in range(attempts_max):
            if await self._attempt(told):
                return
            await self._until_retry()

    def _gives_up(self) -> bool:
        """Whether what waits longest has waited too long."""
        _, since_us = self._waiting.first or (0, self._office.clock())
        age_us = self._office.clock() - since_us - self.charge.subscription.throttling_us
        if age_us <= self._office.policy.kept_s * US_PER_S:
            return False
        uri = self.charge.subscription.notification.endpoint.uri
        _log.warning(
            "notification of %s to %s given up after %d s", self.charge.id, uri, age_us // US_PER_S
        )
        return True

    def _settle(self, outcome: Outcome) -> None:
        if not outcome.ok:
            self._failed(outcome.detail)
            return
        self.standing.status = "ok"
        self.standing.last_success_us = self._office.clock()
        self._pause_s, self._retry_us = 0.0, 0
        self._office.changed(self)

    def _failed(self, detail: str) -> None:
        policy, standing = self._office.policy, self.standing
        standing.failed += 1
        standing.status = "failed"
        standing.last_failure_us = now = self._office.clock()
        endpoint = self.charge.subscription.notification.endpoint
        if self.charge.subscription.interval_us is None:
            self._pause_s = min(self._pause_s * 2 or policy.pause_s, policy.pause_s_max)
        pause_s = max(self._pause_s * (1 - self._office.jitter() / 2), endpoint.cooldown_s)
        self._retry_us = now + round(pause_s * US_PER_S)
        self._office.changed(self)
        _log.info(
            "notification of %s to %s failed: %s; nothing is sent for %.1f s",
            self.charge.id,
            endpoint.uri,
            detail,
            pause_s,
        )

    def _throttled_us(self) -> int:
        """Give the time before which no further notification may be sent."""
        since = self.standing.last_success_us
        throttling_us = self.charge.subscription.throttling_us
        open_us = since + throttling_us if since is not None and throttling_us else 0
        return max(open_us, self._retry_us)

    async def _until_retry(self) -> None:
        await self._until(self._retry_us)

    async def _until(self, us: int) -> None:
        while (left_us := us - self._office.clock()) > 0:  # noqa: ASYNC110 - the clock decides
            await asyncio.sleep(left_us / US_PER_S)

    # ── periodic subscriptions ────────────────────────────────────────────────────────────────

    async def _beat(self) -> None:
        """Tell what there is every interval; what fails is told anew at the next one."""
        interval_us = self.charge.subscription.interval_us or 0
        interval_us = max(interval_us, round(PERIOD_S_MIN * US_PER_S))
        due_us = (self.standing.last_notification_us or self._office.clock()) + interval_us
        while self._is_active():
            await self._until(max(due_us, self._retry_us))
            due_us = max(due_us + interval_us, self._office.clock())
            try:
                await self._tell_all()
            except Exception as error:  # a courier that dies would be silent for ever
                _log.exception("notifications of %s: %s", self.charge.id, error)
                self._failed(repr(error))
        self._task = None

    async def _tell_all(self) -> None:
        query: Query = replace(self.charge.subscription.query, limit=PERIODIC_PAGE)
        look = self._office.look or self._office.store.query
        while True:
            page = await look(query)
            if page.entities:
                await self._attempt([Told(entity) for entity in page.entities])
            if not page.more or self.standing.status == "failed":
                return
            query = replace(query, offset=query.offset + len(page.entities))

    # ── writing ───────────────────────────────────────────────────────────────────────────────

    async def _message(self, told: list[Told]) -> Message:
        office, charge = self._office, self.charge
        subscription = charge.subscription
        terms = await office.contexts.terms(charge.context)
        endpoint = subscription.notification.endpoint
        in_body = context_in_body(subscription, dict(endpoint.receiver_info))
        document = write(
            subscription,
            await self._joined(told),
            terms,
            self._view,
            notification_id=office.new_id(),
            at_us=office.clock(),
            context=carried_context(terms.source) if in_body else None,
        )
        return Message(
            endpoint=endpoint,
            body=orjson.dumps(document),
            media=endpoint.accept,
            context_url=None if in_body else charge.context_url,
            tenant=office.tenant,
        )

    async def _joined(self, told: list[Told]) -> list[Told]:
        wanted = self.charge.subscription.notification
        if wanted.join is None:
            return told
        join = Join("inline", wanted.join_level)
        entities: list[Entity] = [one.entity for one in told]
        restriction = self.charge.subscription.query.restriction
        linked = await walk(
            entities,
            join,
            lambda ids: self._office.store.find_many(ids, restriction),
            entities_max=self._office.join_entities_max,
        )
        grown = inline(entities, linked, join)
        return [replace(one, entity=new) for one, new in zip(told, grown, strict=True)]

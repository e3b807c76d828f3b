"""Subscriptions that reach other nodes: a copy with every source that it concerns (5.8.1.4, 5.8.6).

A subscription of this node is copied, reduced to what is registered, to each source that takes
subscriptions; the source tells this node (`/ngsi-ld/ex/remote-notify`), and this node its
subscriber, under the subscription's own id. What is wanted is compared with what there is whenever
a subscription or a registration changes; what can't be done is tried again, so that a source that
was down gets its copy when it is back, and loses it when the subscription is gone. Copies are
documents of the store; the id of one is a secret between the two nodes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from uuid import uuid4

import orjson

from conurb.access.caller import Caller, Trigger
from conurb.errors import (
    AccessError,
    ConurbError,
    ForbiddenError,
    LoopDetectedError,
    NotFoundError,
    UnavailableError,
)
from conurb.federation.asking import conditions, selected
from conurb.federation.cascaded import KIND, Copy, read_copy
from conurb.federation.legs import Leg
from conurb.federation.wire import Wording
from conurb.model.entity import Entity
from conurb.model.query.match import matches
from conurb.model.query.tree import Restriction
from conurb.model.registration import THIS_PROCESS, Registration
from conurb.model.time import US_PER_S, shown_us
from conurb.node.notification import Told

if TYPE_CHECKING:
    from conurb.federation.reach import Reach
    from conurb.model.subscription import Subscription
    from conurb.node.node import Node
    from conurb.node.subscriptions import Filed

NOTIFY: Final = "/ngsi-ld/ex/remote-notify"
"""Where sources tell this node of what they hold."""
PAUSE_S: Final = 1.0
PAUSE_S_MAX: Final = 60.0
"""How long it is waited after a failure at first, and at most."""
COPIES_MAX: Final = 100_000
"""Copies of one tenant's subscriptions at all sources."""
AT_ONCE_MAX: Final = 16
"""Sources that are given copies, or relieved of them, at a time."""
TELLINGS_MAX: Final = 1000
"""Notifications of sources that are being passed on at a time; more are refused."""
LEFT_S_MAX: Final = 7 * 86_400
"""How long it is tried to take a copy away from a source that isn't registered any more."""
RELAYS_MAX: Final = 8
"""How often passing one on is tried."""

_log = logging.getLogger(__name__)


class Cascade:
    """The copies of one node's subscriptions at its sources."""

    def __init__(
        self,
        node: Node,
        reach: Reach,
        *,
        base_url: str | None = None,
        new_id: Callable[[], str] = lambda: f"urn:ngsi-ld:Subscription:{uuid4()}",
    ) -> None:
        self._node = node
        self._reach = reach
        self._base_url = base_url
        self._new_id = new_id
        self._copies: dict[str, Copy] = {}
        self._via: dict[str, tuple[str, ...]] = {}
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._tellings: set[asyncio.Task[None]] = set()

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Read which copies there are, and start to bring them in line."""
        for stored in await self._node.store.list_documents(KIND):
            self._copies[stored.id] = read_copy(stored)
        self._node.subscriptions.watch(self._changed)
        self._reach.registrations.watch(lambda _before, _after: self._moved.set())
        self._moved.set()
        self._task = asyncio.create_task(self._tend(), name="cascade")

    async def close(self) -> None:
        """Stop; what isn't in line yet is brought so after the next start."""
        for task in [*([self._task] if self._task else []), *self._tellings]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._task = None

    def _changed(self, filed: Filed, caller: Caller, base_url: str) -> None:
        """Note that a subscription was made, changed or deleted, and how its maker came here."""
        if base_url and self._reach.alias in caller.via:
            raise LoopDetectedError(
                f"subscription {filed.id!r}: {self._reach.alias} has sent it on before"
            )
        if base_url:
            self._base_url = self._base_url or base_url
        self._via[filed.id] = caller.via
        self._moved.set()

    async def _tend(self) -> None:
        pause_s = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s or None):
                    await self._moved.wait()
            self._moved.clear()
            try:
                settled = await self._align()
            except ConurbError as error:
                _log.warning("subscriptions at sources: %s", error.detail)
                settled = False
            pause_s = 0.0 if settled else min(max(PAUSE_S, pause_s * 2), PAUSE_S_MAX)

    # ── bringing in line ──────────────────────────────────────────────────────────────────────

    async def _align(self) -> bool:
        """Make copies that are missing, take away those that aren't wanted; whether all is done."""
        works: list[Awaitable[bool]] = []
        kept: set[tuple[str, str]] = set()
        for filed in self._node.subscriptions.list_filed():
            for leg, document in await self._wanted(filed):
                digest = hashlib.sha256(orjson.dumps(document)).hexdigest()
                known = self._find(filed.id, leg.registration.id)
                kept.add((filed.id, leg.registration.id))
                fits = known is not None and known.leads_to(leg.registration)
                if known is None or known.digest != digest or not fits:
                    works.append(self._put(filed, leg, document, digest, known))
        for copy in list(self._copies.values()):
            if copy.gone or (copy.subscription_id, copy.registration_id) not in kept:
                works.append(self._take_away(copy))
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def one(work: Awaitable[bool]) -> bool:
            async with gate:
                return await work

        return all(await asyncio.gather(*map(one, works)))

    async def _put(
        self, filed: Filed, leg: Leg, document: dict[str, Any], digest: str, known: Copy | None
    ) -> bool:
        """Give a source its copy, then take its last one away; whether both is done."""
        made = await self._make(filed, leg, document, digest)
        return made and (known is None or await self._take_away(known))

    def _find(self, subscription_id: str, registration_id: str) -> Copy | None:
        for copy in self._copies.values():
            same = copy.subscription_id == subscription_id and not copy.gone
            if same and copy.registration_id == registration_id:
                return copy
        return None

    async def _wanted(self, filed: Filed) -> list[tuple[Leg, dict[str, Any]]]:
        """Give who is to have a copy of a subscription, and what the copy says."""
        subscription = filed.compile()
        active = subscription.status(self._node.clock()) == "active"
        if not active or not self._base_url or subscription.interval_us is not None:
            return []
        if subscription.query.restriction != Restriction():
            return []
        via = self._via.get(filed.id, ())
        query = replace(subscription.query, attributes=tuple(sorted(subscription.watched)))
        found = []
        for match in await self._reach.registrations.find(query, passed=via):
            leg = Leg(match.registration, match.information)
            if not leg.supports("createSubscription") or leg.mode == "auxiliary":
                continue
            document = await self._document(filed, subscription, leg)
            if document is not None:
                found.append((leg, document))
        return found

    async def _document(
        self, filed: Filed, subscription: Subscription, leg: Leg
    ) -> dict[str, Any] | None:
        """Write a subscription reduced to what is registered, without its id (5.8.1.4)."""
        narrowed = leg.narrowed(replace(subscription.query, attributes=()))
        if narrowed is None:
            return None
        wording = await self._wording(filed)
        terms = wording.terms
        split = filed.document.get("splitEntities") is True
        document: dict[str, Any] = {"type": "Subscription"}
        entities = [item for one in narrowed.selectors for item in selected(one, terms)]
        if entities:
            document["entities"] = entities
        names = set(subscription.watched)
        registered = leg.attributes
        if registered is not None:
            names = names & registered if names else set(registered)
        if names:
            document["watchedAttributes"] = sorted(map(terms.compact, names))
        if split:
            document["splitEntities"] = True
        else:
            document |= conditions(narrowed, terms)
        given = filed.document.get("notificationTrigger")
        if given:
            document["notificationTrigger"] = given
        if subscription.expires_us is not None:
            document["expiresAt"] = shown_us(subscription.expires_us)
        notification: dict[str, Any] = {
            "endpoint": {"uri": f"{self._base_url}{NOTIFY}", "accept": "application/json"}
        }
        if registered is not None:
            notification["attributes"] = sorted(map(terms.compact, registered))
        document["notification"] = notification
        return document

    async def _wording(self, filed: Filed) -> Wording:
        terms = await self._node.contexts.terms(filed.context)
        if filed.context is None:
            return Wording(terms)
        return Wording(terms, filed.context_url)

    async def _make(self, filed: Filed, leg: Leg, document: dict[str, Any], digest: str) -> bool:
        """Give a source its copy; whether that is the end of it."""
        if len(self._copies) >= COPIES_MAX:
            _log.warning("subscription %s: %d copies at sources are all", filed.id, COPIES_MAX)
            return True
        way = replace(leg.registration, information=(), expires_us=None)
        copy = Copy(self._new_id(), filed.id, way.id, digest, way)
        await self._node.store.put_document(copy.stored())
        self._copies[copy.id] = copy
        try:
            await self._post(filed, leg, {"id": copy.id, **document})
        except ConurbError as error:
            _log.info("subscription %s at %s: %s", filed.id, leg.name, error.detail)
            await self._forget(copy)
            return isinstance(error, LoopDetectedError) or not _may_pass(error)
        return True

    async def _post(self, filed: Filed, leg: Leg, document: dict[str, Any]) -> None:
        wording = await self._wording(filed)
        caller = self._caller(filed.id, wording)
        registration = leg.registration
        if registration.endpoint == THIS_PROCESS:
            node = await self._reach.open_node(registration.tenant)
            await node.subscriptions.create(
                caller, document, wording.terms, base_url=self._base_url or ""
            )
            return
        if self._reach.wire is not None:
            reply = await self._reach.wire.send(
                registration,
                "POST",
                "/subscriptions",
                caller=caller,
                wording=wording,
                document=document,
            )
            self._reach.went(registration.id, ok=reply.status < 400)
            if reply.status >= 400:
                raise reply.error(f"context source {leg.name}")

    def _caller(self, subscription_id: str, wording: Wording) -> Caller:
        passed = (*self._via.get(subscription_id, ()), self._reach.alias)
        trigger = Trigger({}, wording.terms)
        return Caller("region", frozenset({"read"}), via=passed, trigger=trigger)

    async def _take_away(self, copy: Copy) -> bool:
        """Take a copy away from its source; whether that is the end of it."""
        if not copy.gone:
            copy = replace(copy, gone_us=self._node.clock())
            await self._node.store.put_document(copy.stored())
            self._copies[copy.id] = copy
        registered = await self._registration(copy)
        registration = registered or copy.source
        if registration is None:
            await self._forget(copy)
            return True
        leg = Leg(registration, registration.information)
        try:
            await self._delete(leg, copy)
        except NotFoundError:
            pass
        except ConurbError as error:
            _log.info("copy of %s at %s stays: %s", copy.subscription_id, leg.name, error.detail)
            if registered is not None or not self._is_given_up(copy, error):
                return not _may_pass(error)
        await self._forget(copy)
        return True

    def _is_given_up(self, copy: Copy, error: ConurbError) -> bool:
        """Whether a copy at a source that isn't registered any more is left to the source.

        One that doesn't let this node in any more has ended its subscriptions itself.
        """
        left_us = self._node.clock() - (copy.gone_us or 0)
        return isinstance(error, AccessError) or left_us > LEFT_S_MAX * US_PER_S

    async def _delete(self, leg: Leg, copy: Copy) -> None:
        wording = Wording(await self._node.contexts.terms(None))
        caller = self._caller(copy.subscription_id, wording)
        if leg.registration.endpoint == THIS_PROCESS:
            node = await self._reach.open_node(leg.registration.tenant)
            await node.subscriptions.delete(caller, copy.id)
            return
        if self._reach.wire is not None:
            path = "/subscriptions/" + quote(copy.id, safe=":")
            reply = await self._reach.wire.send(
                leg.registration, "DELETE", path, caller=caller, wording=wording
            )
            if reply.status in (401, 403):
                raise ForbiddenError(f"context source {leg.name} answers {reply.status}")
            if reply.status >= 400:
                raise reply.error(f"context source {leg.name}")

    async def _registration(self, copy: Copy) -> Registration | None:
        """Find the registration under which a copy was made, if it leads to the same source."""
        known = {one.id: one for one in await self._reach.registrations.all()}
        found = known.get(copy.registration_id)
        return found if found is not None and copy.leads_to(found) else None

    async def _forget(self, copy: Copy) -> None:
        self._copies.pop(copy.id, None)
        await self._node.store.delete_document(KIND, copy.id)

    # ── being told ────────────────────────────────────────────────────────────────────────────

    def knows(self, copy_id: str) -> bool:
        """Whether a copy of this node's subscriptions has this id."""
        return copy_id in self._copies

    def told(self, copy_id: str, changes: list[Told]) -> bool:
        """Pass on what a source tells of; whether there is room for it."""
        if len(self._tellings) >= TELLINGS_MAX:
            return False
        task = asyncio.create_task(self._pass_on(self._copies[copy_id], changes))
        self._tellings.add(task)
        task.add_done_callback(self._tellings.discard)
        return True

    async def _pass_on(self, copy: Copy, changes: list[Told]) -> None:
        filed = self._node.subscriptions.find_filed(copy.subscription_id)
        courier = self._node.subscriptions.dispatcher.find(copy.subscription_id)
        if filed is None or courier is None or copy.gone:
            return
        subscription = filed.compile()
        asked = replace(subscription.query, attributes=(), limit=1, offset=0)
        # What is gone has no values any more that conditions could be asked of.
        meant = replace(asked, condition=None, geo=None, scope=None)
        split = filed.document.get("splitEntities") is True
        told: list[Told] = []
        for one in changes:
            is_gone = one.deleted_us is not None
            entity = await self._whole(one.entity) if split and not is_gone else one.entity
            if matches(entity, meant if is_gone else asked):
                told.append(replace(one, entity=entity))
        if told:
            await courier.relay(told, attempts_max=RELAYS_MAX)

    async def _whole(self, told: Entity) -> Entity:
        """Put together what is known of an entity, what was told counting most (5.8.6)."""
        reader = Caller("region", frozenset({"read"}))
        try:
            answer = await self._node.consume.retrieve(reader, told.id)
        except ConurbError:
            return told
        known = answer.entities[0]
        return known.with_attrs({**known.attrs, **told.attrs})


def _may_pass(error: ConurbError) -> bool:
    """Whether trying again may help."""
    return isinstance(error, UnavailableError)

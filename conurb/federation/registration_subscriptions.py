"""Subscriptions to registrations: who wants to know which sources there are (clause 5.11).

A subscription is a document of the store, as those to entities are, and is compiled by the same
rules. It is told of the registrations that match when it is made or changed, then of each that
comes to match, changes, or matches no longer; or, with an interval, of all of them again and again.
`conurb.federation.announcing` does the telling.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from conurb.errors import (
    AlreadyExistsError,
    BadRequestDataError,
    ConurbError,
    ForbiddenError,
    NotFoundError,
)
from conurb.federation.announcing import Announcer, Charge, Office
from conurb.federation.filing import Filed as Registered
from conurb.federation.filing import Search, Shown, Standing, passes
from conurb.federation.registrations import Registrations
from conurb.federation.route import Index
from conurb.model.context import Terms, core_terms
from conurb.model.names import check_uri
from conurb.model.query.q import parse_q
from conurb.model.query.temporal import parse_window
from conurb.model.query.tree import Query, TimeWindow
from conurb.model.subscription import Subscription, compile_subscription
from conurb.model.subscription_document import Document, merge_documents, read_document
from conurb.node.office import Standing as Deliveries
from conurb.node.subscriptions import Filed, Remembered, render_subscription
from conurb.node.subscriptions import Shown as ShownSubscription
from conurb.store.contract import Document as StoredDocument

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.time import Clock
    from conurb.node.contexts import Contexts
    from conurb.node.delivery import Delivery
    from conurb.store.contract import Store

KIND: Final = "csource-subscription"
STANDING_KIND: Final = "csource-subscription-standing"
SUBSCRIPTIONS_MAX: Final = 1000
"""How many subscriptions to registrations one tenant may have: each looks at every change."""
FLUSH_S: Final = 0.2
"""How long standings are collected before they are stored together."""


class RegistrationSubscriptions:
    """The subscriptions to the registrations of one node."""

    def __init__(
        self,
        store: Store,
        registrations: Registrations,
        contexts: Contexts,
        delivery: Delivery,
        *,
        clock: Clock,
        tenant: str | None = None,
        new_id: Callable[[], str] = lambda: f"urn:ngsi-ld:Subscription:{uuid4()}",
    ) -> None:
        self._store = store
        self._registrations = registrations
        self._contexts = contexts
        self._delivery = delivery
        self._clock = clock
        self._new_id = new_id
        self._filed: dict[str, Filed] = {}
        self._announcers: dict[str, Announcer] = {}
        self._dirty: set[str] = set()
        self._moved = asyncio.Event()
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._office = Office(
            contexts=contexts,
            delivery=delivery,
            matching=registrations.matching,
            changed=self._changed,
            clock=clock,
            tenant=tenant,
        )

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Read what is stored and start telling; the registrations are open."""
        standings = {
            one.id: Deliveries.read(one.body)
            for one in await self._store.list_documents(STANDING_KIND)
        }
        for stored in await self._store.list_documents(KIND):
            filed = Filed.read(stored.body)
            standing = standings.get(filed.id) or Deliveries(seq=0)
            self._employ(filed, _charge(filed, filed.compile()), standing).start()
        self._registrations.watch(self._told)
        self._task = asyncio.create_task(self._keep(), name="csource-subscriptions")

    async def close(self) -> None:
        """Stop telling; what failed to be told is told anew after the next start."""
        await asyncio.gather(*(one.stop() for one in self._announcers.values()))
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        with contextlib.suppress(ConurbError):
            await self._flush()

    # ── operations ────────────────────────────────────────────────────────────────────────────

    async def create(self, caller: Caller, raw: Any, terms: Terms, *, base_url: str) -> str:
        """Create a subscription and give its id (clause 5.11.2).

        Raises BadRequestDataError for what breaks a rule, AlreadyExistsError for an id that is
        taken, ContextUnavailableError for a jsonldContext that can't be resolved, ForbiddenError
        when the caller may not read, or the node not send to the endpoint.
        """
        restriction = caller.require("read")
        document = read_document(raw, terms)
        if "id" not in document:
            document["id"] = self._new_id()
        names = Remembered(terms, {})
        subscription = compile_subscription(document, names)
        if subscription.status(self._clock()) == "expired":
            raise BadRequestDataError(f"expiresAt: {document['expiresAt']} is in the past")
        self._delivery.outbound.check(subscription.notification.endpoint.uri)
        context, url = await self._speech(document, terms.source, base_url)
        filed = Filed(document, names.asked, context, url, caller.name, restriction)
        charge = _charge(filed, subscription)
        async with self._writing:
            if filed.id in self._filed:
                raise AlreadyExistsError(f"subscription {filed.id!r} exists already")
            if len(self._filed) >= SUBSCRIPTIONS_MAX:
                raise BadRequestDataError(
                    f"this node has {SUBSCRIPTIONS_MAX} subscriptions to registrations, which is "
                    "all it takes"
                )
            await self._store.put_document(StoredDocument(KIND, filed.id, filed.body()))
            self._employ(filed, charge, Deliveries(seq=0)).begin()
        return filed.id

    async def update(
        self, caller: Caller, subscription_id: str, raw: Any, terms: Terms, *, base_url: str
    ) -> None:
        """Update a subscription by a fragment, and tell what matches now (clause 5.11.3).

        Raises as `create` does, and NotFoundError when there is none.
        """
        self._owned(caller, subscription_id)
        fragment = read_document(raw, terms)
        for fixed, value in (("id", subscription_id), ("type", "Subscription")):
            if fragment.get(fixed, value) != value:
                raise BadRequestDataError(
                    f"{fixed}: {fragment[fixed]!r:.200} is not {value!r}, which can't be changed"
                )
        async with self._writing:
            filed = self._owned(caller, subscription_id)
            document = merge_documents(filed.document, fragment)
            speaks = {"q", "csf"} & fragment.keys()
            names = Remembered(terms, {} if speaks else filed.names)
            subscription = compile_subscription(document, names)
            self._delivery.outbound.check(subscription.notification.endpoint.uri)
            context, url = filed.context, filed.context_url
            if "jsonldContext" in fragment:
                context, url = await self._speech(document, terms.source, base_url)
            changed = replace(
                filed, document=document, names=names.asked, context=context, context_url=url
            )
            charge = _charge(changed, subscription)
            await self._store.put_document(StoredDocument(KIND, filed.id, changed.body()))
            announcer = self._announcers[subscription_id]
            await announcer.stop()
            self._employ(changed, charge, announcer.standing).begin()

    async def get(self, caller: Caller, subscription_id: str) -> ShownSubscription:
        """Give a subscription (clause 5.11.4); raise NotFoundError when there is none."""
        return self._shown(self._owned(caller, subscription_id))

    async def query(
        self, caller: Caller, *, limit: int, offset: int = 0
    ) -> tuple[list[ShownSubscription], int]:
        """List the caller's subscriptions in order of creation, and count all (clause 5.11.5)."""
        caller.require("read")
        mine = [filed for filed in self._filed.values() if _may_see(caller, filed)]
        return [self._shown(filed) for filed in mine[offset : offset + limit]], len(mine)

    async def delete(self, caller: Caller, subscription_id: str) -> None:
        """Delete a subscription (clause 5.11.6); raise NotFoundError when there is none.

        Nothing is sent any more when this has returned.
        """
        async with self._writing:
            self._owned(caller, subscription_id)
            await self._announcers.pop(subscription_id).stop()
            await self._store.delete_document(KIND, subscription_id)
            await self._store.delete_document(STANDING_KIND, subscription_id)
            del self._filed[subscription_id]
            self._dirty.discard(subscription_id)

    # ── ──────────────────────────────────────────────────────────────────────────────────────

    def _employ(self, filed: Filed, charge: Charge, standing: Deliveries) -> Announcer:
        announcer = Announcer(charge, standing, self._office)
        self._filed[filed.id] = filed
        self._announcers[filed.id] = announcer
        return announcer

    def _told(self, before: Registered | None, after: Registered | None) -> None:
        """Take notice of a change of a registration."""
        was, becomes = _Single.of(before), _Single.of(after)
        for announcer in self._announcers.values():
            search, now = announcer.charge.search, self._clock()
            matched = was and was.match(search, now)
            matches = becomes and becomes.match(search, now)
            if matches:
                announcer.offer("updated" if matched else "newlyMatching", [matches])
            elif matched:
                announcer.offer("noLongerMatching", [matched])

    def _owned(self, caller: Caller, subscription_id: str) -> Filed:
        caller.require("read")
        check_uri(subscription_id, name="subscription id")
        filed = self._filed.get(subscription_id)
        if filed is None:
            raise NotFoundError(f"subscription {subscription_id!r} doesn't exist here")
        if not _may_see(caller, filed):
            raise ForbiddenError(f"subscription {subscription_id!r} isn't one of {caller.name}'s")
        return filed

    def _shown(self, filed: Filed) -> ShownSubscription:
        announcer = self._announcers[filed.id]
        subscription = announcer.charge.subscription
        return ShownSubscription(
            filed.document, subscription, filed.context_url, announcer.standing
        )

    async def _speech(self, document: Document, source: Any, base_url: str) -> tuple[Any, str]:
        """Give the @context value of a subscription's notifications, and a URL of it."""
        url = document.get("jsonldContext")
        if url is not None:
            await self._contexts.terms(url)
            return url, url
        if source is None:
            return None, self._contexts.core_url
        if isinstance(source, str):
            return source, source
        return source, await self._contexts.implicit_url(
            source, base_url=base_url, tenant=self._office.tenant
        )

    # ── storing how deliveries stand ──────────────────────────────────────────────────────────

    def _changed(self, announcer: Announcer) -> None:
        self._dirty.add(announcer.charge.id)
        self._moved.set()

    async def _keep(self) -> None:
        while True:
            await self._moved.wait()
            await asyncio.sleep(FLUSH_S)
            self._moved.clear()
            with contextlib.suppress(ConurbError):
                await self._flush()

    async def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for subscription_id in dirty:
            announcer = self._announcers.get(subscription_id)
            if announcer is not None:
                body = asdict(announcer.standing)
                await self._store.put_document(StoredDocument(STANDING_KIND, subscription_id, body))


@dataclass(frozen=True, slots=True)
class _Single:
    """One registration, to be asked whether it matches."""

    filed: Registered
    index: Index

    @classmethod
    def of(cls, filed: Registered | None) -> _Single | None:
        if filed is None:
            return None
        index = Index()
        index.put(filed.registration)
        return cls(filed, index)

    def match(self, search: Search, now_us: int) -> Shown | None:
        # What has expired matched until just now.
        expires_us = self.filed.registration.expires_us
        at_us = now_us if expires_us is None else min(now_us, expires_us - 1)
        found = self.index.find(search.query, now_us=at_us, window=search.window, strict=True)
        if not found or not passes(self.filed, search.filter):
            return None
        return Shown(self.filed, found[0].information, Standing())


def render_registration_subscription(
    shown: ShownSubscription, terms: Terms, *, now_us: int
) -> Document:
    """Write a subscription as the API gives it: triggers aren't of it (5.2.12)."""
    document = render_subscription(shown, terms, now_us=now_us)
    for member in ("notificationTrigger", "jsonldContext"):
        if member not in shown.document:
            del document[member]
    return document


def _charge(filed: Filed, subscription: Subscription) -> Charge:
    return Charge(subscription, _search(filed, subscription), filed.context, filed.context_url)


def _search(filed: Filed, subscription: Subscription) -> Search:
    """Say as a search which registrations a subscription is about (clauses 5.11.2.4, 5.12)."""
    wanted = subscription.notification.attributes
    both = (*subscription.watched, *wanted) if subscription.watched and wanted else ()
    csf = filed.document.get("csf")
    terms = Remembered(core_terms(), filed.names)
    return Search(
        query=Query(
            selectors=subscription.query.selectors,
            attributes=tuple(dict.fromkeys(both)),
            datasets=subscription.datasets,
            geo=subscription.query.geo,
            scope=subscription.query.scope,
        ),
        filter=None if csf is None else parse_q(csf, terms),
        window=_window(filed.document.get("temporalQ")),
    )


def _window(value: Document | None) -> TimeWindow | None:
    if value is None:
        return None
    for member, text in value.items():
        if not isinstance(text, str):
            raise BadRequestDataError(f"temporalQ.{member}: {text!r:.100} is not a text")
    if "timerel" not in value:
        raise BadRequestDataError("temporalQ.timerel is missing")
    return parse_window(
        timerel=value["timerel"],
        time_at=value.get("timeAt"),
        end_time_at=value.get("endTimeAt"),
        timeproperty=value.get("timeproperty"),
    )


def _may_see(caller: Caller, filed: Filed) -> bool:
    return caller.name == filed.owner or caller.may("admin")

"""Subscriptions of a node: create, update, retrieve, list, delete (clauses 5.8.1 to 5.8.5).

A subscription is a document of the store; with it stands how its deliveries do. Both are compiled
into couriers when the node opens, without resolving any @context: the names that a query speaks
are kept beside it. Whoever subscribed owns the subscription, and is told of nothing that they
couldn't read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from conurb.access.caller import Caller
from conurb.errors import AlreadyExistsError, BadRequestDataError, ForbiddenError, NotFoundError
from conurb.model.context import Terms, core_terms
from conurb.model.names import check_uri
from conurb.model.query.tree import Query, Restriction
from conurb.model.subscription import DEFAULT_TRIGGERS, Subscription, compile_subscription
from conurb.model.subscription_document import (
    Document,
    merge_documents,
    read_document,
    show_document,
)
from conurb.model.time import shown_us
from conurb.node.courier import Courier
from conurb.node.dispatch import STANDING_KIND, Dispatcher
from conurb.node.office import Charge, Office, Policy, Standing
from conurb.store.contract import Document as StoredDocument

if TYPE_CHECKING:
    from conurb.model.time import Clock
    from conurb.node.contexts import Contexts
    from conurb.node.delivery import Delivery
    from conurb.store.contract import Page, Store

Watch = Callable[["Filed", Caller, str], None]
"""Is told of what is to be made or changed, by whom and where that was asked for; then that it is
done. Of what was deleted it is told without an address. What it raises beforehand refuses it.
"""

KIND: Final = "subscription"
SUBSCRIPTIONS_MAX: Final = 10_000
"""How many subscriptions one tenant may have."""


@dataclass(frozen=True, slots=True)
class Filed:
    """A subscription as it is stored.

    `names` are the names that its q speaks, expanded. `context` is the @context value of its
    notifications and `context_url` where that is served. `owner` is who subscribed, `restriction`
    what they may read.
    """

    document: Document
    names: Mapping[str, str]
    context: Any
    context_url: str
    owner: str
    restriction: Restriction

    @property
    def id(self) -> str:
        """Give the subscription's id."""
        return str(self.document["id"])

    def body(self) -> dict[str, Any]:
        """Write it as a stored document."""
        types, scopes = self.restriction.types, self.restriction.scopes
        return {
            "document": self.document,
            "names": dict(self.names),
            "context": self.context,
            "contextUrl": self.context_url,
            "owner": self.owner,
            "types": None if types is None else list(types),
            "scopes": None if scopes is None else list(scopes),
        }

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Filed:
        """Read it from a stored document."""
        types, scopes = body["types"], body["scopes"]
        return cls(
            document=body["document"],
            names=body["names"],
            context=body["context"],
            context_url=body["contextUrl"],
            owner=body["owner"],
            restriction=Restriction(
                types=None if types is None else tuple(types),
                scopes=None if scopes is None else tuple(scopes),
            ),
        )

    def compile(self) -> Subscription:
        """Compile it; its names need no @context any more."""
        terms = Remembered(core_terms(), self.names)
        return compile_subscription(self.document, terms, restriction=self.restriction)


class Remembered(Terms):
    """Terms that take remembered names first, and remember what they are asked."""

    __slots__ = ("_base", "asked")

    def __init__(self, base: Terms, names: Mapping[str, str]) -> None:
        super().__init__(base.source, names, {})
        self._base = base
        self.asked: dict[str, str] = {}

    def expand(self, term: str) -> str:
        """Expand a name; see `Terms`."""
        known = self._expanded.get(term)
        self.asked[term] = iri = self._base.expand(term) if known is None else known
        return iri


@dataclass(frozen=True, slots=True)
class Shown:
    """A subscription as it is shown: what was given, what it means, how its deliveries stand."""

    document: Document
    subscription: Subscription
    context_url: str
    standing: Standing


class Subscriptions:
    """The subscriptions of one node, and the couriers that serve them."""

    def __init__(
        self,
        store: Store,
        contexts: Contexts,
        delivery: Delivery,
        *,
        clock: Clock,
        tenant: str | None = None,
        policy: Policy | None = None,
        join_entities_max: int = 10_000,
        new_id: Callable[[], str] = lambda: f"urn:ngsi-ld:Subscription:{uuid4()}",
    ) -> None:
        self._store = store
        self._contexts = contexts
        self._delivery = delivery
        self._clock = clock
        self._new_id = new_id
        self._filed: dict[str, Filed] = {}
        self._writing = asyncio.Lock()
        self._watches: list[Watch] = []
        self.dispatcher = Dispatcher(store, clock)
        self._office = Office(
            store=store,
            contexts=contexts,
            delivery=delivery,
            concerns=self.dispatcher.concerns,
            reading=self.dispatcher.reading,
            changed=self.dispatcher.changed,
            tenant=tenant,
            clock=clock,
            policy=policy or Policy(),
            join_entities_max=join_entities_max,
        )

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Read what is stored and start delivering; the store is open."""
        await self.dispatcher.open()
        standings = {
            one.id: Standing.read(one.body)
            for one in await self._store.list_documents(STANDING_KIND)
        }
        end = await self._store.journal_end()
        for stored in await self._store.list_documents(KIND):
            filed = Filed.read(stored.body)
            self._employ(filed, filed.compile(), standings.get(filed.id) or Standing(seq=end))
        self.dispatcher.start()

    async def close(self) -> None:
        """Stop delivering; what isn't delivered yet is, after the next start."""
        await self.dispatcher.close()

    def look_through(self, look: Callable[[Query], Awaitable[Page]]) -> None:
        """Have periodic subscriptions tell of what `look` gives, in the place of the store."""
        self._office.look = look

    def watch(self, watch: Watch) -> None:
        """Have every change told, before and after it."""
        self._watches.append(watch)

    def list_filed(self) -> list[Filed]:
        """List all subscriptions, whoever made them."""
        return list(self._filed.values())

    def find_filed(self, subscription_id: str) -> Filed | None:
        """Find a subscription, whoever made it; None when there is none."""
        return self._filed.get(subscription_id)

    def _tell(self, filed: Filed, caller: Caller, base_url: str = "") -> None:
        for watch in self._watches:
            watch(filed, caller, base_url)

    def _employ(self, filed: Filed, subscription: Subscription, standing: Standing) -> Courier:
        courier = Courier(_charge(filed, subscription), standing, self._office)
        courier.behind_is_stored = standing.behind
        self._filed[filed.id] = filed
        self.dispatcher.put(courier)
        return courier

    # ── operations ────────────────────────────────────────────────────────────────────────────

    async def create(self, caller: Caller, raw: Any, terms: Terms, *, base_url: str) -> str:
        """Create a subscription and give its id (clause 5.8.1).

        It is told of what is written from now on. `base_url` is where this node serves @contexts.
        Raises BadRequestDataError for what breaks a rule, AlreadyExistsError for an id that is
        taken, ContextUnavailableError for a jsonldContext that can't be resolved, ForbiddenError
        when the caller may not read, or the node not send to the endpoint.
        """
        restriction = caller.require("read")
        document = read_document(raw, terms)
        if "id" not in document:
            document["id"] = self._new_id()
        names = Remembered(terms, {})
        subscription = compile_subscription(document, names, restriction=restriction)
        self._check_expiry(document, subscription)
        self._delivery.outbound.check(subscription.notification.endpoint.uri)
        context, url = await self._speech(document, terms.source, base_url)
        filed = Filed(document, names.asked, context, url, caller.name, restriction)
        async with self._writing:
            if filed.id in self._filed:
                raise AlreadyExistsError(f"subscription {filed.id!r} exists already")
            if len(self._filed) >= SUBSCRIPTIONS_MAX:
                raise BadRequestDataError(
                    f"this node has {SUBSCRIPTIONS_MAX} subscriptions, which is all it takes"
                )
            self._tell(filed, caller, base_url)
            standing = Standing(seq=await self._store.journal_end())
            # The cursor first: a subscription without one would start at the end after a crash.
            await self._store.put_document(StoredDocument(STANDING_KIND, filed.id, standing.body()))
            await self._store.put_document(StoredDocument(KIND, filed.id, filed.body()))
            self._employ(filed, subscription, standing).start()
        self._tell(filed, caller, base_url)
        return filed.id

    async def update(
        self, caller: Caller, subscription_id: str, raw: Any, terms: Terms, *, base_url: str
    ) -> None:
        """Update a subscription by a fragment (clause 5.8.2).

        While it is paused or expired it misses what is written. Raises as `create` does, and
        NotFoundError when there is none.
        """
        filed = self._owned(caller, subscription_id)
        fragment = read_document(raw, terms)
        for fixed, value in (("id", subscription_id), ("type", "Subscription")):
            if fragment.get(fixed, value) != value:
                raise BadRequestDataError(
                    f"{fixed}: {fragment[fixed]!r:.200} is not {value!r}, which can't be changed"
                )
        async with self._writing:
            filed = self._owned(caller, subscription_id)
            document = merge_documents(filed.document, fragment)
            names = Remembered(terms, {} if "q" in fragment else filed.names)
            restriction = filed.restriction
            if caller.name == filed.owner:
                restriction = caller.require("read")
            subscription = compile_subscription(document, names, restriction=restriction)
            self._check_expiry(fragment, subscription)
            self._delivery.outbound.check(subscription.notification.endpoint.uri)
            context, url = filed.context, filed.context_url
            if "jsonldContext" in fragment:
                context, url = await self._speech(document, terms.source, base_url)
            changed = replace(
                filed,
                document=document,
                names=names.asked,
                context=context,
                context_url=url,
                restriction=restriction,
            )
            self._tell(changed, caller, base_url)
            # What was written before is still judged by what the subscription said then.
            end = await self._store.journal_end()
            await self.dispatcher.passed(end)
            await self._store.put_document(StoredDocument(KIND, filed.id, changed.body()))
            courier = self._courier(subscription_id)
            await courier.recharge(_charge(changed, subscription), seq=end)
            self._filed[filed.id] = changed
            self.dispatcher.put(courier)
        self._tell(changed, caller, base_url)

    async def get(self, caller: Caller, subscription_id: str) -> Shown:
        """Give a subscription (clause 5.8.3); raise NotFoundError when there is none."""
        return self._shown(self._owned(caller, subscription_id))

    async def query(
        self, caller: Caller, *, limit: int, offset: int = 0
    ) -> tuple[list[Shown], int]:
        """List the caller's subscriptions in order of creation, and count all (clause 5.8.4)."""
        caller.require("read")
        mine = [filed for filed in self._filed.values() if _may_see(caller, filed)]
        return [self._shown(filed) for filed in mine[offset : offset + limit]], len(mine)

    async def delete(self, caller: Caller, subscription_id: str) -> None:
        """Delete a subscription (clause 5.8.5); raise NotFoundError when there is none.

        Nothing is sent any more when this has returned.
        """
        async with self._writing:
            filed = self._owned(caller, subscription_id)
            courier = self._courier(subscription_id)
            await self._store.delete_document(KIND, subscription_id)
            del self._filed[subscription_id]
            await self.dispatcher.drop(courier)
        self._tell(filed, caller)

    # ── ──────────────────────────────────────────────────────────────────────────────────────

    def _owned(self, caller: Caller, subscription_id: str) -> Filed:
        caller.require("read")
        check_uri(subscription_id, name="subscription id")
        filed = self._filed.get(subscription_id)
        if filed is None:
            raise NotFoundError(f"subscription {subscription_id!r} doesn't exist here")
        if not _may_see(caller, filed):
            raise ForbiddenError(f"subscription {subscription_id!r} isn't one of {caller.name}'s")
        return filed

    def _courier(self, subscription_id: str) -> Courier:
        courier = self.dispatcher.find(subscription_id)
        if courier is None:
            raise NotFoundError(f"subscription {subscription_id!r} doesn't exist here")
        return courier

    def _shown(self, filed: Filed) -> Shown:
        courier = self._courier(filed.id)
        subscription = courier.charge.subscription
        return Shown(filed.document, subscription, filed.context_url, courier.standing)

    def _check_expiry(self, given: Document, subscription: Subscription) -> None:
        expires_us = subscription.expires_us
        if "expiresAt" in given and expires_us is not None and expires_us <= self._clock():
            raise BadRequestDataError(f"expiresAt: {given['expiresAt']} is in the past")

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


def render_subscription(shown: Shown, terms: Terms, *, now_us: int) -> Document:
    """Write a subscription as the API gives it (clauses 5.2.12 and 5.2.14)."""
    document = show_document(shown.document, terms)
    notification = document.pop("notification")
    document.setdefault("notificationTrigger", list(DEFAULT_TRIGGERS))
    document.setdefault("jsonldContext", shown.context_url)
    document["status"] = shown.subscription.status(now_us)
    standing = shown.standing
    counted = {
        "status": standing.status,
        "timesSent": standing.sent or None,
        "timesFailed": standing.failed or None,
        "lastNotification": standing.last_notification_us,
        "lastSuccess": standing.last_success_us,
        "lastFailure": standing.last_failure_us,
    }
    for member, value in counted.items():
        if value is not None:
            is_time = member.startswith("last")
            notification[member] = shown_us(int(value)) if is_time else value
    document["notification"] = notification
    return document


def _charge(filed: Filed, subscription: Subscription) -> Charge:
    return Charge(subscription, filed.context, filed.context_url)


def _may_see(caller: Caller, filed: Filed) -> bool:
    return caller.name == filed.owner or caller.may("admin")

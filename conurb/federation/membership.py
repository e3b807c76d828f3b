"""The city's side of membership: join a region by its code, and leave it.

A city may belong to several regions; each membership is a document of its store. The document
holds the token by which the city comes into the region, in the clear, as it has to be shown there;
no API gives it. Of the token that the region has for the city only the hash is kept. The region's
side is `conurb.federation.members`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from conurb.access.caller import Caller, Right
from conurb.errors import (
    AlreadyExistsError,
    BadRequestDataError,
    ConurbError,
    NotFoundError,
    SourceError,
)
from conurb.federation.agreements import AGREEMENT
from conurb.federation.changes import READ_BY_NOBODY, reader_of
from conurb.federation.envoy import Envoy
from conurb.federation.members import MEMBERS_PATH
from conurb.federation.sharing import Report, check_objects, read_shared
from conurb.federation.trust import Self, end_subscriptions, token_name
from conurb.model.context import core_terms
from conurb.model.time import shown_us
from conurb.store.contract import Document, Position

if TYPE_CHECKING:
    from conurb.node.node import Node

MEMBERSHIP: Final = "membership"
LOOKUP_PATH: Final = "/federation/invitations/lookup"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a city wants when it joins.

    `endpoint` is where the region reaches this node. No types: all that the region shares, or,
    when it shares whatever there is, those that there are now. `copies` lets the region keep
    copies. `despite` joins although objects don't fit, `dry` only looks.
    """

    region_url: str
    code: str
    endpoint: str
    region_tenant: str | None = None
    types: tuple[str, ...] = ()
    copies: bool = False
    despite: bool = False
    dry: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A region that this node belongs to.

    `city` is what the region calls this node, `secret` the token by which it comes in there,
    `token_name` that of the token by which the region comes in here.
    """

    region: str
    region_url: str
    region_tenant: str | None
    city: str
    secret: str
    token_name: str
    types: tuple[str, ...]
    copies: bool
    joined_us: int

    def stored(self) -> Document:
        """Write it as a document of a store."""
        return Document(
            MEMBERSHIP,
            self.region,
            {
                "url": self.region_url,
                "tenant": self.region_tenant,
                "city": self.city,
                "secret": self.secret,
                "tokenName": self.token_name,
                "types": list(self.types),
                "copies": self.copies,
                "joinedUs": self.joined_us,
            },
        )

    def document(self) -> dict[str, Any]:
        """Write it as others are shown it: without the secret."""
        return {
            "region": self.region,
            "url": self.region_url,
            "city": self.city,
            "types": list(self.types),
            "copies": self.copies,
            "joinedAt": shown_us(self.joined_us),
        }


def read_membership(stored: Document) -> Membership:
    """Read a membership from its stored document."""
    body = stored.body
    return Membership(
        region=stored.id,
        region_url=body["url"],
        region_tenant=body["tenant"],
        city=body["city"],
        secret=body["secret"],
        token_name=body["tokenName"],
        types=tuple(body["types"]),
        copies=body["copies"],
        joined_us=body["joinedUs"],
    )


@dataclass(frozen=True, slots=True)
class Joined:
    """How joining went: what the check found, and the membership unless there is none."""

    region: str
    city: str
    report: Report
    membership: Membership | None = None

    def document(self) -> dict[str, Any]:
        """Write it as a JSON document."""
        return {
            "joined": self.membership is not None,
            "region": self.region,
            "city": self.city,
            "report": self.report.document(),
        }


class Memberships:
    """The regions that a node belongs to."""

    def __init__(self, node: Node, own: Self) -> None:
        self._node = node
        self._own = own

    async def everyone(self) -> list[Membership]:
        """List the regions, in order of joining."""
        return [read_membership(one) for one in await self._node.store.list_documents(MEMBERSHIP)]

    async def join(self, caller: Caller, wish: Wish) -> Joined:
        """Check this node's objects against what the region shares, and join it if they fit.

        Raises ForbiddenError without the right `admin`, for a code that doesn't hold, or when this
        node may not send to the region; AlreadyExistsError when it belongs to it; ConflictError
        when the region can't take it; SourceError when the region doesn't answer.
        """
        caller.require("admin")
        self._own.check_way(wish.region_url)
        envoy = Envoy(self._node.delivery.outbound, wish.region_url, tenant=wish.region_tenant)
        found = _object(await envoy.ask("POST", LOOKUP_PATH, document={"code": wish.code}))
        region, city = _text(found, "region"), _text(found, "city")
        if await self._node.store.find_document(MEMBERSHIP, region) is not None:
            raise AlreadyExistsError(f"this node belongs to {region!r} already; it may leave it")
        shared = read_shared(found.get("types", {}), core_terms())
        types = wish.types or tuple(shared)
        if not types:
            types = tuple(one.iri for one in await self._node.consume.list_types(caller))
        if not types:
            raise BadRequestDataError("types: there is nothing here yet; name what is to be shared")
        strange = [one for one in types if shared and one not in shared]
        if strange:
            known = ", ".join(shared)
            raise BadRequestDataError(f"types: {strange[:10]} aren't shared there; shared: {known}")
        report = await check_objects(self._node.store, shared, types)
        if wish.dry or not (report.fits or wish.despite):
            return Joined(region, city, report)
        membership = await self._exchange(envoy, wish, region, types)
        return Joined(region, membership.city, report, membership)

    async def _exchange(
        self, envoy: Envoy, wish: Wish, region: str, types: tuple[str, ...]
    ) -> Membership:
        """Give the region a token, and take the one that it gives."""
        name = token_name("region", region)
        rights: set[Right] = {"read", "federate"} if wish.copies else {"read"}
        now = self._node.clock()
        secret = self._own.issue(
            name,
            rights=frozenset(rights),
            types=(*dict.fromkeys((*types, AGREEMENT)),),
            tenant=self._node.tenant,
            now_us=now,
        )
        application = {
            "code": wish.code,
            "endpoint": wish.endpoint,
            "tenant": self._node.tenant,
            "token": secret,
            "types": list(types),
            "copies": wish.copies,
        }
        try:
            answer = _object(await envoy.ask("POST", MEMBERS_PATH, document=application))
            membership = Membership(
                region=region,
                region_url=envoy.url,
                region_tenant=wish.region_tenant,
                city=_text(answer, "city"),
                secret=_text(answer, "token"),
                token_name=name,
                types=types,
                copies=wish.copies,
                joined_us=now,
            )
            if wish.copies:  # the journal is kept until the region has read it
                await self._node.store.set_position(Position(reader_of(name), 0))
            await self._node.store.put_document(membership.stored())
        except BaseException:
            self._own.revoke(name)
            raise
        return membership

    async def leave(self, caller: Caller, region: str, *, tell: bool = True) -> bool:
        """Leave a region: its token and its subscriptions here end.

        `tell` says that the region is to be told; give whether it was. The region may say that the
        city was expelled, everybody else needs the right `admin`. Raises NotFoundError when the
        node doesn't belong to it.
        """
        stored = await self._node.store.find_document(MEMBERSHIP, region)
        if stored is None:
            caller.require("read")
            raise NotFoundError(f"this node doesn't belong to a region {region!r:.100}")
        membership = read_membership(stored)
        if caller.name != membership.token_name:
            caller.require("admin")
        self._own.revoke(membership.token_name)
        await end_subscriptions(self._node, membership.token_name)
        if membership.copies:
            reader = reader_of(membership.token_name)
            await self._node.store.set_position(Position(reader, READ_BY_NOBODY))
        told = tell and await self._tell(membership)
        await self._node.store.delete_document(MEMBERSHIP, region)
        return told

    async def _tell(self, membership: Membership) -> bool:
        envoy = Envoy(
            self._node.delivery.outbound,
            membership.region_url,
            tenant=membership.region_tenant,
            token=membership.secret,
        )
        path = f"{MEMBERS_PATH}/{quote(membership.city, safe='')}"
        try:
            await envoy.ask("DELETE", path, params={"quiet": "true"})
        except ConurbError:
            return False
        return True


def _object(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise SourceError("the region's answer isn't one of a region", code=111)
    return answer


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise SourceError(f"the region's answer lacks {name!r}", code=111)
    return value

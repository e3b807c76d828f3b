"""The region's side of membership: invite a city, admit it, show the members, let one go.

Invitations and members are documents of the region's store. The secret that the region shows to a
city stands in the city's registration and nowhere else; of the secret that the city shows to the
region only the hash is kept, in the token file. The city's side is `conurb.federation.membership`.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from conurb.access.caller import Caller
from conurb.access.tokens import check_name, digest_of
from conurb.errors import (
    BadRequestDataError,
    ConflictError,
    ConurbError,
    ForbiddenError,
    NotFoundError,
    SourceError,
)
from conurb.federation.agreements import AGREEMENT
from conurb.federation.envoy import Envoy
from conurb.federation.region import registrations_of
from conurb.federation.sharing import list_shared
from conurb.federation.trust import Self, end_subscriptions, token_name
from conurb.model.registration import FEDERATION_OPS, EntityInfo, Information, Registration
from conurb.model.time import US_PER_S, shown_us
from conurb.store.contract import Document

if TYPE_CHECKING:
    from conurb.node.node import Node

INVITATION: Final = "invitation"
MEMBER: Final = "member"
INVITATIONS_MAX: Final = 10_000
CODE_BYTES: Final = 24
"""Random bytes of a one-time code."""

LIFETIME_S: Final = 7 * 86_400
"""How long an invitation holds, unless it says otherwise."""
LIFETIME_S_MAX: Final = 90 * 86_400
OPERATIONS: Final = FEDERATION_OPS | {"retrieveTemporal", "queryTemporal"}
"""What a region asks of a member: reads, subscriptions, history."""
MEMBERS_PATH: Final = "/federation/members"
MEMBERSHIPS_PATH: Final = "/federation/memberships"
IDENTITY_PATH: Final = "/ngsi-ld/v1/info/sourceIdentity"
_ALIAS: Final = re.compile(r"[!-+\--~]{1,200}")


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation as it is kept: whom it is for, the hash of its code, until when it holds."""

    city: str
    digest: str
    expires_us: int

    def stored(self) -> Document:
        """Write it as a document of a store."""
        return Document(
            INVITATION, self.city, {"sha256": self.digest, "expiresUs": self.expires_us}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """What a city says when it joins: where it is, its token for the region, what it shares.

    `copies` says that the region may keep copies of them.
    """

    code: str
    endpoint: str
    token: str
    types: tuple[str, ...]
    tenant: str | None = None
    copies: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A city of the region.

    `alias` is its name in a Via header and in answers, `token_name` that of the token by which it
    comes in here.
    """

    city: str
    alias: str
    endpoint: str
    tenant: str | None
    registration_id: str
    token_name: str
    types: tuple[str, ...]
    copies: bool
    joined_us: int

    def stored(self) -> Document:
        """Write it as a document of a store."""
        return Document(
            MEMBER,
            self.city,
            {
                "alias": self.alias,
                "endpoint": self.endpoint,
                "tenant": self.tenant,
                "registrationId": self.registration_id,
                "tokenName": self.token_name,
                "types": list(self.types),
                "copies": self.copies,
                "joinedUs": self.joined_us,
            },
        )

    def document(self) -> dict[str, Any]:
        """Write it as others are shown it."""
        return {
            "city": self.city,
            "alias": self.alias,
            "endpoint": self.endpoint,
            "tenant": self.tenant,
            "types": list(self.types),
            "copies": self.copies,
            "joinedAt": shown_us(self.joined_us),
        }


def read_member(stored: Document) -> Member:
    """Read a member from its stored document."""
    body = stored.body
    return Member(
        city=stored.id,
        alias=body["alias"],
        endpoint=body["endpoint"],
        tenant=body["tenant"],
        registration_id=body["registrationId"],
        token_name=body["tokenName"],
        types=tuple(body["types"]),
        copies=body["copies"],
        joined_us=body["joinedUs"],
    )


def mint_code() -> str:
    """Make the text of a one-time code: letters and digits, so that no command takes it for a flag.

    >>> len(mint_code())
    48
    """
    return secrets.token_hex(CODE_BYTES)


class Members:
    """The members of the region that a node is."""

    def __init__(
        self,
        node: Node,
        own: Self,
        *,
        gone: Callable[[str], Awaitable[None]],
        new_code: Callable[[], str] = mint_code,
    ) -> None:
        """Take the node; `gone` is awaited with the name of a city that is no member any more."""
        self._node = node
        self._own = own
        self._gone = gone
        self._new_code = new_code
        self._registrations = registrations_of(node)

    async def invite(
        self, caller: Caller, city: str, *, lifetime_s: int = LIFETIME_S
    ) -> tuple[str, Invitation]:
        """Invite a city: give the one-time code, and the invitation; an older one ends.

        Raises BadRequestDataError for a name or lifetime that can't be, ForbiddenError without the
        right `admin`.
        """
        caller.require("admin")
        check_city(city)
        if not 0 < lifetime_s <= LIFETIME_S_MAX:
            raise BadRequestDataError(f"lifetime: {lifetime_s} s is not from 1 to {LIFETIME_S_MAX}")
        known = await self._invitations()
        if len(known) >= INVITATIONS_MAX and all(one.city != city for one in known):
            raise ConflictError(f"there are {INVITATIONS_MAX} invitations, which is all there may")
        code = self._new_code()
        expires_us = self._node.clock() + lifetime_s * US_PER_S
        invitation = Invitation(city, digest_of(code), expires_us)
        await self._node.store.put_document(invitation.stored())
        return code, invitation

    async def look_up(self, code: str) -> Invitation:
        """Give the invitation of a code; raise ForbiddenError when there is none that holds."""
        digest = digest_of(code)
        for one in await self._invitations():
            if hmac.compare_digest(one.digest, digest):
                return one
        raise ForbiddenError("the code isn't known here, was used, or has expired")

    async def _invitations(self) -> list[Invitation]:
        """List the invitations that hold; those that have expired are dropped."""
        kept = []
        for stored in await self._node.store.list_documents(INVITATION):
            one = Invitation(stored.id, stored.body["sha256"], stored.body["expiresUs"])
            if one.expires_us > self._node.clock():
                kept.append(one)
            else:
                await self._node.store.delete_document(INVITATION, one.city)
        return kept

    async def admit(self, application: Application) -> tuple[Member, str]:
        """Admit a city by its code; give the member, and the secret by which it comes in here.

        The city is asked who it is before anything is written, so that a member that can't be
        reached never becomes one; the code holds until then. Raises ForbiddenError for a code that
        doesn't hold, ConflictError when the city can't be told apart from another node or shares
        types that aren't, SourceError when it doesn't answer.
        """
        invitation = await self.look_up(application.code)
        if not application.types:
            raise BadRequestDataError("types: a member says which types it shares")
        shared = await list_shared(self._node.store)
        strange = [one for one in application.types if shared and one not in shared]
        if strange:
            raise ConflictError(f"types {strange[:10]} aren't shared in this region")
        self._own.check_way(application.endpoint)
        alias = await self._identify(application)
        await self._check_alias(alias, invitation.city)
        if not await self._node.store.delete_document(INVITATION, invitation.city):
            raise ForbiddenError("the code isn't known here, was used, or has expired")
        before = await self.find(invitation.city)
        if before is not None:
            await self._forget(before)
        try:
            return await self._enter(application, invitation.city, alias)
        except ConurbError:
            await self._node.store.put_document(invitation.stored())
            raise

    async def _enter(self, application: Application, city: str, alias: str) -> tuple[Member, str]:
        now = self._node.clock()
        member = Member(
            city=city,
            alias=alias,
            endpoint=application.endpoint.rstrip("/"),
            tenant=application.tenant,
            registration_id=f"urn:ngsi-ld:ContextSourceRegistration:member:{city}",
            token_name=token_name("member", city),
            types=application.types,
            copies=application.copies,
            joined_us=now,
        )
        secret = self._own.issue(
            member.token_name,
            rights=frozenset({"read"}),
            tenant=self._node.tenant,
            now_us=now,
        )
        await self._node.store.put_document(member.stored())
        await self._registrations.put(_registration(member, application.token))
        return member, secret

    async def _identify(self, application: Application) -> str:
        envoy = Envoy(
            self._node.delivery.outbound,
            application.endpoint,
            tenant=application.tenant,
            token=application.token,
        )
        identity = await envoy.ask("GET", IDENTITY_PATH)
        alias = identity.get("contextSourceAlias") if isinstance(identity, dict) else None
        if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
            raise SourceError(f"{application.endpoint} doesn't say who it is: {alias!r:.100}")
        return alias

    async def _check_alias(self, alias: str, city: str) -> None:
        taken = {self._own.alias: "the region"}
        taken |= {one.alias: one.city for one in await self.everyone() if one.city != city}
        if alias in taken:
            raise ConflictError(
                f"the node calls itself {alias!r}, as {taken[alias]} does; "
                "each node of a region needs a node_id of its own"
            )

    async def everyone(self) -> list[Member]:
        """List the members, in order of their joining."""
        return [read_member(one) for one in await self._node.store.list_documents(MEMBER)]

    async def find(self, city: str) -> Member | None:
        """Find a member; None when there is none."""
        stored = await self._node.store.find_document(MEMBER, city)
        return None if stored is None else read_member(stored)

    async def expel(self, caller: Caller, city: str, *, tell: bool = True) -> bool:
        """Let a member go: its token, its registration and its subscriptions here end.

        `tell` says that the city is to be told; give whether it was. A city may take its own
        leave, everybody else needs the right `admin`. Raises NotFoundError when it isn't a member.
        """
        member = await self.find(city)
        if member is None:
            caller.require("read")
            raise NotFoundError(f"{city!r:.100} is not a member of this region")
        if caller.name != member.token_name:
            caller.require("admin")
        registered = {one.id: one for one in await self._registrations.all()}
        registration = registered.get(member.registration_id)
        await self._forget(member)
        return tell and registration is not None and await self._tell(member, registration)

    async def _forget(self, member: Member) -> None:
        self._own.revoke(member.token_name)
        await self._registrations.delete(member.registration_id)
        await end_subscriptions(self._node, member.token_name)
        await self._gone(member.city)
        await self._node.store.delete_document(MEMBER, member.city)

    async def _tell(self, member: Member, registration: Registration) -> bool:
        authorization = registration.told("Authorization") or ""
        envoy = Envoy(
            self._node.delivery.outbound,
            member.endpoint,
            tenant=member.tenant,
            token=authorization.removeprefix("Bearer "),
        )
        path = f"{MEMBERSHIPS_PATH}/{quote(self._own.alias, safe='')}"
        try:
            await envoy.ask("DELETE", path, params={"quiet": "true"})
        except ConurbError:
            return False
        return True


def _registration(member: Member, token: str) -> Registration:
    """Give the registration of a member: for what it shares, and what it promises of that."""
    types = dict.fromkeys((*member.types, AGREEMENT))
    entities = tuple(EntityInfo((iri,)) for iri in types)
    return Registration(
        id=member.registration_id,
        endpoint=member.endpoint,
        alias=member.alias,
        title=member.city,
        tenant=member.tenant,
        information=(Information(entities),),
        operations=OPERATIONS,
        source_info=(("Authorization", f"Bearer {token}"),),
    )


def check_city(city: str) -> str:
    """Give the name of a city back; raise BadRequestDataError when it can't be one."""
    try:
        return check_name(city)
    except ConurbError as error:
        raise BadRequestDataError(error.detail.replace("token name", "city", 1)) from error

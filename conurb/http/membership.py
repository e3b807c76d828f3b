"""/federation: shared types, invitations, members of a region and the regions of a member."""

from __future__ import annotations

from typing import Any, Final

from conurb.errors import InvalidRequestError
from conurb.federation.members import (
    LIFETIME_S,
    LIFETIME_S_MAX,
    MEMBERS_PATH,
    MEMBERSHIPS_PATH,
    Application,
    Members,
)
from conurb.federation.membership import LOOKUP_PATH, Memberships, Wish
from conurb.federation.replication import replication_of
from conurb.federation.sharing import list_shared, put_shared, read_shared, shared_document
from conurb.federation.trust import Self
from conurb.http.exchange import Answer, Exchange, give_json, no_content
from conurb.http.params import Param
from conurb.http.routing import Reply, Route
from conurb.http.schemas import obj, ref
from conurb.model.time import shown_us
from conurb.node.host import TENANT
from conurb.node.tokens import TokenFile

SHARED_PATH: Final = "/federation/shared"
INVITATIONS_PATH: Final = "/federation/invitations"
TEXT_MAX: Final = 2048
TYPES_MAX: Final = 1000
QUIET: Final = Param("quiet", "Don't tell the other side: it knows.", kind="flag")


async def get_shared(exchange: Exchange) -> Answer:
    """Give the types that members of the region share."""
    exchange.caller.require("read")
    node = await exchange.host.node(exchange.tenant)
    terms = await exchange.link_terms()
    return give_json({"types": shared_document(await list_shared(node.store), terms)})


async def set_shared(exchange: Exchange) -> Answer:
    """State the types that members of the region share, in the place of what was stated."""
    exchange.caller.require("admin")
    node = await exchange.host.node(exchange.tenant)
    document = await _body(exchange)
    shared = read_shared(document.get("types"), await exchange.link_terms())
    await put_shared(node.store, shared)
    return no_content()


async def invite(exchange: Exchange) -> Answer:
    """Invite a city: the code is shown this once."""
    exchange.caller.require("admin")
    document = await _body(exchange)
    lifetime_s = document.get("lifetime", LIFETIME_S)
    if not isinstance(lifetime_s, int) or isinstance(lifetime_s, bool):
        raise InvalidRequestError(f"lifetime: {lifetime_s!r:.80} is not a number of seconds")
    members = await _members(exchange)
    code, invitation = await members.invite(
        exchange.caller, _text(document, "city"), lifetime_s=lifetime_s
    )
    shown = {"city": invitation.city, "code": code, "expiresAt": shown_us(invitation.expires_us)}
    return give_json(shown, status=201)


async def look_up(exchange: Exchange) -> Answer:
    """Say what a code is for: who invites, whom, and what objects have to fit."""
    document = await _body(exchange)
    members = await _members(exchange)
    invitation = await members.look_up(_text(document, "code"))
    node = await exchange.host.node(exchange.tenant)
    return give_json(
        {
            "region": exchange.host.alias(exchange.tenant),
            "city": invitation.city,
            "expiresAt": shown_us(invitation.expires_us),
            "types": shared_document(await list_shared(node.store)),
        }
    )


async def admit(exchange: Exchange) -> Answer:
    """Admit the city that shows a code."""
    document = await _body(exchange)
    members = await _members(exchange)
    member, secret = await members.admit(
        Application(
            code=_text(document, "code"),
            endpoint=_text(document, "endpoint"),
            token=_text(document, "token"),
            tenant=_tenant(document, "tenant"),
            types=_texts(document, "types"),
            copies=_flag(document, "copies"),
        )
    )
    return give_json({**member.document(), "token": secret}, status=201)


async def list_members(exchange: Exchange) -> Answer:
    """List the members of the region."""
    exchange.caller.require("federate")
    members = await _members(exchange)
    return give_json([one.document() for one in await members.everyone()])


async def expel(exchange: Exchange) -> Answer:
    """Let a member go: its token, registration and subscriptions end."""
    members = await _members(exchange)
    tell = not exchange.params.flag("quiet")
    told = await members.expel(exchange.caller, exchange.args["city"], tell=tell)
    return give_json({"told": told})


async def join(exchange: Exchange) -> Answer:
    """Join a region by its code, or only look whether this node's objects fit."""
    exchange.caller.require("admin")
    document = await _body(exchange)
    terms = await exchange.link_terms()
    endpoint = _text(document, "endpoint") if "endpoint" in document else exchange.base_url
    wish = Wish(
        region_url=_text(document, "region"),
        code=_text(document, "code"),
        endpoint=endpoint,
        region_tenant=_tenant(document, "regionTenant"),
        types=tuple(map(terms.expand, _texts(document, "types"))),
        copies=_flag(document, "copies"),
        despite=_flag(document, "despite"),
        dry=_flag(document, "dry"),
    )
    joined = await (await _memberships(exchange)).join(exchange.caller, wish)
    return give_json(joined.document(), status=200 if joined.membership is None else 201)


async def list_memberships(exchange: Exchange) -> Answer:
    """List the regions that this node belongs to."""
    exchange.caller.require("federate")
    memberships = await _memberships(exchange)
    return give_json([one.document() for one in await memberships.everyone()])


async def leave(exchange: Exchange) -> Answer:
    """Leave a region: its token and its subscriptions here end."""
    memberships = await _memberships(exchange)
    tell = not exchange.params.flag("quiet")
    told = await memberships.leave(exchange.caller, exchange.args["region"], tell=tell)
    return give_json({"told": told})


# ── reading ───────────────────────────────────────────────────────────────────────────────────


def _own(exchange: Exchange) -> Self:
    settings = exchange.settings
    return Self(
        exchange.host.alias(exchange.tenant),
        TokenFile(settings.tokens_path),
        is_lax=settings.insecure_open,
    )


async def _members(exchange: Exchange) -> Members:
    node = await exchange.host.node(exchange.tenant)
    return Members(node, _own(exchange), gone=replication_of(node).forget)


async def _memberships(exchange: Exchange) -> Memberships:
    return Memberships(await exchange.host.node(exchange.tenant), _own(exchange))


async def _body(exchange: Exchange) -> dict[str, Any]:
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("the body must be a JSON object")
    return document


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_MAX:
        raise InvalidRequestError(f"{name}: {value!r:.80} is not a text of up to {TEXT_MAX}")
    return value


def _texts(document: dict[str, Any], name: str) -> tuple[str, ...]:
    value = document.get(name, [])
    if not isinstance(value, list) or len(value) > TYPES_MAX:
        raise InvalidRequestError(f"{name}: a list of at most {TYPES_MAX} names is needed")
    return tuple(_text({name: one}, name) for one in value)


def _flag(document: dict[str, Any], name: str) -> bool:
    value = document.get(name, False)
    if not isinstance(value, bool):
        raise InvalidRequestError(f"{name}: {value!r:.80} is not true or false")
    return value


def _tenant(document: dict[str, Any], name: str) -> str | None:
    if document.get(name) is None:
        return None
    value = _text(document, name)
    if not TENANT.fullmatch(value):
        raise InvalidRequestError(f"{name}: {value!r:.80} can't be the name of a tenant")
    return value


_TEXT: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": TEXT_MAX}
_TEXTS: Final[dict[str, Any]] = {"type": "array", "items": _TEXT, "maxItems": TYPES_MAX}
_TIME: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
_BOOL: Final[dict[str, Any]] = {"type": "boolean"}
_PLACE: Final[dict[str, Any]] = {"endpoint": _TEXT, "types": _TEXTS, "copies": _BOOL}

SCHEMAS: Final[dict[str, dict[str, Any]]] = {
    "SharedTypes": obj({"types": {"type": "object"}}, required=("types",)),
    "InvitationRequest": obj(
        {
            "city": {"type": "string", "pattern": r"^[\w.@-]{1,80}$"},
            "lifetime": {"type": "integer", "minimum": 1, "maximum": LIFETIME_S_MAX},
        },
        required=("city",),
    ),
    "Invitation": obj(
        {"region": _TEXT, "city": _TEXT, "code": _TEXT, "expiresAt": _TIME},
        required=("city", "expiresAt"),
    ),
    "InvitationCode": obj({"code": _TEXT}, required=("code",)),
    "MemberApplication": obj(
        {"code": _TEXT, "token": _TEXT, "tenant": {"type": ["string", "null"]}, **_PLACE},
        required=("code", "endpoint", "token", "types"),
    ),
    "Member": obj(
        {"city": _TEXT, "alias": _TEXT, "token": _TEXT, "joinedAt": _TIME, **_PLACE},
        required=("city", "alias", "endpoint", "types", "joinedAt"),
    ),
    "MembershipWish": obj(
        {
            "region": _TEXT,
            "code": _TEXT,
            "regionTenant": {"type": ["string", "null"]},
            "despite": _BOOL,
            "dry": _BOOL,
            **_PLACE,
        },
        required=("region", "code"),
    ),
    "Membership": obj(
        {"region": _TEXT, "url": _TEXT, "city": _TEXT, "types": _TEXTS, "joinedAt": _TIME},
        required=("region", "url", "city", "types", "joinedAt"),
    ),
    "Joined": obj(
        {
            "joined": _BOOL,
            "region": _TEXT,
            "city": _TEXT,
            "report": obj(
                {
                    "checked": {"type": "object"},
                    "faults": {"type": "array", "items": ref("Fault")},
                    "moreFaults": {"type": "integer"},
                }
            ),
        },
        required=("joined", "region", "city", "report"),
    ),
    "Fault": obj(
        {"id": _TEXT, "attribute": _TEXT, "reason": _TEXT}, required=("id", "attribute", "reason")
    ),
    "Told": obj({"told": _BOOL}, required=("told",)),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (*_region_routes(), *_member_routes())


def _region_routes() -> tuple[Route, ...]:
    tag = "region"
    plain: dict[str, Any] = {"accepts": (), "errors": (400, 403, 404)}
    return (
        Route(
            "GET",
            SHARED_PATH,
            "getSharedTypes",
            "Give the types that members of the region share",
            get_shared,
            tag,
            accepts=(),
            replies={200: Reply("The types.", "SharedTypes")},
            errors=(400, 403, 404, 504),
        ),
        Route(
            "PUT",
            SHARED_PATH,
            "setSharedTypes",
            "State the types that members of the region share",
            set_shared,
            tag,
            body="SharedTypes",
            accepts=(),
            replies={204: Reply("Stated.")},
            errors=(400, 403, 404, 504),
        ),
        Route(
            "POST",
            INVITATIONS_PATH,
            "invite",
            "Invite a city; the code is shown this once",
            invite,
            tag,
            body="InvitationRequest",
            replies={201: Reply("The invitation.", "Invitation")},
            **{**plain, "errors": (400, 403, 404, 409)},
        ),
        Route(
            "POST",
            LOOKUP_PATH,
            "lookUpInvitation",
            "Say what the code of an invitation is for",
            look_up,
            tag,
            body="InvitationCode",
            replies={200: Reply("The invitation, and the shared types.", "Invitation")},
            open_to_all=True,
            **plain,
        ),
        Route(
            "POST",
            MEMBERS_PATH,
            "admitMember",
            "Admit the city that shows a code",
            admit,
            tag,
            body="MemberApplication",
            accepts=(),
            replies={201: Reply("The member, and its token, shown this once.", "Member")},
            errors=(400, 403, 404, 409, 502, 504),
            open_to_all=True,
        ),
        Route(
            "GET",
            MEMBERS_PATH,
            "listMembers",
            "List the members of the region",
            list_members,
            tag,
            replies={200: Reply("The members.", "Member", many=True)},
            **plain,
        ),
        Route(
            "DELETE",
            MEMBERS_PATH + "/{city}",
            "expelMember",
            "Let a member go: its token, registration and subscriptions end",
            expel,
            tag,
            params=(QUIET,),
            replies={200: Reply("Gone; whether it was told.", "Told")},
            **plain,
        ),
    )


def _member_routes() -> tuple[Route, ...]:
    tag = "region"
    plain: dict[str, Any] = {"accepts": (), "errors": (400, 403, 404)}
    return (
        Route(
            "POST",
            MEMBERSHIPS_PATH,
            "joinRegion",
            "Join a region, or look whether this node's objects fit it",
            join,
            tag,
            body="MembershipWish",
            accepts=(),
            replies={
                200: Reply("Not joined: what the check found.", "Joined"),
                201: Reply("Joined.", "Joined"),
            },
            errors=(400, 403, 404, 409, 502, 504),
        ),
        Route(
            "GET",
            MEMBERSHIPS_PATH,
            "listMemberships",
            "List the regions that this node belongs to",
            list_memberships,
            tag,
            replies={200: Reply("The regions.", "Membership", many=True)},
            **plain,
        ),
        Route(
            "DELETE",
            MEMBERSHIPS_PATH + "/{region}",
            "leaveRegion",
            "Leave a region: its token and its subscriptions here end",
            leave,
            tag,
            params=(QUIET,),
            replies={200: Reply("Left; whether the region was told.", "Told")},
            **plain,
        ),
    )

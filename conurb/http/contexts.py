"""/jsonldContexts: add, list, serve, delete and reload @contexts (clauses 5.13, 6.29, 6.30)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from conurb.errors import InvalidRequestError
from conurb.http.exchange import Answer, Exchange, created, give_json, no_content
from conurb.http.params import DETAILS, Param
from conurb.http.routing import API, JSON, JSON_LD, Reply, Route
from conurb.model.time import shown_us
from conurb.node.contexts import PATH, Entry

if TYPE_CHECKING:
    from conurb.node.contexts import Kind

KINDS = ("Cached", "Hosted", "ImplicitlyCreated")
KIND = Param("kind", "Only @contexts of this kind.", choices=KINDS)
RELOAD = Param("reload", "Get it anew from its origin instead of dropping it.", "flag")


async def add(exchange: Exchange) -> Answer:
    """Host a @context (clause 5.13.2)."""
    document = await exchange.json()
    if not isinstance(document, dict):
        raise InvalidRequestError("the body must be a JSON object with a member '@context'")
    exchange.caller.require("write")
    context_id = await exchange.contexts.add(document, tenant=exchange.tenant)
    return created(API + "/jsonldContexts", context_id)


async def list_all(exchange: Exchange) -> Answer:
    """List the URLs of what is stored, or its metadata (clause 5.13.3)."""
    exchange.caller.require("read")
    kind = cast("Kind | None", exchange.params.text("kind"))
    entries = exchange.contexts.list_entries(kind, tenant=exchange.tenant)
    if exchange.params.flag("details"):
        return give_json([_metadata(entry, exchange.base_url) for entry in entries])
    return give_json([_url(entry, exchange.base_url) for entry in entries])


async def serve(exchange: Exchange) -> Answer:
    """Give a @context, or its metadata (clause 5.13.4)."""
    context_id = exchange.args["contextId"]
    if exchange.params.flag("details"):
        exchange.caller.require("read")
        entry = exchange.contexts.get(context_id, tenant=exchange.tenant)
        return give_json(_metadata(entry, exchange.base_url))
    return give_json(exchange.contexts.serve(context_id, tenant=exchange.tenant))


async def delete(exchange: Exchange) -> Answer:
    """Drop a @context, or get it anew (clause 5.13.5)."""
    exchange.caller.require("write")
    context_id = exchange.args["contextId"]
    if exchange.params.flag("reload"):
        await exchange.contexts.reload(context_id, tenant=exchange.tenant)
    else:
        await exchange.contexts.delete(context_id, tenant=exchange.tenant)
    return no_content()


def _url(entry: Entry, base_url: str) -> str:
    return entry.url if entry.url is not None else base_url + PATH + entry.id


def _metadata(entry: Entry, base_url: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "URL": _url(entry, base_url),
        "localId": entry.id,
        "kind": entry.kind,
        "createdAt": shown_us(entry.created_us),
        "numberOfHits": entry.hits,
    }
    if entry.expires_us is not None:
        metadata["expiresAt"] = shown_us(entry.expires_us)
    if entry.last_used_us is not None:
        metadata["lastUsage"] = shown_us(entry.last_used_us)
    return metadata


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    tag = "@contexts"
    one = API + "/jsonldContexts/{contextId}"
    return (
        Route(
            "POST",
            API + "/jsonldContexts",
            "createContext",
            "Host a @context",
            add,
            tag,
            body="Context",
            accepts=(),
            replies={201: Reply("Hosted; its path is in Location.", headers=("Location",))},
            errors=(400, 504),
            any_tenant=True,
        ),
        Route(
            "GET",
            API + "/jsonldContexts",
            "listContexts",
            "List the @contexts stored here",
            list_all,
            tag,
            params=(DETAILS, KIND),
            accepts=(JSON, JSON_LD),
            replies={200: Reply("URLs, or metadata with details=true.", "ContextList")},
            any_tenant=True,
        ),
        Route(
            "GET",
            one,
            "retrieveContext",
            "Serve a @context, or its metadata",
            serve,
            tag,
            params=(DETAILS,),
            accepts=(JSON, JSON_LD),
            replies={200: Reply("The @context, or its metadata.", "Context")},
            errors=(400, 404, 422),
            any_tenant=True,
            open_to_all=True,
        ),
        Route(
            "DELETE",
            one,
            "deleteContext",
            "Drop a @context, or get it anew",
            delete,
            tag,
            params=(RELOAD,),
            accepts=(),
            replies={204: Reply("Done.")},
            errors=(400, 404, 504),
            any_tenant=True,
        ),
    )

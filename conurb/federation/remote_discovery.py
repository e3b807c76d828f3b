"""What types and attributes a source elsewhere has (clauses 5.7.5 to 5.7.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from conurb.errors import SourceError
from conurb.federation.remote_source import RemoteSource, check
from conurb.federation.wire import Reply
from conurb.store.contract import AttributeInfo, TypeInfo

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.context import Terms


class RemoteDiscovery(RemoteSource):
    """The types and attributes of a context source."""

    async def list_types(self, caller: Caller) -> list[TypeInfo]:
        """List the types of its entities; how many there are it doesn't say."""
        wording = await self._wire.wording(self.registration, caller)
        reply = await self.send(caller, "GET", "/types", wording, params={"details": "true"})
        terms = wording.of_url
        return [
            TypeInfo(
                iri_of(item, "typeName", terms),
                0,
                {terms.expand(name): () for name in item.get("attributeNames", ())},
            )
            for item in items_of(reply)
        ]

    async def find_type(self, caller: Caller, iri: str) -> TypeInfo | None:
        """Describe a type; None when it has no entity of it."""
        wording = await self._wire.wording(self.registration, caller)
        terms = wording.of_url
        path = "/types/" + quote(terms.compact(iri), safe="")
        reply = await self.send(caller, "GET", path, wording)
        if reply.status == 404:
            return None
        [item] = items_of(reply)
        return TypeInfo(
            iri,
            int(item.get("entityCount", 0)),
            {
                iri_of(one, "attributeName", terms): tuple(one.get("attributeTypes", ()))
                for one in item.get("attributeDetails", ())
            },
        )

    async def list_attributes(self, caller: Caller) -> list[AttributeInfo]:
        """List the attributes of its entities; how many there are it doesn't say."""
        wording = await self._wire.wording(self.registration, caller)
        reply = await self.send(caller, "GET", "/attributes", wording, params={"details": "true"})
        terms = wording.of_url
        return [
            AttributeInfo(
                iri_of(item, "attributeName", terms),
                0,
                (),
                tuple(map(terms.expand, item.get("typeNames", ()))),
            )
            for item in items_of(reply)
        ]

    async def find_attribute(self, caller: Caller, iri: str) -> AttributeInfo | None:
        """Describe an attribute; None when no entity of it has it."""
        wording = await self._wire.wording(self.registration, caller)
        terms = wording.of_url
        path = "/attributes/" + quote(terms.compact(iri), safe="")
        reply = await self.send(caller, "GET", path, wording)
        if reply.status == 404:
            return None
        [item] = items_of(reply)
        return AttributeInfo(
            iri,
            int(item.get("attributeCount", 0)),
            tuple(item.get("attributeTypes", ())),
            tuple(map(terms.expand, item.get("typeNames", ()))),
        )


def items_of(reply: Reply) -> list[dict[str, Any]]:
    """Read what is listed; raise SourceError when it can't be."""
    check(reply)
    if reply.status == 404 or reply.document is None:
        return []
    items = reply.document if isinstance(reply.document, list) else [reply.document]
    if not all(isinstance(item, dict) for item in items):
        raise SourceError("the answer isn't NGSI-LD", code=111)
    return items


def iri_of(item: dict[str, Any], member: str, terms: Terms) -> str:
    """Read what is described; raise SourceError when it isn't said."""
    name = item.get("id") or item.get(member)
    if not isinstance(name, str):
        raise SourceError(f"the answer isn't NGSI-LD: {member} is missing", code=111)
    return name if ":" in name else terms.expand(name)

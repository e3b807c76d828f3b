"""Context source registrations: which node may know what (clauses 5.2.9 to 5.2.11).

Internal form: names are IRIs, times are microseconds. They are documents of the region node's
store, so that they survive a restart and travel with an export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from conurb.model.registration import (
    THIS_PROCESS,
    EntityInfo,
    Information,
    Mode,
    Registration,
    TimeInterval,
)
from conurb.store.contract import Document

if TYPE_CHECKING:
    from conurb.store.contract import Store

__all__ = [
    "KIND",
    "THIS_PROCESS",
    "EntityInfo",
    "Information",
    "Mode",
    "Registration",
    "Registrations",
]

KIND: Final = "registration"


def to_document(registration: Registration) -> Document:
    """Write a registration as a document of a store."""
    body = asdict(registration)
    body["operations"] = sorted(registration.operations)
    return Document(KIND, registration.id, body)


def from_document(document: Document) -> Registration:
    """Read what `to_document` wrote."""
    body: dict[str, Any] = dict(document.body)
    body["information"] = tuple(map(_information, body["information"]))
    body["operations"] = frozenset(body["operations"])
    for member in ("datasets", "scopes"):
        body[member] = tuple(body[member])
    body["source_info"] = tuple((key, value) for key, value in body["source_info"])
    for member in ("management_interval", "observation_interval"):
        if body[member] is not None:
            body[member] = TimeInterval(**body[member])
    return Registration(**body)


class Registrations:
    """The registrations of one node, read once and kept with the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Registration] | None = None

    async def all(self) -> list[Registration]:
        """List them, in order of their creation."""
        return list((await self._loaded()).values())

    async def put(self, registration: Registration) -> None:
        """Store one, replacing that of its id; nothing is written when it is the same."""
        known = await self._loaded()
        if known.get(registration.id) != registration:
            await self._store.put_document(to_document(registration))
            known[registration.id] = registration

    async def delete(self, registration_id: str) -> bool:
        """Delete one; whether there was one."""
        known = await self._loaded()
        known.pop(registration_id, None)
        return await self._store.delete_document(KIND, registration_id)

    async def _loaded(self) -> dict[str, Registration]:
        if self._known is None:
            documents = await self._store.list_documents(KIND)
            self._known = {one.id: from_document(one) for one in documents}
        return self._known


def _information(body: Mapping[str, Any]) -> Information:
    return Information(
        entities=tuple(
            EntityInfo(tuple(item["types"]), item["id"], item["id_pattern"])
            for item in body["entities"]
        ),
        attributes=tuple(body["attributes"]),
    )

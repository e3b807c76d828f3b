"""Context source registrations: which node may know what (clauses 5.2.9 to 5.2.11).

Internal form: names are IRIs, times are microseconds. They are documents of the region node's
store, so that they survive a restart and travel with an export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from conurb.store.contract import Document

if TYPE_CHECKING:
    from conurb.store.contract import Store

KIND: Final = "registration"
THIS_PROCESS: Final = "urn:conurb:this-process"
"""The endpoint of a node that lives in the same process: it is called, not sent to."""

Mode = Literal["inclusive", "exclusive", "redirect", "auxiliary"]


@dataclass(frozen=True, slots=True)
class EntityInfo:
    """Entities that a source may know: of a type, and of an id or a pattern of ids (5.2.8)."""

    type: str
    id: str | None = None
    id_pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Information:
    """What a source may know (5.2.10): these attributes of these entities.

    No entities means any entity, no attributes any attribute.
    """

    entities: tuple[EntityInfo, ...] = ()
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One context source: where it is, and what it may know.

    `endpoint` is a URL or `THIS_PROCESS`, `tenant` the tenant to ask there. `alias` names the
    source in answers. `timeout_s` is how long an answer is waited for.
    """

    id: str
    endpoint: str
    alias: str
    information: tuple[Information, ...] = (Information(),)
    tenant: str | None = None
    mode: Mode = "inclusive"
    expires_us: int | None = None
    timeout_s: float | None = None

    def to_document(self) -> Document:
        """Write it as a document of a store."""
        return Document(KIND, self.id, asdict(self))

    @classmethod
    def from_document(cls, document: Document) -> Registration:
        """Read what `to_document` wrote."""
        body: dict[str, Any] = dict(document.body)
        body["information"] = tuple(map(_information, body["information"]))
        return cls(**body)


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
            await self._store.put_document(registration.to_document())
            known[registration.id] = registration

    async def delete(self, registration_id: str) -> bool:
        """Delete one; whether there was one."""
        known = await self._loaded()
        known.pop(registration_id, None)
        return await self._store.delete_document(KIND, registration_id)

    async def _loaded(self) -> dict[str, Registration]:
        if self._known is None:
            documents = await self._store.list_documents(KIND)
            self._known = {one.id: Registration.from_document(one) for one in documents}
        return self._known


def _information(body: Mapping[str, Any]) -> Information:
    return Information(
        entities=tuple(EntityInfo(**item) for item in body["entities"]),
        attributes=tuple(body["attributes"]),
    )

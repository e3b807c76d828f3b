"""A registration as it is filed, asked for and shown (clauses 5.2.9, 5.10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from conurb.model.query.match import holds
from conurb.model.query.tree import Condition, Query, TimeWindow
from conurb.model.registration import Information, Registration
from conurb.model.registration_document import show_document, source_of
from conurb.model.registration_rules import compile_registration
from conurb.model.subscription_document import Document
from conurb.model.time import shown_us
from conurb.store.contract import Document as StoredDocument

if TYPE_CHECKING:
    from conurb.model.context import Terms

KIND: Final = "csource-registration"


@dataclass(frozen=True, slots=True)
class Filed:
    """A registration as it is stored, and what it means."""

    document: Document
    registration: Registration
    created_us: int
    modified_us: int

    @property
    def id(self) -> str:
        """Give the registration's id."""
        return self.registration.id

    def stored(self) -> StoredDocument:
        """Write it as a document of a store."""
        times = {"createdUs": self.created_us, "modifiedUs": self.modified_us}
        return StoredDocument(KIND, self.id, {"document": self.document, **times})

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Filed:
        """Read it from a stored document."""
        document = body["document"]
        registration = compile_registration(document, anything=True)
        return cls(document, registration, body["createdUs"], body["modifiedUs"])


@dataclass(slots=True)
class Standing:
    """How requests to a source went (table 5.2.9-2)."""

    sent: int = 0
    failed: int = 0
    status: Literal["ok", "failed"] | None = None
    last_success_us: int | None = None
    last_failure_us: int | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A registration as it is shown: `information` is what of it was asked for."""

    filed: Filed
    information: tuple[Information, ...]
    standing: Standing


@dataclass(frozen=True, slots=True)
class Search:
    """A question for registrations (clause 5.10.2).

    `query` says of which entities, `filter` what their context source properties are to be, and
    `window` of which time; without it, it is for sources of what is now.
    """

    query: Query
    filter: Condition | None = None
    window: TimeWindow | None = None


def passes(filed: Filed, condition: Condition | None) -> bool:
    """Whether a context source filter holds on a source (clauses 4.9, 5.10.2.4)."""
    return condition is None or holds(condition, source_of(filed.document))


def render_registration(
    shown: Shown, terms: Terms, *, sys_attrs: bool = False, secrets: bool = False
) -> Document:
    """Write a registration as the API gives it (clause 5.2.9).

    What the source is told with every request may be a password: it is given with `secrets` only.
    """
    filed = shown.filed
    document = dict(filed.document)
    if shown.information != filed.registration.information:
        pairs = zip(document["information"], filed.registration.information, strict=True)
        document["information"] = [one for one, meant in pairs if meant in shown.information]
    if not secrets:
        document.pop("contextSourceInfo", None)
    written = show_document(document, terms)
    standing = shown.standing
    if standing.sent:
        written["status"] = standing.status
        written["timesSent"] = standing.sent
        written["timesFailed"] = standing.failed
    times = {"lastSuccess": standing.last_success_us, "lastFailure": standing.last_failure_us}
    if sys_attrs:
        times |= {"createdAt": filed.created_us, "modifiedAt": filed.modified_us}
    written |= {member: shown_us(us) for member, us in times.items() if us is not None}
    return written

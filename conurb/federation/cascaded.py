"""One subscription's copy at a source, as the node that made it remembers it.

`conurb.federation.cascade` makes copies and takes them away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conurb.model.registration_document import document_of
from conurb.model.registration_rules import compile_registration
from conurb.store.contract import Document

if TYPE_CHECKING:
    from conurb.model.registration import Registration

KIND: Final = "cascaded-subscription"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a subscription at a source; `digest` is that of what the source was given.

    `source` is the way there as it was registered then, for when the registration is gone before
    the copy is; `gone_us` is since when the copy isn't wanted any more.
    """

    id: str
    subscription_id: str
    registration_id: str
    digest: str
    source: Registration | None = None
    gone_us: int | None = None

    @property
    def gone(self) -> bool:
        """Whether it isn't wanted any more."""
        return self.gone_us is not None

    def leads_to(self, registration: Registration) -> bool:
        """Whether a registration, as it is now, leads to the source that has this copy."""
        way = self.source
        here = (registration.endpoint, registration.tenant)
        return way is None or (way.endpoint, way.tenant) == here

    def stored(self) -> Document:
        """Write it as a document of a store."""
        body = {
            "subscription": self.subscription_id,
            "registration": self.registration_id,
            "digest": self.digest,
            "source": None if self.source is None else document_of(self.source),
            "goneUs": self.gone_us,
        }
        return Document(KIND, self.id, body)


def read_copy(stored: Document) -> Copy:
    """Read a copy from its stored document."""
    body = stored.body
    source = body.get("source")
    return Copy(
        stored.id,
        body["subscription"],
        body["registration"],
        body["digest"],
        None if source is None else compile_registration(source, anything=True),
        body.get("goneUs"),
    )

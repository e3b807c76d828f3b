"""A notification written out, ready to be sent, and what became of it.

The words that `conurb.node.delivery`, its senders and `conurb.node.courier` share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from conurb.model.endpoint import Endpoint

CONTEXT_REL: Final = "http://www.w3.org/ns/json-ld#context"


@dataclass(frozen=True, slots=True)
class Message:
    """A notification, written out as JSON.

    `media` is its media type; `context_url` is the @context that it doesn't carry itself, None
    when it does. `tenant` is None for the default tenant.
    """

    endpoint: Endpoint
    body: bytes
    media: str
    context_url: str | None = None
    tenant: str | None = None

    def headers(self) -> dict[str, str]:
        """Write what goes beside the body: HTTP headers, or the metadata of MQTT (table 7.2-2)."""
        sent = dict(self.endpoint.receiver_info)
        sent["Content-Type"] = self.media
        if self.context_url is not None:
            sent["Link"] = f'<{self.context_url}>; rel="{CONTEXT_REL}"; type="application/ld+json"'
        if self.tenant is not None:
            sent["NGSILD-Tenant"] = self.tenant
        return sent


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a message: taken by the receiver or not, and whether to try it again."""

    ok: bool
    again: bool = False
    detail: str = ""


TAKEN: Final = Outcome(ok=True)


class Sender(Protocol):
    """Sends messages of one scheme."""

    async def send(self, message: Message) -> Outcome:
        """Send a message; give what became of it."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...

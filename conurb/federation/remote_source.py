"""One context source on the other end of a wire: asking it, and reading what every answer has.

What is asked of it stands on this: entities and history (`remote.py`), types and attributes
(`remote_discovery.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import SourceError
from conurb.federation.completeness import Absence
from conurb.federation.legs import Leg
from conurb.federation.wire import TIMEOUT_S, Reply, Wire, Wording

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.registration import Registration

WARNINGS_MAX: Final = 100
"""Warnings of one answer that are passed on."""
_WARNING: Final = re.compile(r'(\d{3}) (\S{1,200}) "([^"]{0,500})"')

Went = Callable[[str, bool], None]
"""Is told of every request to a source: the id of its registration, and whether it was answered."""


class RemoteSource:
    """A context source on the other end of a wire."""

    def __init__(self, leg: Leg, wire: Wire, went: Went) -> None:
        self._leg = leg
        self._wire = wire
        self._went = went

    @property
    def leg(self) -> Leg | None:
        """Give what it is registered for."""
        return self._leg

    @property
    def name(self) -> str:
        """Give the name by which answers call it."""
        return self._leg.name

    @property
    def registration(self) -> Registration:
        """Give the registration by which it is known."""
        return self._leg.registration

    @property
    def timeout_s(self) -> float:
        """Give how long its answer is waited for."""
        return self.registration.timeout_s or TIMEOUT_S

    async def send(
        self,
        caller: Caller,
        method: str,
        path: str,
        wording: Wording,
        *,
        params: dict[str, str] | None = None,
        document: Any = None,
    ) -> Reply:
        """Send a request, and count how it went; raise SourceError when it wasn't answered."""
        try:
            reply = await self._wire.send(
                self.registration,
                method,
                path,
                caller=caller,
                wording=wording,
                params=params,
                document=document,
            )
        except SourceError:
            self._went(self.registration.id, False)
            raise
        self._went(self.registration.id, reply.status < 400 or reply.status == 404)
        return reply


def check(reply: Reply) -> None:
    """Raise SourceError for an answer of 400 and more that isn't a 404 (clause 6.3.17)."""
    if reply.status >= 400 and reply.status != 404:
        raise SourceError(f"answered {reply.status}")


def warnings_of(reply: Reply) -> tuple[Absence, ...]:
    """Read what a source says of the sources behind it (clause 6.3.17)."""
    said = _WARNING.findall(reply.headers.get("ngsild-warning", ""))
    return tuple(Absence(node, reason, int(code)) for code, node, reason in said[:WARNINGS_MAX])


def count_of(reply: Reply) -> int:
    """Read the count of all; 0 when it isn't given."""
    text = reply.headers.get("ngsild-results-count", "")
    return int(text) if text.isdigit() else 0

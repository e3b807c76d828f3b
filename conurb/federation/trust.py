"""What nodes that trust each other do with tokens: issue, name, revoke, end what follows from them.

Both sides of a membership stand on it: `conurb.federation.members`, `conurb.federation.membership`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from conurb.access.caller import Caller, Right
from conurb.access.tokens import Token, digest_of, mint
from conurb.errors import BadRequestDataError, NotFoundError
from conurb.federation.region import registration_subscriptions_of
from conurb.model.time import shown_us

if TYPE_CHECKING:
    from conurb.node.node import Node
    from conurb.node.tokens import TokenFile


@dataclass(frozen=True, slots=True)
class Self:
    """How a node appears to others: its name in a Via header, and where its tokens are kept.

    `is_lax` lets it speak over plain HTTP to other machines (an operator who insists).
    """

    alias: str
    tokens: TokenFile
    is_lax: bool = False

    def check_way(self, url: str) -> None:
        """Raise BadRequestDataError for a way on which the tokens could be read by others."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadRequestDataError(f"{url!r:.200} is not the URL of a node")
        if parts.scheme == "http" and not (self.is_lax or _is_loopback(parts.hostname)):
            raise BadRequestDataError(
                f"{url!r:.200}: tokens go to another machine over https only, or with insecure_open"
            )

    def issue(
        self,
        name: str,
        *,
        rights: frozenset[Right],
        types: tuple[str, ...] | None = None,
        tenant: str | None = None,
        now_us: int,
    ) -> str:
        """Mint a token of a name, in the place of an older one; give the secret."""
        self.revoke(name)
        secret = mint()
        self.tokens.add(
            Token(
                name=name,
                digest=digest_of(secret),
                rights=rights,
                types=types,
                tenants=(tenant or "",),
                created=shown_us(now_us),
            )
        )
        return secret

    def revoke(self, name: str) -> None:
        """Revoke a token, if it is there."""
        if any(one.name == name for one in self.tokens.list_tokens()):
            self.tokens.revoke(name)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def token_name(role: str, name: str) -> str:
    """Name a token after the node that comes in by it; names that can't stand get a number.

    >>> token_name("member", "wuxi"), token_name("region", "delta.a/b")
    ('member.wuxi', 'region.delta.a-b.0c7e6d85')
    """
    plain = re.sub(r"[^\w.@-]", "-", name)[:56]
    tail = "" if plain == name else "." + digest_of(name)[:8]
    return f"{role}.{plain}{tail}"


async def end_subscriptions(node: Node, owner: str) -> None:
    """Delete the subscriptions of one owner, so that nothing is sent to it any more."""
    caller = Caller(owner, frozenset({"read", "federate"}))
    for one in (node.subscriptions, registration_subscriptions_of(node)):
        while True:
            page, _ = await one.query(caller, limit=100)
            for shown in page:
                # The owner may be deleting it at this very moment.
                with contextlib.suppress(NotFoundError):
                    await one.delete(caller, _id_of(shown.document))
            if not page:
                break


def _id_of(document: Mapping[str, Any]) -> str:
    return str(document["id"])

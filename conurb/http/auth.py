"""Who asks: the Authorization header becomes a caller.

Without tokens the node is open and everybody is the local caller, which a node only is on loopback
or when its operator insists (`conurb.app` decides). With tokens, only what says how the process is
doing (`/health` ...) may be asked without one.
"""

from __future__ import annotations

from typing import Final, Protocol

from conurb.access.caller import LOCAL, Caller
from conurb.errors import UnauthenticatedError

SCHEME: Final = "bearer"
NOBODY: Final = Caller("nobody", frozenset())
"""The caller of routes that are open to all, when no token was shown."""

_SHOWN_MAX: Final = 512
"""Longer than any token of ours; what is longer isn't hashed."""


class TokenBook(Protocol):
    """Turns the secret that was shown into a caller (`conurb.access.tokens.Tokens`)."""

    def caller(self, bearer: str | None, *, tenant: str | None = None) -> Caller:
        """Give the caller; raise UnauthenticatedError or ForbiddenError."""
        ...


def caller_of(
    authorization: bytes | None,
    tokens: TokenBook | None,
    *,
    tenant: str | None,
    open_to_all: bool,
) -> Caller:
    """Give the caller that an Authorization header stands for.

    Raises UnauthenticatedError without a known token where one is needed, ForbiddenError when it
    isn't for this tenant.
    """
    if tokens is None:
        return LOCAL
    if authorization is None and open_to_all:
        return NOBODY
    return tokens.caller(_bearer(authorization), tenant=tenant)


def _bearer(authorization: bytes | None) -> str | None:
    if authorization is None:
        return None
    scheme, _, secret = authorization.decode("latin-1").strip().partition(" ")
    if scheme.lower() != SCHEME or len(secret) > _SHOWN_MAX:
        raise UnauthenticatedError("this node takes 'Authorization: Bearer TOKEN' and nothing else")
    return secret.strip() or None

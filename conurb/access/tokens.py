"""Bearer tokens: minted once, kept as a hash, turned into a caller.

A token is 32 random bytes; only its SHA-256 is kept, which is enough for a secret of that entropy
(a slow hash protects guessable passwords, and would cost every request). Pure: where tokens are
kept is `conurb.node.tokens`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conurb.access.caller import RIGHTS, Caller, Right
from conurb.errors import ConfigError, ForbiddenError, UnauthenticatedError
from conurb.model.query.tree import Restriction

TOKEN_PREFIX: Final = "conurb_"  # noqa: S105  (it marks a token in logs and scanners)
NAME_LENGTH_MAX: Final = 80
_NAME: Final = re.compile(r"[\w.@-]+")


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token: everything but the secret.

    `types` (IRIs), `scopes` and `tenants` bound what it opens; None means without bound.
    """

    name: str
    digest: str
    rights: frozenset[Right]
    types: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None
    tenants: tuple[str, ...] | None = None
    created: str = ""

    def document(self) -> dict[str, Any]:
        """Write the token as a JSON document."""
        return {
            "name": self.name,
            "sha256": self.digest,
            "rights": sorted(self.rights),
            "types": self.types,
            "scopes": self.scopes,
            "tenants": self.tenants,
            "created": self.created,
        }


def read_token(document: Mapping[str, Any]) -> Token:
    """Read a token from its JSON document; raise ConfigError when it isn't one."""
    try:
        return Token(
            name=check_name(document["name"]),
            digest=document["sha256"],
            rights=check_rights(document["rights"]),
            types=_tuple(document.get("types")),
            scopes=_tuple(document.get("scopes")),
            tenants=_tuple(document.get("tenants")),
            created=document.get("created", ""),
        )
    except (KeyError, TypeError) as error:
        raise ConfigError(f"token {document!r} lacks or garbles {error}") from error


def _tuple(value: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def check_name(name: str) -> str:
    """Give a token's name back; raise ConfigError when it can't be one."""
    if not _NAME.fullmatch(name) or len(name) > NAME_LENGTH_MAX:
        raise ConfigError(
            f"token name {name!r}: letters, digits, and . _ @ - are allowed, "
            f"up to {NAME_LENGTH_MAX}"
        )
    return name


def check_rights(rights: Iterable[str]) -> frozenset[Right]:
    """Give rights as a set; raise ConfigError for one that doesn't exist, or none."""
    wanted = set(rights)
    known: frozenset[Right] = frozenset(right for right in RIGHTS if right in wanted)
    if unknown := wanted - known:
        raise ConfigError(f"rights {sorted(unknown)}: allowed are {', '.join(RIGHTS)}")
    if not known:
        raise ConfigError(f"a token needs a right at least: {', '.join(RIGHTS)}")
    return known


def digest_of(secret: str) -> str:
    """Hash a secret as it is kept."""
    return hashlib.sha256(secret.encode()).hexdigest()


def mint(random_bytes: Callable[[int], str] = secrets.token_urlsafe) -> str:
    """Make a new secret; it is shown once and never kept."""
    return TOKEN_PREFIX + random_bytes(32)


class Tokens:
    """The tokens of a node, looked up by the secret that a caller shows."""

    __slots__ = ("_by_digest",)

    def __init__(self, tokens: Iterable[Token]) -> None:
        self._by_digest = {token.digest: token for token in tokens}

    def __len__(self) -> int:
        return len(self._by_digest)

    def caller(self, bearer: str | None, *, tenant: str | None = None) -> Caller:
        """Turn the secret that was shown into a caller.

        Raises UnauthenticatedError without a known token, ForbiddenError when the token isn't for
        this tenant.
        """
        if not bearer:
            raise UnauthenticatedError("this node needs a token: 'Authorization: Bearer TOKEN'")
        digest = digest_of(bearer)
        token = self._by_digest.get(digest)
        if token is None or not hmac.compare_digest(token.digest, digest):
            raise UnauthenticatedError("the token shown isn't known here, or was revoked")
        if token.tenants is not None and (tenant or "") not in token.tenants:
            raise ForbiddenError(
                f"token {token.name!r} is not for tenant {tenant or '(default)'!r}; "
                f"it opens {', '.join(token.tenants) or 'none'}"
            )
        return Caller(token.name, token.rights, Restriction(token.types, token.scopes))

"""The file in which a node keeps its tokens: hashes only, readable by its owner only.

A file and not the store, so that `conurb token` works beside a running node on either engine; the
node sees a change at its next request.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import orjson

from conurb.access.caller import Caller
from conurb.access.tokens import Token, Tokens, read_token
from conurb.errors import AlreadyExistsError, ConfigError, NotFoundError


class TokenFile:
    """The tokens of a node, as kept in one JSON file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._tokens = Tokens(())

    def list_tokens(self) -> list[Token]:
        """List the tokens, in order of creation; raise ConfigError when the file is garbled."""
        try:
            documents = orjson.loads(self.path.read_bytes())
        except FileNotFoundError:
            return []
        except orjson.JSONDecodeError as error:
            raise ConfigError(f"{self.path} is not a token file: {error}") from error
        if not isinstance(documents, list):
            raise ConfigError(f"{self.path} is not a token file: a list is expected")
        return [read_token(document) for document in documents]

    def add(self, token: Token) -> None:
        """Keep a new token; raise AlreadyExistsError when its name is taken."""
        tokens = self.list_tokens()
        if any(token.name == other.name for other in tokens):
            raise AlreadyExistsError(f"there is a token named {token.name!r} already")
        self._write([*tokens, token])

    def revoke(self, name: str) -> None:
        """Forget a token; raise NotFoundError when there is none of that name."""
        tokens = self.list_tokens()
        left = [token for token in tokens if token.name != name]
        if len(left) == len(tokens):
            known = ", ".join(token.name for token in tokens) or "none"
            raise NotFoundError(f"there is no token named {name!r}; there are: {known}")
        self._write(left)

    def caller(self, bearer: str | None, *, tenant: str | None = None) -> Caller:
        """Turn the secret that was shown into a caller, by the file as it is now."""
        self._refresh()
        return self._tokens.caller(bearer, tenant=tenant)

    def __len__(self) -> int:
        self._refresh()
        return len(self._tokens)

    def _refresh(self) -> None:
        try:
            status = self.path.stat()
            seen = (status.st_mtime_ns, status.st_size)
        except FileNotFoundError:
            seen = None
        if seen != self._seen or seen is None:
            self._tokens = Tokens(self.list_tokens())
            self._seen = seen

    def _write(self, tokens: Sequence[Token]) -> None:
        """Replace the file whole, so that a reader never sees half of it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_name(self.path.name + ".new")
        body = orjson.dumps([token.document() for token in tokens], option=orjson.OPT_INDENT_2)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)

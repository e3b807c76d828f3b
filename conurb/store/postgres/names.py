"""Numbers for names: IRIs (`term`) and sets of types (`typeset`), kept in memory.

A store has few of them, however many objects. The writer gives new numbers; they are stored in the
same transaction as what uses them, and forgotten again when it fails. A process that only reads
looks for what others have added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from conurb.errors import InvariantError

Types = tuple[str, ...]


class UnknownNameError(InvariantError):
    """A number is used that this process hasn't heard of: another one has given it."""


class Names:
    """The terms and typesets of one schema."""

    def __init__(self) -> None:
        self._tids: dict[str, int] = {}
        self._iris: dict[int, str] = {}
        self._json_keys: dict[int, str] = {}
        self._sids: dict[Types, int] = {(): 0}
        self._types: dict[int, Types] = {0: ()}
        self._fresh_terms: list[tuple[int, str]] = []
        self._fresh_typesets: list[tuple[int, list[int]]] = []
        self._pending: list[int] = []
        self._pending_sets: list[int] = []
        self.version = 0
        """Another number for whatever else is known: statements that name numbers go by it."""

    async def load(self, connection: Any) -> None:
        """Read what was added since the last time."""
        terms = await connection.fetch(
            "SELECT tid, iri FROM term WHERE tid >= $1", max(self._iris, default=-1) + 1
        )
        for tid, iri in terms:
            self._tids[iri], self._iris[tid] = tid, iri
            self.version += 1
        sets = await connection.fetch(
            "SELECT sid, types FROM typeset WHERE sid > $1", max(self._types)
        )
        for sid, tids in sets:
            types = tuple(self._iris[tid] for tid in tids)
            self._sids[types], self._types[sid] = sid, types
            self.version += 1

    def tid(self, iri: str) -> int:
        """Give the number of an IRI, a new one when it has none."""
        tid = self._tids.get(iri)
        if tid is None:
            tid = len(self._iris)
            self._tids[iri], self._iris[tid] = tid, iri
            self.version += 1
            self._fresh_terms.append((tid, iri))
        return tid

    def json_key(self, tid: int) -> str:
        """Give the IRI of a number as a key in JSON."""
        key = self._json_keys.get(tid)
        if key is None:
            key = self._json_keys[tid] = orjson.dumps(self._iris[tid]).decode()
        return key

    def find_tid(self, iri: str) -> int | None:
        """Find the number of an IRI; None when nothing here has that name."""
        return self._tids.get(iri)

    def find_tids(self, iris: Iterable[str]) -> list[int]:
        """Give the numbers of those IRIs that have one."""
        return [tid for iri in iris if (tid := self._tids.get(iri)) is not None]

    def iri(self, tid: int) -> str:
        """Give the IRI of a number."""
        try:
            return self._iris[tid]
        except KeyError:
            raise UnknownNameError(f"term {tid} is used and not stored") from None

    def list_iris(self) -> list[str]:
        """List every IRI that has a number, without the pseudo-attributes."""
        return [iri for iri in self._tids if ":" in iri]

    def sid(self, types: Types) -> int:
        """Give the number of a set of types, a new one when it has none."""
        sid = self._sids.get(types)
        if sid is None:
            sid = len(self._types)
            self._sids[types], self._types[sid] = sid, types
            self.version += 1
            self._fresh_typesets.append((sid, [self.tid(iri) for iri in types]))
        return sid

    def types(self, sid: int) -> Types:
        """Give the types of a typeset."""
        try:
            return self._types[sid]
        except KeyError:
            raise UnknownNameError(f"typeset {sid} is used and not stored") from None

    def list_sids(self, holds: Callable[[Types], bool]) -> list[int]:
        """List the typesets for which something holds."""
        # A copy: the writer may give new numbers on its thread meanwhile.
        return [sid for sid, types in list(self._types.items()) if holds(types)]

    def take_fresh(self) -> tuple[list[tuple[int, str]], list[tuple[int, list[int]]]]:
        """Give the new (number, IRI) and (number, terms) to store, each once."""
        terms, typesets = self._fresh_terms, self._fresh_typesets
        self._pending += [tid for tid, _ in terms]
        self._pending_sets += [sid for sid, _ in typesets]
        self._fresh_terms, self._fresh_typesets = [], []
        return terms, typesets

    def keep(self) -> None:
        """Take note that what was taken has been committed."""
        self._pending, self._pending_sets = [], []

    def forget(self) -> None:
        """Take back the new numbers since the last `keep`: they were not committed."""
        self.take_fresh()
        self.version += 1
        for sid in self._pending_sets:
            del self._sids[self._types.pop(sid)]
        for tid in self._pending:
            del self._tids[self._iris.pop(tid)]
            self._json_keys.pop(tid, None)
        self.keep()

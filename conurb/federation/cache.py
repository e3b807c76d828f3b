"""Answers of sources that are given again for a while (`management.cacheDuration`, clause 5.2.34).

A registration may say how long it has to be between two requests for the same. Within that time
the last answer is given again: to the same question, asked with the same headers, so that nobody
is given what somebody else was. A write to the source through this node ends it. Bounded in number
and in bytes; what was used longest ago goes first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final

ANSWERS_MAX: Final = 2_000
BYTES_MAX: Final = 32 * 1024 * 1024

Question = tuple[str, str, tuple[tuple[str, str], ...], bytes | None]
"""Method, URL, headers and body of a request."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it came: status, headers, body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Kept:
    given: Given
    registration_id: str
    at_s: float


class Answers:
    """The answers of all sources of a process that may be given again."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[Question, _Kept] = OrderedDict()
        self._bytes = 0

    def find(self, question: Question, *, lasting_s: float) -> Given | None:
        """Find the answer to a question that isn't older than that; None when there is none."""
        kept = self._kept.get(question)
        if kept is None:
            return None
        if kept.at_s + lasting_s <= self._clock():
            self._drop(question)
            return None
        self._kept.move_to_end(question)
        return kept.given

    def keep(self, question: Question, given: Given, *, registration_id: str) -> None:
        """Keep an answer; one that is too large isn't kept."""
        self._drop(question)
        if len(given.body) > BYTES_MAX // 4:
            return
        self._kept[question] = _Kept(given, registration_id, self._clock())
        self._bytes += len(given.body)
        while len(self._kept) > ANSWERS_MAX or self._bytes > BYTES_MAX:
            self._drop(next(iter(self._kept)))

    def forget(self, registration_id: str) -> None:
        """Forget what a source has answered: it was written to."""
        for question in [q for q, k in self._kept.items() if k.registration_id == registration_id]:
            self._drop(question)

    def _drop(self, question: Question) -> None:
        kept = self._kept.pop(question, None)
        if kept is not None:
            self._bytes -= len(kept.given.body)

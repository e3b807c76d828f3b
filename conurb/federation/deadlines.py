"""How long an answer may take: what a caller has left, and what each node is given of it.

A caller may say by when they want an answer (`Conurb-Deadline-Ms`, the time that is left). Every
node that a request passes hands on what is left of it, less what its own work takes, so that a slow
node costs its own part of the answer and not the whole: at the deadline the answer goes out
without it, and says so.
"""

from __future__ import annotations

from time import monotonic
from typing import Final

from conurb.access.caller import Caller
from conurb.errors import BadRequestDataError

HEADER: Final = "Conurb-Deadline-Ms"
"""How many milliseconds are left to answer a request."""

DEADLINE_MS_MAX: Final = 3_600_000
OWN_SHARE: Final = 0.1
OWN_S_MAX: Final = 0.5
"""What a node keeps of the time that is left to put an answer together: a share, and at most."""

COPIES_SHARE: Final = 0.6
"""The share of the time after which copies are asked, when a node that has some hasn't answered."""


def left_s(caller: Caller) -> float | None:
    """Give how long a caller waits for nodes from now on; None without a deadline."""
    if caller.deadline_s is None:
        return None
    left = max(0.0, caller.deadline_s - monotonic())
    return max(0.0, left - min(OWN_S_MAX, left * OWN_SHARE))


def bounded(timeout_s: float, caller: Caller | None) -> float:
    """Give how long one node may take: its own time, or what the caller has left if less."""
    left = None if caller is None else left_s(caller)
    return timeout_s if left is None else min(timeout_s, left)


def written(within_s: float) -> str:
    """Write the time that is left for the header."""
    return str(max(0, int(within_s * 1000)))


def deadline_of(text: str) -> float:
    """Read the header: give the moment, by the monotonic clock, at which the time is over.

    Raises BadRequestDataError when it isn't a number of milliseconds up to `DEADLINE_MS_MAX`.
    """
    if not text.isascii() or not text.isdigit() or int(text[:10]) > DEADLINE_MS_MAX:
        raise BadRequestDataError(
            f"{HEADER}: {text!r:.40} is not a number of milliseconds up to {DEADLINE_MS_MAX}"
        )
    return monotonic() + int(text[:10]) / 1000

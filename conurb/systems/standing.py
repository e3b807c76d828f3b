"""How a part of a system stands: what it has read, stored and set aside, and whether it goes on.

Every reaction, schedule and connector keeps one `Standing`; health, `/systems` and `/metrics` show
it. `keep_going` is the patience that all of them share.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from conurb.errors import ConurbError

PAUSE_S: Final = 0.5
PAUSE_S_MAX: Final = 30.0
"""How long is waited after a failure: at first, and at most, each shortened by up to half."""

Kind = Literal["reaction", "schedule", "connector", "prepare"]
State = Literal["starting", "running", "waiting", "ended"]

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Standing:
    """The counters of one part. `state` "waiting" is after a failure, whose reason is `error`.

    `read` counts records, messages or due times; `stored` operations; `repeated` what had been
    done before; `dead` what was set aside; `failures` how often the source or the store didn't
    answer. `seq` is how far the site's own journal has been read, and `behind` how many records of
    it are still to be read.
    """

    kind: Kind
    name: str
    state: State = "starting"
    read: int = 0
    stored: int = 0
    repeated: int = 0
    dead: int = 0
    failures: int = 0
    seq: int | None = None
    behind: int = 0
    error: str | None = None
    last_us: int | None = None

    def failed(self, error: Exception) -> None:
        """Note a failure after which it is tried again."""
        self.failures += 1
        self.state = "waiting"
        self.error = error.detail if isinstance(error, ConurbError) else repr(error)

    def going(self) -> None:
        """Note that it goes on."""
        self.state, self.error = "running", None


async def keep_going(
    work: Callable[[], Awaitable[None]],
    standing: Standing,
    *,
    pause_s: float = PAUSE_S,
    pause_s_max: float = PAUSE_S_MAX,
    jitter: Callable[[], float] = random.random,
) -> None:
    """Do `work` until it ends by itself or is cancelled; what fails is tried again, ever later.

    A success (`standing.going` was called since) makes the pause short again.
    """
    pause = pause_s
    while True:
        try:
            await work()
        except ConurbError as error:
            recovered = standing.state == "running"
            standing.failed(error)
        except Exception as error:  # a part that dies would be silent for ever
            recovered = standing.state == "running"
            _log.exception("%s %s", standing.kind, standing.name)
            standing.failed(error)
        else:
            standing.state = "ended"
            return
        pause = pause_s if recovered else min(pause * 2, pause_s_max)
        await asyncio.sleep(pause * (1 - jitter() / 2))

"""How the sources of a node are doing: a circuit breaker for each, and the figures it decides by.

A source that doesn't answer several times in a row isn't asked any more: a request to it fails at
once, instead of after its timeout. After a while one request goes through as a probe; when it is
answered, the source is back. A source that answers, if only with errors, is there: errors are
counted, but they don't open the breaker, unless its registration wants a cooldown after failures
(clause 5.2.34).
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from conurb.model.registration import Registration

State = Literal["closed", "open", "half-open"]

FAILURES_MAX: Final = 5
"""Requests in a row without an answer after which the breaker opens."""

OPEN_S: Final = 5.0
"""How long a breaker stays open at first."""

OPEN_S_MAX: Final = 60.0
"""How long it stays open at most; it doubles with every probe that fails."""

LATENCIES_KEPT: Final = 512
"""Latest latencies from which percentiles are taken."""

SOURCES_MAX: Final = 20_000
"""Sources whose figures are kept; those that were asked longest ago go first."""


@dataclass(slots=True)
class Figures:
    """What a node knows of one source; times are those of the breaker's clock, in seconds."""

    name: str
    endpoint: str
    state: State = "closed"
    requests: int = 0
    failures: int = 0
    in_a_row: int = 0
    refused: int = 0
    last_contact_s: float | None = None
    last_failure_s: float | None = None
    last_reason: str = ""
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES_KEPT))

    def percentile_ms(self, share: float) -> float | None:
        """Give a percentile of the latest latencies (nearest rank); None when there are none."""
        if not self.latencies_ms:
            return None
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Breaker:
    """Decides whether one source is asked."""

    def __init__(self, figures: Figures, *, clock: Callable[[], float] = monotonic) -> None:
        self.figures = figures
        self._clock = clock
        self._open_s = OPEN_S
        self._until_s = 0.0
        self._probing = False

    def admits(self) -> bool:
        """Whether a request may go out now; the first after a pause is the probe."""
        figures = self.figures
        if figures.state == "closed":
            return True
        if not self._probing and self._clock() >= self._until_s:
            figures.state = "half-open"
            self._probing = True
            return True
        figures.refused += 1
        return False

    def wait_s(self) -> float:
        """Give how long it is until the next probe."""
        return max(0.0, self._until_s - self._clock())

    def answered(self, latency_s: float) -> None:
        """Note that the source answered."""
        figures = self.figures
        figures.requests += 1
        figures.in_a_row = 0
        figures.state = "closed"
        figures.last_contact_s = self._clock()
        figures.latencies_ms.append(latency_s * 1000)
        self._open_s = OPEN_S
        self._probing = False

    def erred(self, latency_s: float, reason: str, *, cooldown_s: float = 0.0) -> None:
        """Note that the source answered with an error, or with what can't be read."""
        self.answered(latency_s)
        self._failed(reason)
        if cooldown_s:
            self._open(cooldown_s)

    def silent(self, reason: str, *, cooldown_s: float = 0.0) -> None:
        """Note that the source didn't answer."""
        figures = self.figures
        figures.requests += 1
        figures.in_a_row += 1
        self._failed(reason)
        probed = self._probing
        self._probing = False
        if probed:
            self._open_s = min(self._open_s * 2, OPEN_S_MAX)
        if probed or figures.in_a_row >= FAILURES_MAX:
            self._open(max(self._open_s, cooldown_s))
        elif cooldown_s:
            self._open(cooldown_s)

    def abandoned(self) -> None:
        """Note that a request was given up by who asked, so that it says nothing of the source."""
        self._probing = False

    def _failed(self, reason: str) -> None:
        self.figures.failures += 1
        self.figures.last_failure_s = self._clock()
        self.figures.last_reason = reason

    def _open(self, for_s: float) -> None:
        self.figures.state = "open"
        self._until_s = self._clock() + for_s


class Breakers:
    """The breakers of a process, one for each source as it is registered and where it is.

    Two registrations of one endpoint have their own, because each says how long to wait after
    failures.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self._breakers: OrderedDict[tuple[str, str, str | None], Breaker] = OrderedDict()

    def of(self, registration: Registration) -> Breaker:
        """Give the breaker of a source."""
        key = _key(registration)
        found = self._breakers.get(key)
        if found is None:
            if len(self._breakers) >= SOURCES_MAX:
                self._breakers.popitem(last=False)
            figures = Figures(registration.name, registration.endpoint)
            found = self._breakers[key] = Breaker(figures, clock=self.clock)
        else:
            self._breakers.move_to_end(key)
        return found

    def find(self, registration: Registration) -> Figures | None:
        """Find the figures of a source; None when it hasn't been asked."""
        found = self._breakers.get(_key(registration))
        return None if found is None else found.figures

    def list_figures(self) -> list[Figures]:
        """List the figures of every source that has been asked."""
        return [breaker.figures for breaker in self._breakers.values()]


def _key(registration: Registration) -> tuple[str, str, str | None]:
    return registration.id, registration.endpoint, registration.tenant

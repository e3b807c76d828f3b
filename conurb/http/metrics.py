"""What a process counts of its requests, in the text format of Prometheus.

Counting happens on the event loop alone and costs two dictionary look-ups a request. Latencies go
into buckets whose bounds suit a node: a look-up takes a millisecond, a large batch a second.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

BUCKETS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
UNROUTED: Final = "unrouted"
"""The operation of requests that no route takes."""


@dataclass(slots=True)
class _Operation:
    statuses: dict[int, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    seconds: float = 0.0


class Metrics:
    """Counters of requests by operation and status, and their latencies."""

    def __init__(self) -> None:
        self._operations: dict[str, _Operation] = {}

    def count(self, operation: str, status: int, seconds: float) -> None:
        """Count one request."""
        counted = self._operations.get(operation)
        if counted is None:
            counted = self._operations[operation] = _Operation()
        counted.statuses[status] = counted.statuses.get(status, 0) + 1
        counted.buckets[bisect_left(BUCKETS_S, seconds)] += 1
        counted.seconds += seconds

    def lines(self) -> Iterable[str]:
        """Write the counters as lines of Prometheus text."""
        yield "# HELP conurb_requests_total Requests answered, by operation and status."
        yield "# TYPE conurb_requests_total counter"
        for name, counted in self._operations.items():
            for status, number in sorted(counted.statuses.items()):
                yield sample(
                    "conurb_requests_total", {"operation": name, "status": str(status)}, number
                )
        yield "# HELP conurb_request_seconds Time to answer, by operation."
        yield "# TYPE conurb_request_seconds histogram"
        for name, counted in self._operations.items():
            total = 0
            for bound, number in zip((*BUCKETS_S, "+Inf"), counted.buckets, strict=True):
                total += number
                labels = {"operation": name, "le": str(bound)}
                yield sample("conurb_request_seconds_bucket", labels, total)
            yield sample("conurb_request_seconds_sum", {"operation": name}, counted.seconds)
            yield sample("conurb_request_seconds_count", {"operation": name}, total)


def sample(name: str, labels: Mapping[str, str], value: float) -> str:
    """Write one sample line.

    >>> sample("up", {"tenant": "a"}, 1)
    'up{tenant="a"} 1'
    """
    shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    number = f"{value:.6f}" if isinstance(value, float) else str(value)
    return f"{name}{{{shown}}} {number}" if shown else f"{name} {number}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

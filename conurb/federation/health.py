"""How the nodes of a region are doing, as the node that asks them has seen it.

Nothing is asked for it: it is what the requests to each node have shown so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from conurb.federation.breaker import Breakers, State
from conurb.federation.reach import Reach
from conurb.model.registration import THIS_PROCESS, Mode, Registration

PERCENTILES: Final = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """One registered node: whether it is asked, and how it has answered.

    `state` is that of its circuit breaker; "here" for a node of the same process, "unknown" for one
    that hasn't been asked since the start. Ages are in seconds, None when it never happened;
    latencies are percentiles of the latest answers.
    """

    node: str
    registration: str
    endpoint: str
    tenant: str | None
    mode: Mode
    state: State | Literal["here", "unknown"]
    requests: int = 0
    failures: int = 0
    refused: int = 0
    contact_age_s: float | None = None
    failure_age_s: float | None = None
    reason: str | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    @property
    def is_ill(self) -> bool:
        """Whether the node isn't asked at present, or has failed when it was asked last."""
        return self.state in ("open", "half-open")


async def health_of(reach: Reach) -> list[NodeHealth]:
    """Give the health of every node that is registered, in order of registration."""
    breakers = None if reach.wire is None else reach.wire.breakers
    return [_health(one, breakers) for one in await reach.registrations.all()]


def _health(registration: Registration, breakers: Breakers | None) -> NodeHealth:
    endpoint = registration.endpoint
    figures = None if breakers is None else breakers.find(registration)
    if endpoint == THIS_PROCESS or breakers is None or figures is None:
        return NodeHealth(
            registration.name,
            registration.id,
            endpoint,
            registration.tenant,
            registration.mode,
            "here" if endpoint == THIS_PROCESS else "unknown",
        )
    now_s = breakers.clock()
    p50, p95, p99 = (_rounded(figures.percentile_ms(share)) for share in PERCENTILES)
    return NodeHealth(
        registration.name,
        registration.id,
        endpoint,
        registration.tenant,
        registration.mode,
        figures.state,
        requests=figures.requests,
        failures=figures.failures,
        refused=figures.refused,
        contact_age_s=_age_s(figures.last_contact_s, now_s),
        failure_age_s=_age_s(figures.last_failure_s, now_s),
        reason=figures.last_reason or None,
        p50_ms=p50,
        p95_ms=p95,
        p99_ms=p99,
    )


def _age_s(at_s: float | None, now_s: float) -> float | None:
    return None if at_s is None else round(max(0.0, now_s - at_s), 1)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)

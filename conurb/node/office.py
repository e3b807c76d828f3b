"""What the couriers of a node share, and what each of them is charged with.

Plain data: the policy of trying again, how a subscription's deliveries stand, and the `Office`
through which a courier reaches store, @contexts and receivers.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

from conurb.model.time import Clock, system_clock

if TYPE_CHECKING:
    from conurb.model.query.tree import Query
    from conurb.model.subscription import Subscription
    from conurb.node.contexts import Contexts
    from conurb.node.courier import Courier
    from conurb.node.delivery import Delivery
    from conurb.node.notify import Touches
    from conurb.store.contract import Page, Record, Store

CATCHING_UP_MAX: Final = 4
"""How many couriers read the journal by themselves at once."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How notifications are tried, and how much waits for it.

    After a failure the pause is `pause_s`, then twice that, up to `pause_s_max`, each shortened at
    random by up to half. `queue_max` records wait in memory; `group_max` entities that changed in
    a row go into one notification when they wait anyway. While throttled, `gathered_max` entities
    wait. `page` records are read at once.
    """

    pause_s: float = 1.0
    pause_s_max: float = 300.0
    kept_s: float = 86_400.0
    queue_max: int = 256
    group_max: int = 100
    gathered_max: int = 10_000
    page: int = 500


@dataclass(slots=True)
class Standing:
    """How a subscription's deliveries stand; stored beside it, for reasons of the cursor too.

    `seq` is how far the journal has been delivered; `behind` says that it is a cursor of its own.
    """

    seq: int
    behind: bool = False
    sent: int = 0
    failed: int = 0
    status: Literal["ok", "failed"] | None = None
    last_notification_us: int | None = None
    last_success_us: int | None = None
    last_failure_us: int | None = None

    def body(self) -> dict[str, Any]:
        """Write it as a stored document."""
        return asdict(self)

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Standing:
        """Read it from a stored document."""
        return cls(**body)


@dataclass(frozen=True, slots=True)
class Charge:
    """A subscription as a courier needs it: compiled, and how its notifications are to speak.

    `context` is the @context value of its notifications, `context_url` where that is served.
    """

    subscription: Subscription
    context: Any
    context_url: str

    @property
    def id(self) -> str:
        """Give the subscription's id."""
        return self.subscription.id


@dataclass(slots=True)
class Office:
    """What all couriers of a node share.

    `concerns` decides whether a record concerns a subscription; `reading` gives the number of the
    record that the node's reader of the journal is at; `changed` is told of every change of a
    courier's standing. `look` gives what a periodic subscription tells: without it, what the store
    holds.
    """

    store: Store
    contexts: Contexts
    delivery: Delivery
    concerns: Callable[[Subscription, Record, Touches], Awaitable[bool]]
    reading: Callable[[], int]
    changed: Callable[[Courier], None]
    look: Callable[[Query], Awaitable[Page]] | None = None
    tenant: str | None = None
    clock: Clock = system_clock
    policy: Policy = field(default_factory=Policy)
    new_id: Callable[[], str] = lambda: f"urn:ngsi-ld:Notification:{uuid4()}"
    jitter: Callable[[], float] = random.random
    join_entities_max: int = 10_000
    catching_up: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(CATCHING_UP_MAX)
    )

"""What is happening now, as values: the meeting point of every live standard.

GTFS-Realtime, SIRI and DATEX II are read into these and written out of them. Ids are those of the
source (a feed's trip, stop, route); `live_objects` ties them to objects. Times are microseconds
since the epoch, UTC; None is "not said".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Severity = Literal["informational", "low", "medium", "high", "critical"]
"""As the Smart Data Model Alert has it."""

SEVERITIES: Final[tuple[Severity, ...]] = ("informational", "low", "medium", "high", "critical")

STATES: Final = ("smooth", "slow", "crowded", "blocked")
"""How traffic runs, from free to standing."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a vehicle is, and what it is doing.

    `bearing` is degrees clockwise from north, `speed_kmh` over ground. `status` is INCOMING_AT,
    STOPPED_AT or IN_TRANSIT_TO at `stop`; `occupancy` a word of GTFS-Realtime's OccupancyStatus.
    """

    vehicle: str
    at_us: int
    lon: float
    lat: float
    bearing: float | None = None
    speed_kmh: float | None = None
    trip: str = ""
    route: str = ""
    stop: str = ""
    sequence: int | None = None
    status: str = ""
    occupancy: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """When a trip is expected at a stop. Delays are seconds late, negative when early.

    `day` is the service day (YYYYMMDD) where the source tells it. `skipped` says that the trip
    doesn't call there, `cancelled` that it doesn't run at all (then without a stop).
    """

    trip: str
    stop: str
    at_us: int
    sequence: int | None = None
    route: str = ""
    day: str = ""
    arrival_us: int | None = None
    departure_us: int | None = None
    arrival_delay_s: int | None = None
    departure_delay_s: int | None = None
    head_sign: str = ""
    skipped: bool = False
    cancelled: bool = False

    @property
    def delay_s(self) -> int | None:
        """Give how late the trip is there: leaving, else arriving."""
        late = self.departure_delay_s
        return self.arrival_delay_s if late is None else late


@dataclass(frozen=True, slots=True)
class Notice:
    """What riders or drivers should know: a disruption, works, an accident.

    `cause` and `effect` are words of GTFS-Realtime's Alert (CONSTRUCTION, DETOUR ...). `headline`
    and `text` map language to text. `affected` are (kind, id): agency, route, stop or trip.
    """

    id: str
    at_us: int
    from_us: int | None = None
    to_us: int | None = None
    cause: str = "UNKNOWN_CAUSE"
    effect: str = "UNKNOWN_EFFECT"
    severity: Severity | None = None
    headline: Mapping[str, str] = field(default_factory=dict)
    text: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    affected: tuple[tuple[str, str], ...] = ()
    lon: float | None = None
    lat: float | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """How traffic runs at a place, or along a `path` of longitudes and latitudes.

    `index` is a traffic index from 0 (free) to 100 (standing); `intensity_vph` vehicles per hour;
    `occupancy` the share of time in which a vehicle stands over the detector, 0 to 1.
    """

    site: str
    at_us: int
    name: str = ""
    lon: float | None = None
    lat: float | None = None
    path: tuple[tuple[float, float], ...] = ()
    speed_kmh: float | None = None
    intensity_vph: float | None = None
    occupancy: float | None = None
    index: float | None = None
    state: str = ""
    road: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one message of a source told; `whole` says that what it doesn't tell is over."""

    positions: tuple[Position, ...] = ()
    calls: tuple[Call, ...] = ()
    notices: tuple[Notice, ...] = ()
    flows: tuple[Flow, ...] = ()
    whole: bool = False

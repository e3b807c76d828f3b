"""Watch waters: an observation worse than its target becomes a warning by GB 3838-2002.

Each station is judged by itself against its target class (`waterQualityTarget`, III unless it says
another). Level 1 is one class worse than the target, 2 two, 3 three or more. A level is left only
when the water would still be better with all items `TIGHTER` worse than measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.model.changes import Operation
from conurb.systems.contract import Provenance, Site
from conurb.systems.warnings.areas import Cities
from conurb.systems.warnings.cap.alert import Named, Severity
from conurb.systems.warnings.compose import Wording, point_area
from conurb.systems.warnings.objects import Held
from conurb.systems.warnings.quality.raising import QUIET
from conurb.systems.warnings.quality.water import (
    ITEMS,
    NAMES,
    OXYGEN,
    PH,
    Body,
    WaterQuality,
    water_quality,
)
from conurb.systems.warnings.raising import Case, answer, standing_of
from conurb.systems.warnings.receiving import cities_at

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.store.contract import Record
    from conurb.systems.warnings.lifecycle import Known

TYPE: Final = "WaterQualityObserved"
KIND: Final = "waterPollution"
TARGET: Final = 3
LEVELS: Final = 3
TIGHTER: Final = 0.1
RADIUS_KM: Final = 5.0
SEVERITIES: Final = (Severity.MINOR, Severity.MODERATE, Severity.SEVERE)


@dataclass(frozen=True, slots=True)
class StationWater:
    """What one station measured: where, when, the items (mg/l), the class that it should have."""

    id: str
    name: str
    longitude: float
    latitude: float
    observed_us: int
    values: Mapping[str, float]
    body: Body
    target: int
    provenance: Provenance


def station_water(entity: Entity) -> StationWater | None:
    """Read a WaterQualityObserved; None without a place, a time or an item of table 1."""
    held = Held(entity)
    point: Any = held.find("location")
    values = {}
    times = []
    for item in ITEMS:
        value = held.find(item)
        if not isinstance(value, bool) and isinstance(value, int | float) and value >= 0:
            values[item] = float(value)
            times.append(held.observed_us(item) or 0)
    observed = held.time_us("dateObserved") or max(times, default=0)
    if not values or not observed or not isinstance(point, dict) or point["type"] != "Point":
        return None
    target = held.find("waterQualityTarget")
    return StationWater(
        id=entity.id,
        name=held.texts("name").get("zh") or held.text("name") or entity.id.rpartition(":")[2],
        longitude=float(point["coordinates"][0]),
        latitude=float(point["coordinates"][1]),
        observed_us=observed,
        values=values,
        body="lake" if held.text("waterBodyKind") == "lake" else "river",
        target=int(target) if isinstance(target, int | float) else TARGET,
        provenance=held.provenance,
    )


def next_level(station: StationWater, level: int) -> tuple[int, WaterQuality | None]:
    """Give the level after an observation, and the class that it comes from."""
    quality = water_quality(station.values, station.body)
    if quality is None:
        return level, None
    reached = min(LEVELS, max(QUIET, quality.of_class - station.target))
    if reached >= level:
        return reached, quality
    worse = water_quality({one: _worse(one, v) for one, v in station.values.items()}, station.body)
    held = reached if worse is None else max(QUIET, worse.of_class - station.target)
    return min(level, max(reached, held)), quality


async def watch_water(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    """React to observations of water: raise, change and clear the warnings of their stations."""
    latest: dict[str, StationWater] = {}
    for record in records:
        found = None if record.after is None else station_water(record.after)
        if found is not None and (
            found.id not in latest or latest[found.id].observed_us <= found.observed_us
        ):
            latest[found.id] = found
    if not latest:
        return ()
    cities = cities_at(site)
    standing = dict(await standing_of(site, KIND))
    among: dict[str, Known] = {}
    operations: list[Operation] = []
    for station in latest.values():
        before = standing.get((station.id, station.provenance == "simulated"))
        level, quality = next_level(station, QUIET if before is None else before.level)
        if quality is not None:
            case = _case(cities, station, level, quality)
            operations += (await answer(case, before, site, among))[0]
    return operations


def _worse(item: str, value: float) -> float:
    if item == PH:
        return value
    return value * (1.0 - TIGHTER) if item == OXYGEN else value * (1.0 + TIGHTER)


def _case(cities: Cities, station: StationWater, level: int, quality: WaterQuality) -> Case:
    name, target = NAMES[quality.of_class], NAMES[station.target]
    items = "、".join(quality.decisive)
    return Case(
        kind=KIND,
        place=station.id,
        level=level,
        observed_us=station.observed_us,
        wording=Wording(
            headline={
                "zh": f"{station.name}水质{name['zh']},目标{target['zh']}",
                "en": f"{station.name}: water of {name['en'].lower()}, target {target['en']}",
            },
            description={
                "zh": f"{station.name}水质为{name['zh']}(GB 3838-2002),定类项目:{items}。",
                "en": f"The water at {station.name} is {name['en'].lower()} (GB 3838-2002); "
                f"decisive: {items}.",
            },
            instruction={
                "zh": "下游取水口请加强监测。" if level else "水质已恢复,预警解除。",
                "en": "Intakes downstream should watch closely."
                if level
                else "The water is as it should be again; the warning is over.",
            },
        ),
        area=point_area(
            cities,
            name=station.name,
            longitude=station.longitude,
            latitude=station.latitude,
            radius_km=RADIUS_KM,
        ),
        severities=SEVERITIES,
        parameters=(Named("waterQualityClass", str(quality.of_class)),),
        provenance=station.provenance,
    )

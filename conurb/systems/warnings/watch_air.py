"""Watch the air of cities: observations of stations become a warning by the Chinese AQI.

A city's index is that of the mean concentrations of its stations, as HJ 633 and the national
evaluation of cities have it, by the edition that was in force when they were measured; a station
that was silent for `FRESH_S` doesn't count. Real and simulated stations are never mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.model.changes import Operation
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import Provenance, Site
from conurb.systems.warnings.areas import Cities
from conurb.systems.warnings.cap.alert import Named, Severity
from conurb.systems.warnings.compose import Wording, city_area
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.objects import Held
from conurb.systems.warnings.quality.air import (
    POLLUTANTS,
    AirQuality,
    Pollutant,
    air_quality,
    standard_at,
)
from conurb.systems.warnings.quality.raising import QUIET, Levels
from conurb.systems.warnings.querying import own_objects, query_of
from conurb.systems.warnings.raising import Case, answer, standing_of
from conurb.systems.warnings.receiving import append, cities_at

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.store.contract import Record
    from conurb.systems.warnings.lifecycle import Known

TYPE: Final = "AirQualityObserved"
KIND: Final = "airPollution"
FRESH_S: Final = 3 * 3600

LIMITS: Final = (151.0, 201.0, 301.0)
"""The index from which levels 1, 2 and 3 hold (moderately, heavily, severely polluted); the option
`air_limits` sets others."""

MARGIN: Final = 10.0
"""How far the index must fall below a limit to leave its level (option `air_margin`)."""

SEVERITIES: Final = (Severity.MODERATE, Severity.SEVERE, Severity.EXTREME)

INDEX_SOURCE: Final = "computed by "
"""How the source begins of an index that we wrote to a station which states none; the standard
follows."""

_KEY: Final = "air-stations"
_MG: Final = frozenset({"GP"})
_MG_PER_UG: Final = 1e-3


@dataclass(frozen=True, slots=True)
class StationAir:
    """What one station measured: of which city, when, the concentrations (ug/m3, CO in mg/m3)."""

    id: str
    city: str
    observed_us: int
    values: tuple[tuple[Pollutant, float], ...]
    provenance: Provenance


def station_air(entity: Entity, cities: Cities, owner: str) -> StationAir | None:
    """Read an AirQualityObserved; None when it measures none of the six pollutants.

    CO is in mg/m3 unless its unit code is GQ (ug/m3), the others in ug/m3 unless it is GP (mg/m3).
    """
    held = Held(entity)
    values: list[tuple[Pollutant, float]] = []
    times = []
    for pollutant in POLLUTANTS:
        instance = held.instance(pollutant)
        value = instance.get("value")
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            continue
        values.append((pollutant, _in_unit(pollutant, float(value), instance.get("unitCode"))))
        times.append(held.observed_us(pollutant))
    if not values:
        return None
    said = held.time_us("dateObserved")
    observed = said if said is not None else max((one or 0 for one in times), default=0)
    city = _city(held, cities, owner)
    if city is None or not observed:
        return None
    return StationAir(entity.id, city, observed, tuple(values), held.provenance)


def city_air(stations: Sequence[StationAir], at_us: int) -> AirQuality | None:
    """Give a city's index: that of the mean concentrations of its stations, the silent left out."""
    sums: dict[Pollutant, list[float]] = {}
    for station in stations:
        if at_us - station.observed_us <= FRESH_S * US_PER_S:
            for pollutant, value in station.values:
                sums.setdefault(pollutant, []).append(value)
    means = {one: sum(found) / len(found) for one, found in sums.items()}
    return air_quality(means, standard=standard_at(at_us))


def levels_at(site: Site) -> Levels:
    """Give the levels by the site's options."""
    limits = site.options.get("air_limits", LIMITS)
    return Levels(tuple(map(float, limits)), float(site.options.get("air_margin", MARGIN)))


async def watch_air(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    """React to observations of air: raise, change and clear the warnings of their cities."""
    cities = cities_at(site)
    stations = await _stations(site, cities)
    touched: set[tuple[str, bool]] = set()
    written: dict[str, Operation] = {}
    for record in records:
        found = None if record.after is None else station_air(record.after, cities, site.owner)
        if record.after is None or found is None:
            continue
        known = stations.get(found.id)
        if known is None or known.observed_us <= found.observed_us:
            stations[found.id] = found
            touched.add((found.city, found.provenance == "simulated"))
            written |= _index(found, Held(record.after))
    if not touched:
        return ()
    levels = levels_at(site)
    standing = dict(await standing_of(site, KIND))
    among: dict[str, Known] = {}
    operations: list[Operation] = list(written.values())
    for key in sorted(touched):
        city, simulated = key
        own = [
            one
            for one in stations.values()
            if one.city == city and (one.provenance == "simulated") == simulated
        ]
        at_us = max(one.observed_us for one in own)
        quality = city_air(own, at_us)
        if quality is None:
            continue
        before = standing.get(key)
        level = levels.next_level(QUIET if before is None else before.level, quality.index)
        case = _case(cities, city, level, quality, at_us, own[0].provenance)
        found_operations, now = await answer(case, before, site, among)
        operations += found_operations
        if now is not None:
            standing[key] = now
    return operations


def _index(station: StationAir, held: Held) -> dict[str, Operation]:
    """Write the index of a station that states none of its own, beside what it measured."""
    quality = air_quality(dict(station.values), standard=standard_at(station.observed_us))
    stated = held.instance("airQualityIndex")
    source = stated.get(platform_terms().expand("source"))
    ours = source is not None and str(source[0].get("value")).startswith(INDEX_SOURCE)
    if quality is None or (stated and not ours):
        return {}
    moment = shown_us(station.observed_us)
    if ours and held.observed_us("airQualityIndex") == station.observed_us:
        return {}
    document = {
        name: {"value": value, "observedAt": moment, "source": INDEX_SOURCE + quality.standard}
        for name, value in (
            ("airQualityIndex", quality.index),
            ("airQualityLevel", quality.of_class.key),
            ("primaryPollutant", list(quality.primary)),
        )
        if value != []
    }
    at_us = station.observed_us
    return {station.id: append(station.id, document, station.provenance, at_us=at_us)}


async def _stations(site: Site, cities: Cities) -> dict[str, StationAir]:
    """Give the last observation of every station of this site; read once, then kept."""
    kept: dict[str, StationAir] | None = site.memory.get(_KEY)
    if kept is None:
        kept = {}
        for entity in await own_objects(site, query_of(TYPE)):
            found = station_air(entity, cities, site.owner)
            if found is not None:
                kept[found.id] = found
        site.memory[_KEY] = kept
    return kept


def _case(
    cities: Cities,
    city: str,
    level: int,
    quality: AirQuality,
    at_us: int,
    provenance: Provenance,
) -> Case:
    one = cities.by_id[city]
    name, primary = one.name, "、".join(quality.primary) or "-"
    of_class = quality.of_class.name
    return Case(
        kind=KIND,
        place=city,
        level=level,
        observed_us=at_us,
        wording=Wording(
            headline={
                "zh": f"{name['zh']}空气质量{of_class['zh']},AQI {quality.index}",
                "en": f"{name['en']}: air {of_class['en'].lower()}, AQI {quality.index}",
            },
            description={
                "zh": f"{name['zh']}空气质量指数({quality.standard})为{quality.index},"
                f"首要污染物:{primary}。",
                "en": f"The air quality index of {name['en']} ({quality.standard}) is "
                f"{quality.index}; primary pollutant: {primary}.",
            },
            instruction={
                "zh": "儿童、老年人及心肺疾病患者应减少户外活动。"
                if level
                else "空气质量已好转,预警解除。",
                "en": "Children, the elderly and people with heart or lung disease should stay in."
                if level
                else "The air has become better; the warning is over.",
            },
        ),
        area=city_area(cities, city),
        severities=SEVERITIES,
        parameters=(Named("AQI", str(quality.index)), Named("primaryPollutant", primary)),
        provenance=provenance,
    )


def _city(held: Held, cities: Cities, owner: str) -> str | None:
    """Give the city of a station: that it lies in, else that whose node holds it."""
    point: Any = held.find("location")
    if isinstance(point, dict) and point.get("type") == "Point":
        longitude, latitude = point["coordinates"][:2]
        found = cities.find_at(longitude, latitude)
        if found is not None:
            return found
    return owner if owner in cities.by_id else None


def _in_unit(pollutant: Pollutant, value: float, unit: Any) -> float:
    if pollutant == "co":
        return value * _MG_PER_UG if unit == "GQ" else value
    return value / _MG_PER_UG if unit in _MG else value

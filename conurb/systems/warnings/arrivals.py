"""Forecasts of arrival as objects: where a pollution goes next, for each active regional event.

Air goes with the wind that the region's `WeatherObserved` say (the last `WIND_S`), water along the
river graph from the place of the event's first statement. Each city that is reached and isn't part
of the event yet gets an `ArrivalForecast`; one that no longer is, loses it (history keeps it). A
simulated episode runs faster than the clock (`conurb.systems.warnings.replay`), and so do the
forecasts of simulated events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import ConurbError, UnavailableError
from conurb.model.changes import Operation
from conurb.model.entity import Entity
from conurb.model.geometry import to_shapely
from conurb.model.operations.entity import DeleteEntity, UpsertEntity
from conurb.model.parse import parse_entity
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.regions.objects import city_id
from conurb.systems.contract import OWN, Provenance, Site
from conurb.systems.warnings.areas import Cities
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.forecast.air import Grid, Wind, forecast, grid_of, wind_field
from conurb.systems.warnings.forecast.rivers import delta_rivers
from conurb.systems.warnings.forecast.water import arrivals as first_passages
from conurb.systems.warnings.forecast.water import travel
from conurb.systems.warnings.objects import Held, city_of, said_at
from conurb.systems.warnings.querying import compare, own_objects, query_of, region_objects
from conurb.systems.warnings.receiving import cities_at
from conurb.systems.warnings.regional import EVENT, statement_id
from conurb.systems.warnings.replay import TIME_LAPSE

if TYPE_CHECKING:
    from conurb.store.contract import Record

TYPE: Final = "ArrivalForecast"
WIND_S: Final = 3 * 3600
HORIZON_H: Final = 48.0
HORIZON_D: Final = 30.0
RIVER_M_MAX: Final = 30_000.0
"""How far the place of a water pollution may be from the river graph."""

PROBABILITY_MIN: Final = 0.05
"""Cities that fewer of the winds reach aren't told."""

METHODS: Final = {
    "air": "advection by observed wind, 77 perturbed winds; arrival only, no concentration",
    "water": "travel time along the river graph; velocities are assumptions",
}
_GRID: Final = "warnings-grid"


@dataclass(frozen=True, slots=True)
class Told:
    """A forecast for a city; seconds from now. No probability where the range is by assumption."""

    city: str
    earliest_s: float
    expected_s: float
    latest_s: float
    probability: float | None = None


async def forecast_events(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    """React to regional events: write their forecasts anew."""
    latest = {record.entity_id: record.after for record in records}
    operations: list[Operation] = []
    for event_id, entity in latest.items():
        held = None if entity is None else Held(entity)
        operations += await _forecast(event_id, held, site)
    return operations


async def refresh(site: Site, _due_us: int) -> Sequence[Operation]:
    """Write the forecasts of all active events anew, by the wind that is now."""
    query = query_of(EVENT, compare("alertState", "==", "active"))
    operations: list[Operation] = []
    for entity in await own_objects(site, query):
        operations += await _forecast(entity.id, Held(entity), site)
    return operations


async def _forecast(event_id: str, held: Held | None, site: Site) -> Sequence[Operation]:
    cities = cities_at(site)
    told: Sequence[Told] = ()
    provenance: Provenance = "live"
    medium = ""
    if held is not None and held.text("alertState") == "active":
        provenance = held.provenance
        kind = held.text("subCategory")
        medium = {"airPollution": "air", "waterPollution": "water"}.get(kind, "")
        try:
            told = await _told(held, medium, cities, site)
        except UnavailableError:
            raise
        except ConurbError:
            told = ()
    local = event_id.rpartition(":")[2]
    built = {
        one.id: one
        for one in (_object(site, local, event_id, one, medium, provenance, cities) for one in told)
    }
    query = query_of(TYPE, compare("refRegionalEvent", "==", event_id))
    before = [one.id for one in await own_objects(site, query)]
    gone = [DeleteEntity(one) for one in before if one not in built]
    return [*(UpsertEntity(one) for one in built.values()), *gone]


async def _told(held: Held, medium: str, cities: Cities, site: Site) -> Sequence[Told]:
    simulated = held.provenance == "simulated"
    own = [one for one in map(city_of, held.links("affects")) if one in cities.by_id]
    if medium == "air" and own:
        return await air_told(own, cities, site, simulated=simulated)
    if medium == "water":
        return water_told(await _origin(held, site), own)
    return ()


async def _origin(held: Held, site: Site) -> Any:
    """Give the place of the first statement of an event that holds."""
    told = held.find("statements") or []
    for one in told:
        if one["state"] == "active":
            entity = await site.node.store.find(statement_id(site, one["alert"]))
            return None if entity is None else Held(entity).find("location")
    return None


async def air_told(
    sources: Sequence[str], cities: Cities, site: Site, *, simulated: bool = False
) -> Sequence[Told]:
    """Forecast where the wind that is observed now carries the air of some cities."""
    winds = await _winds(site, simulated=simulated)
    if not winds:
        return ()
    grid: Grid | None = site.memory.get(_GRID)
    if grid is None:
        grid = site.memory[_GRID] = grid_of(cities)
    found = forecast(sources, wind_field(winds), grid, horizon_h=HORIZON_H)
    lapse = TIME_LAPSE if simulated else 1.0
    return [
        Told(
            one.city,
            one.earliest_s / lapse,
            one.expected_s / lapse,
            one.latest_s / lapse,
            one.probability,
        )
        for one in found
        if one.probability >= PROBABILITY_MIN
    ]


def water_told(place: Any, without: Sequence[str]) -> Sequence[Told]:
    """Forecast when a pollution at a place comes by the cities downstream."""
    if not isinstance(place, dict):
        return ()
    point = to_shapely(place).representative_point()
    rivers = delta_rivers()
    node, distance_m = rivers.nearest(point.x, point.y)
    if distance_m > RIVER_M_MAX:
        return ()
    passages = travel(rivers, node.id, horizon_d=HORIZON_D)
    return [
        Told(one.city, one.earliest_s, one.expected_s, one.latest_s)
        for one in first_passages(passages)
        if one.city not in without
    ]


async def _winds(site: Site, *, simulated: bool) -> list[Wind]:
    oldest_us = site.now_us() - WIND_S * US_PER_S
    winds = []
    for entity in await region_objects(site, OWN, query_of("WeatherObserved")):
        held = Held(entity)
        speed, direction, place = map(held.find, ("windSpeed", "windDirection", "location"))
        numbers = all(
            isinstance(one, int | float) and not isinstance(one, bool) for one in (speed, direction)
        )
        observed = held.time_us("dateObserved") or held.observed_us("windSpeed") or 0
        if (
            numbers
            and isinstance(place, dict)
            and place.get("type") == "Point"
            and observed >= oldest_us
            and (held.provenance == "simulated") == simulated
        ):
            longitude, latitude = place["coordinates"][:2]
            winds.append(Wind(longitude, latitude, float(speed), float(direction)))
    return winds


def _object(
    site: Site,
    local: str,
    event_id: str,
    told: Told,
    medium: str,
    provenance: Provenance,
    cities: Cities,
) -> Entity:
    now = site.now_us() // US_PER_S * US_PER_S
    name: Mapping[str, str] = cities.by_id[told.city].name if told.city in cities.by_id else {}
    document: dict[str, Any] = {
        "id": site.urn(TYPE, f"{local}-{told.city}"),
        "type": TYPE,
        "refRegionalEvent": {"type": "Relationship", "object": event_id},
        "refCity": {"type": "Relationship", "object": city_id(told.city)},
        "medium": medium,
        "forecastMethod": METHODS[medium],
        "dateIssued": shown_us(now),
        "arrivalAt": shown_us(now + _us(told.expected_s)),
        "arrivalEarliest": shown_us(now + _us(told.earliest_s)),
        "arrivalLatest": shown_us(now + _us(told.latest_s)),
        "leadTime": {
            "type": "Property",
            "value": round(told.expected_s / 3600.0, 2),
            "unitCode": "HUR",
        },
    }
    if name:
        document["name"] = {"type": "LanguageProperty", "languageMap": dict(name)}
    if told.probability is not None:
        document["arrivalProbability"] = told.probability
    if provenance == "simulated":
        document["note"] = f"Time lapse: {TIME_LAPSE:g} times as fast as real. 延时模拟。"
    if told.city in cities.by_id:
        document["location"] = {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": list(cities.by_id[told.city].centre)},
        }
    entity = parse_entity(document, platform_terms())
    return entity.with_attrs(said_at(entity.attrs, provenance, now))


def _us(seconds: float) -> int:
    """Give seconds as microseconds, to the second: more would be no better known."""
    return round(seconds) * US_PER_S

"""What is replayed and simulated for a demonstration: real air, and a polluted one that moves.

Two connectors for each city, only when the operator asks (`--replay`):

- `air-snapshot` replays one recorded hour of the city's stations (CNEMC, 20 February 2018 07:00),
  read from the folder of recordings (`air/cnemc_stations_yrd_snapshot_20180220T07.csv`).
- `air-episode` simulates a cloud of PM2.5 that starts over Nanjing and goes with a steady wind
  towards Shanghai, and that wind. It is made up, says so on every object, and runs as a time lapse:
  `TIME_LAPSE` times as fast as real, so that it crosses the region in twenty minutes.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import orjson

from conurb.errors import BadRequestDataError
from conurb.model.operations.entity import UpsertEntity
from conurb.model.parse import parse_entity
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import Connector, Message, Recorded, Recording, Simulation, Site
from conurb.systems.warnings.areas import Cities
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.quality.air import POLLUTANTS, Pollutant, air_quality, standard_at
from conurb.systems.warnings.receiving import cities_at

if TYPE_CHECKING:
    from conurb.model.changes import Operation

SNAPSHOT: Final = Path("air") / "cnemc_stations_yrd_snapshot_20180220T07.csv"
SNAPSHOT_SOURCE: Final = "CNEMC, recorded 2018-02-20 07:00"
SNAPSHOT_S: Final = 3_599
"""How long the recorded hour stands before it comes again."""

_COLUMNS: Final[dict[Pollutant, str]] = {
    "pm25": "pm2_5",
    "pm10": "pm10",
    "so2": "so2",
    "no2": "no2",
    "o3": "o3",
    "co": "co",
}

TIME_LAPSE: Final = 60.0
"""A minute of the clock is an hour of the simulated episode."""

EVERY_S: Final = 20.0
EPISODE_H: Final = 22.0
"""How long an episode takes, in its own hours, before the next one begins."""

ORIGIN: Final = "nanjing"
WIND_FROM_DEG: Final = 298.0
WIND_M_S: Final = 5.0
CLOUD_KM: Final = 45.0
"""Standard deviation of the cloud."""

PEAK_UG_M3: Final = 260.0
BACKGROUND_UG_M3: Final = 28.0
NOTE: Final = "Simulated episode, time lapse 60:1; nothing of it is real. 模拟情景,非真实数据。"
_KM_PER_DEGREE: Final = 111.195


def replays(site: Site) -> Sequence[Connector]:
    """Give the connectors of a city's site; none at a site that is no city."""
    cities = cities_at(site)
    if site.owner not in cities.by_id:
        return ()
    found = [
        Connector(
            "air-episode",
            Simulation(_episode(cities, site.owner, site.now_us()), EVERY_S),
            read_episode,
        )
    ]
    file = None if site.recordings is None else site.recordings / SNAPSHOT
    if file is not None and file.is_file():
        entries = _snapshot(file, cities.code_of(site.owner))
        found.append(Connector("air-snapshot", Recording(entries), read_snapshot))
    return found


# ── one recorded hour ─────────────────────────────────────────────────────────────────────────


def _snapshot(file: Path, code: str) -> Any:
    def entries() -> Iterable[Recorded]:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if row["adcode"] == code]
        local = datetime.fromisoformat(rows[0]["timepoint"] if rows else "2018-02-20T07:00:00")
        at = local.replace(tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)
        at_us = int(at.timestamp()) * US_PER_S
        yield Recorded(at_us, orjson.dumps(rows))
        yield Recorded(at_us + SNAPSHOT_S * US_PER_S, b"[]")

    return entries


async def read_snapshot(message: Message, site: Site) -> Sequence[Operation]:
    """Turn the recorded hour of a city's stations into AirQualityObserved, observed now."""
    rows = orjson.loads(message.body)
    operations: list[Operation] = []
    for row in rows:
        values = {one: found for one in POLLUTANTS if (found := _figure(row[_COLUMNS[one]]))}
        if not values:
            continue
        document = _observed(
            site.urn("AirQualityObserved", f"cnemc-{row['stationcode']}"),
            name={"zh": row["positionname"], "en": row["stationcode"]},
            place=(float(row["lon"]), float(row["lat"])),
            at_us=message.at_us,
            values=values,
        )
        document["source"] = SNAPSHOT_SOURCE
        operations.append(UpsertEntity(parse_entity(document, platform_terms())))
    return operations


def _figure(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# ── a simulated episode ───────────────────────────────────────────────────────────────────────


def episode_hours(since_us: int) -> float:
    """Give how far the episode is so long after the first one began, in its own hours."""
    cycle_us = int(EPISODE_H * 3600 * US_PER_S / TIME_LAPSE)
    return (since_us % cycle_us) / cycle_us * EPISODE_H


def episode_pm25(cities: Cities, city: str, hours: float) -> float:
    """Give the simulated PM2.5 at a city's centre (ug/m3), so many hours into the episode.

    A round cloud that moves with the wind and keeps its shape.
    """
    lon0, lat0 = cities.by_id[ORIGIN].centre
    lon, lat = cities.by_id[city].centre
    shrink = math.cos(math.radians((lat + lat0) / 2.0))
    angle = math.radians(WIND_FROM_DEG)
    way_km = WIND_M_S * 3.6 * hours
    east = (lon - lon0) * shrink * _KM_PER_DEGREE + math.sin(angle) * way_km
    north = (lat - lat0) * _KM_PER_DEGREE + math.cos(angle) * way_km
    return BACKGROUND_UG_M3 + PEAK_UG_M3 * math.exp(-(east**2 + north**2) / (2.0 * CLOUD_KM**2))


def _episode(cities: Cities, city: str, begin_us: int) -> Any:
    """Give the steps of a city in episodes that begin with the site, all within a moment."""

    def step(_tick: int, at_us: int, random: Random) -> Sequence[bytes]:
        pm25 = episode_pm25(cities, city, episode_hours(at_us - begin_us)) * random.gauss(1.0, 0.02)
        wind = {
            "windSpeed": round(WIND_M_S * random.gauss(1.0, 0.05), 2),
            "windDirection": round((WIND_FROM_DEG + random.gauss(0.0, 4.0)) % 360.0, 1),
        }
        return [orjson.dumps({"pm25": round(max(pm25, 1.0), 1), **wind})]

    return step


async def read_episode(message: Message, site: Site) -> Sequence[Operation]:
    """Turn a step of the episode into what a station would say: air and wind."""
    cities = cities_at(site)
    said = orjson.loads(message.body)
    city = cities.by_id.get(site.owner)
    if city is None:
        raise BadRequestDataError(f"{site.owner} is no city of the region")
    air = _observed(
        site.urn("AirQualityObserved", "simulated-episode"),
        name={"zh": f"{city.name['zh']}模拟站", "en": f"{city.name['en']}, simulated station"},
        place=city.centre,
        at_us=message.at_us,
        values={"pm25": said["pm25"]},
    )
    wind: dict[str, Any] = {
        "id": site.urn("WeatherObserved", "simulated-episode"),
        "type": "WeatherObserved",
        "location": _point(city.centre),
        "dateObserved": shown_us(message.at_us),
    }
    for term, unit in (("windSpeed", "MTS"), ("windDirection", "DD")):
        wind[term] = _measured(said[term], message.at_us, unit)
    for document in (air, wind):
        document["note"] = NOTE
    return [UpsertEntity(parse_entity(one, platform_terms())) for one in (air, wind)]


# ── objects ───────────────────────────────────────────────────────────────────────────────────


def _observed(
    object_id: str,
    *,
    name: dict[str, str],
    place: tuple[float, float],
    at_us: int,
    values: dict[Pollutant, float],
) -> dict[str, Any]:
    quality = air_quality(values, standard=standard_at(at_us))
    document: dict[str, Any] = {
        "id": object_id,
        "type": "AirQualityObserved",
        "name": {"type": "LanguageProperty", "languageMap": name},
        "location": _point(place),
        "dateObserved": shown_us(at_us),
    }
    for pollutant, value in values.items():
        document[pollutant] = _measured(value, at_us, "GP" if pollutant == "co" else "GQ")
    if quality is not None:
        document["airQualityIndex"] = _measured(quality.index, at_us, None)
        document["airQualityLevel"] = _measured(quality.of_class.key, at_us, None)
        if quality.primary:
            document["primaryPollutant"] = list(quality.primary)
    return document


def _measured(value: Any, at_us: int, unit: str | None) -> dict[str, Any]:
    found = {"type": "Property", "value": value, "observedAt": shown_us(at_us)}
    return found if unit is None else {**found, "unitCode": unit}


def _point(place: tuple[float, float]) -> dict[str, Any]:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": list(place)}}

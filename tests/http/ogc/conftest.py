"""A node with stations, asked in process; see the fixtures of the folder above."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from conurb.model.vocabulary import CONTEXT_URL

BASE = "http://node.test"
OGC = BASE + "/ogc"
STATIONS = OGC + "/collections/AirQualityObserved"


def station(local: str, longitude: float, latitude: float, **attrs: Any) -> dict[str, Any]:
    """Write a station with properties by their values."""
    return {
        "id": f"urn:ngsi-ld:AirQualityObserved:{local}",
        "type": "AirQualityObserved",
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [longitude, latitude]},
        },
        **{
            name: one if isinstance(one, dict) else {"type": "Property", "value": one}
            for name, one in attrs.items()
        },
    }


async def put(client: httpx.AsyncClient, *entities: dict[str, Any], **headers: str) -> None:
    """Write objects, in the platform's terms."""
    response = await client.post(
        "/ngsi-ld/v1/entityOperations/upsert",
        json=[{**one, "@context": CONTEXT_URL} for one in entities],
        headers={"Content-Type": "application/ld+json", **headers},
    )
    assert response.status_code in (201, 204), response.text


NAMES = {"type": "LanguageProperty", "languageMap": {"en": "Tai Lake", "zh": "太湖"}}
THREE = (
    station(
        "a",
        120.0,
        31.0,
        pm25={
            "type": "Property",
            "value": 30,
            "unitCode": "GQ",
            "observedAt": "2026-01-01T00:00:00Z",
        },
        name=NAMES,
    ),
    station("b", 121.0, 31.0, pm25=60, refDevice={"type": "Relationship", "object": "urn:d:1"}),
    station("c", 122.0, 30.0, pm25=90, co2=[{"type": "Property", "value": 5}]),
)


@pytest.fixture
async def web(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """Give a client of a node that has three stations."""
    client.base_url = httpx.URL(BASE)
    await put(client, *THREE[:2], {**THREE[2], "co2": {"type": "Property", "value": 5}})
    return client

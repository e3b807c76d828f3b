"""A node serves the platform's @context and names, and understands the @context by its URL."""

from __future__ import annotations

import httpx

from conurb.model.vocabulary import CONTEXT_PATH, CONTEXT_URL, LABELS_PATH, platform_context
from tests.http.conftest import BASE


async def test_the_platforms_context_is_served(client: httpx.AsyncClient) -> None:
    answer = await client.get(BASE + CONTEXT_PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/ld+json"
    assert answer.json() == platform_context()


async def test_the_names_of_its_terms_are_served(client: httpx.AsyncClient) -> None:
    answer = await client.get(BASE + LABELS_PATH)
    assert answer.status_code == 200
    assert answer.json()["City"] == {"zh": "城市", "en": "City"}


async def test_it_is_understood_by_its_url_without_fetching(client: httpx.AsyncClient) -> None:
    link = f'<{CONTEXT_URL}>; rel="http://www.w3.org/ns/json-ld#context"'
    city = {"id": "urn:ngsi-ld:City:wuxi:wuxi", "type": "City", "population": 7_500_000}
    created = await client.post("/entities", json=city, headers={"Link": link})
    assert created.status_code == 201
    plain = (await client.get(f"/entities/{city['id']}")).json()
    assert plain["type"] == "https://w3id.org/conurb/vocab#City"
    named = (await client.get(f"/entities/{city['id']}", headers={"Link": link})).json()
    assert named["type"] == "City"
    assert named["population"]["value"] == 7_500_000

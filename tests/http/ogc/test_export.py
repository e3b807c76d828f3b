"""A whole collection as one file: nothing missing, whatever the pages are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import geopandas as gpd
import httpx
import pytest

from conurb.app import open_app
from conurb.config import Settings
from tests.http.ogc.conftest import BASE, STATIONS, put, station

COUNT = 95


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of a node that gives 10 objects at once, and has more."""
    settings = Settings(page_max=10, page_default=10, outbound=())
    async with open_app(store=tmp_path / "node.db", settings=settings) as app:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            many = [
                station(f"{n:03}", 119.0 + n / 100, 31.0, pm25=n if n % 2 else n + 0.5, rank=n)
                for n in range(COUNT)
            ]
            many[7]["name"] = {"type": "Property", "value": 'a, "b"\n雨'}
            many[8]["memberOf"] = {"type": "Property", "value": ["x", "y"]}
            many[9]["congested"] = {"type": "Property", "value": True}
            await put(client, *many)
            yield client


async def export(web: httpx.AsyncClient, form: str, **params: str) -> httpx.Response:
    response = await web.get(f"{STATIONS}/items", params={"f": form, **params})
    assert response.status_code == 200, response.text
    return response


async def test_csv_has_every_object_and_every_column(web: httpx.AsyncClient) -> None:
    response = await export(web, "csv")
    assert response.headers["content-disposition"].endswith('.csv"')
    text = response.content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["rank"] for row in rows] == [str(n) for n in range(COUNT)]
    assert rows[7]["name"] == 'a, "b"\n雨'
    assert json.loads(rows[8]["memberOf"]) == ["x", "y"]
    assert rows[0]["name"] == ""
    assert rows[50]["geometry"] == "POINT (119.5 31.0)"


async def test_geojson_is_one_collection(web: httpx.AsyncClient) -> None:
    document = (await export(web, "geojson", properties="rank")).json()
    assert [one["properties"] for one in document["features"]] == [
        {"rank": n} for n in range(COUNT)
    ]
    nothing = (await export(web, "geojson", filter="rank > 1000")).json()
    assert nothing["features"] == []


async def test_geoparquet_is_read_with_types_and_places(
    web: httpx.AsyncClient, tmp_path: Path
) -> None:
    file = tmp_path / "layer.parquet"
    file.write_bytes((await export(web, "geoparquet")).content)
    frame = gpd.read_parquet(file)
    assert frame.crs == "OGC:CRS84"
    assert list(frame["rank"]) == list(range(COUNT))
    kinds = {"rank": "int64", "pm25": "float64"}
    assert {name: str(frame[name].dtype) for name in kinds} == kinds
    assert frame["congested"].tolist().count(True) == 1
    assert frame.total_bounds == pytest.approx([119.0, 31.0, 119.94, 31.0])


async def test_an_export_takes_the_same_questions(web: httpx.AsyncClient) -> None:
    response = await export(web, "csv", filter="rank >= 40", properties="rank", limit="13")
    rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert rows[0] == ["id", "rank", "geometry"]
    assert [row[1] for row in rows[1:]] == [str(n) for n in range(40, 53)]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{STATIONS}/items?f=csv&filter=rank%20%3E", 400),
        (f"{STATIONS}/items?f=xlsx", 400),
        (f"{STATIONS}/items?f=csv&limit=0", 400),
        (f"{STATIONS.replace('AirQualityObserved', 'City')}/items?f=csv", 404),
    ],
)
async def test_what_cannot_be_exported_says_so_before_it_begins(
    web: httpx.AsyncClient, path: str, status: int
) -> None:
    response = await web.get(path)
    assert response.status_code == status
    assert response.json()["description"]

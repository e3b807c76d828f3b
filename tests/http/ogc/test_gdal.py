"""GDAL, which QGIS reads by, reads collections and tiles of a served node, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyogrio
import pytest

from tests.federation.served import Served, served
from tests.http.ogc.conftest import put, station

TILES = "/ogc/collections/AirQualityObserved/tiles/WebMercatorQuad"


Gdal = Callable[..., Awaitable[Any]]


@pytest.fixture(scope="module")
def process() -> Iterator[ProcessPoolExecutor]:
    """Give a process of its own: GDAL holds Python's lock while it waits for the node."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def gdal(process: ProcessPoolExecutor) -> Gdal:
    """Give what runs a call of GDAL elsewhere."""

    async def run(call: Callable[..., Any], *args: Any, **named: Any) -> Any:
        done = process.submit(call, *args, **named)
        return await asyncio.wait_for(asyncio.wrap_future(done), 60)

    return run


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    settings = {}
    if request.param == "postgres":
        settings["store"] = request.getfixturevalue("postgres_node_url")
    async with served(tmp_path, "node", page_max=40, **settings) as one:
        many = [
            station(str(n), 119.0 + n % 10 * 0.1, 31.0 + n // 10 * 0.1, pm25=n, note=f"第{n}")
            for n in range(100)
        ]
        box = [[118.0, 30.0], [120.0, 30.0], [120.0, 32.0], [118.0, 32.0], [118.0, 30.0]]
        area = {
            "id": "urn:ngsi-ld:City:wuxi:wuxi",
            "type": "City",
            "location": {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [box]}},
        }
        await put(one.client, *many, area)
        yield one


async def test_gdal_reads_a_collection_over_all_of_its_pages(node: Served, gdal: Gdal) -> None:
    source = f"OAPIF:{node.url}/ogc"
    layers = await gdal(pyogrio.list_layers, source)
    assert {name for name, _ in layers} == {"AirQualityObserved", "City"}
    frame = await gdal(pyogrio.read_dataframe, source, layer="AirQualityObserved")
    assert sorted(frame["pm25"]) == list(range(100))
    assert frame.loc[frame["pm25"] == 42, "note"].item() == "第42"
    assert frame.loc[frame["pm25"] == 42].geometry.item().coords[0] == pytest.approx((119.2, 31.4))


async def test_gdal_asks_for_a_box_and_a_filter_on_the_node(node: Served, gdal: Gdal) -> None:
    source = f"OAPIF:{node.url}/ogc"
    boxed = await gdal(
        pyogrio.read_dataframe,
        source,
        layer="AirQualityObserved",
        bbox=(118.95, 30.95, 119.25, 31.15),
    )
    assert sorted(boxed["pm25"]) == [0, 1, 2, 10, 11, 12]
    filtered = await gdal(
        pyogrio.read_dataframe, source, layer="AirQualityObserved", where="pm25 >= 90"
    )
    assert sorted(filtered["pm25"]) == list(range(90, 100))


async def test_gdal_reads_tiles(node: Served, gdal: Gdal, tmp_path: Path) -> None:
    async def read(collection: str, z: int, x: int, y: int) -> Any:
        path = TILES.replace("AirQualityObserved", collection)
        response = await node.client.get(f"{path}/{z}/{y}/{x}")
        file = tmp_path / f"{y}.pbf"
        file.write_bytes(response.content)
        where = {"X": str(x), "Y": str(y), "Z": str(z)}
        return await gdal(pyogrio.read_dataframe, f"MVT:{file}", **where)

    points = await read("AirQualityObserved", 6, 53, 26)
    assert sorted(points["pm25"]) == list(range(100))
    place = points.set_index("pm25").to_crs(4326).geometry[42]
    assert place.coords[0] == pytest.approx((119.2, 31.4), abs=0.002)
    [area] = (await read("City", 4, 13, 6)).to_crs(4326).geometry
    assert area.bounds == pytest.approx((118.0, 30.0, 120.0, 32.0), abs=0.01)
    assert area.is_valid

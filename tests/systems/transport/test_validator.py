"""What we write as GTFS, judged by the canonical validator: no errors."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from conurb.regions.pack import read_pack
from conurb.systems.contract import OWN
from conurb.systems.transport.importing import metro_bundles, rail_bundle
from conurb.systems.transport.observing import Observe
from conurb.systems.transport.publishing import export_feed
from conurb.systems.transport.reading import Reader
from conurb.systems.transport.system import SYSTEM
from tests.systems.places import open_host, running
from tests.systems.transport.material import LINES, STATIONS, TRAINS, needs_data
from tests.systems.transport.test_sources import DAYS
from tests.systems.transport.validator import validate

WARNINGS_KNOWN = {
    "mixed_case_recommended_field",
    "non_ascii_or_non_printable_char",
    "stop_too_far_from_shape",
}
"""Names in Chinese have no case, and ids of trains are as they are published."""


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("feed", ["metro", "rail"])
async def test_an_exported_feed_has_no_errors(feed: str, tmp_path: Path) -> None:
    pack = read_pack("yrd")
    async with open_host(tmp_path) as host:
        node = await host.node("shanghai" if feed == "metro" else None, create=True)
        if feed == "metro":
            found = metro_bundles(LINES, STATIONS, pack, DAYS)
            objects = next(one.objects for one in found if one.tenant == "shanghai")
        else:
            objects = rail_bundle(TRAINS, pack, node.id, DAYS).objects
        await node.store.apply([Observe(one) for one in objects])
        async with running(node, tmp_path, SYSTEM) as system:
            with (tmp_path / f"{feed}.zip").open("wb") as target:
                reader = Reader(system.site, OWN)
                counts = await export_feed(reader, target, feed=feed, url="https://example.org")
    assert counts["trips.txt"] == {"metro": 40, "rail": 1783}[feed]
    written = tmp_path / f"{feed}.zip"
    notices = await asyncio.to_thread(validate, written, tmp_path, day="2026-06-01")
    assert [one for one in notices if one["severity"] == "ERROR"] == []
    told = {one["code"] for one in notices if one["severity"] == "WARNING"}
    assert told <= WARNINGS_KNOWN

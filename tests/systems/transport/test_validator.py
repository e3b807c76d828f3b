"""What we write as GTFS, judged by the canonical validator: no errors."""

from __future__ import annotations

import asyncio
import shutil
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
from tests.systems.transport.material import LINES, SAMPLE, STATIONS, TRAINS, needs_data
from tests.systems.transport.test_sources import DAYS
from tests.systems.transport.validator import validate

WARNINGS_KNOWN = {
    "mixed_case_recommended_field",
    "non_ascii_or_non_printable_char",
    "stop_too_far_from_shape",
}
"""Names in Chinese have no case, and ids of trains are as they are published."""


async def exported(feed: str, folder: Path) -> Path:
    """Bring a timetable in as objects, and write it out of them."""
    pack = read_pack("yrd")
    async with open_host(folder) as host:
        node = await host.node("shanghai" if feed == "metro" else None, create=True)
        if feed == "metro":
            found = metro_bundles(LINES, STATIONS, pack, DAYS)
            objects = next(one.objects for one in found if one.tenant == "shanghai")
        else:
            objects = rail_bundle(TRAINS, pack, node.id, DAYS).objects
        await node.store.apply([Observe(one) for one in objects])
        async with running(node, folder, SYSTEM) as system:
            with (folder / f"{feed}.zip").open("wb") as target:
                reader = Reader(system.site, OWN)
                counts = await export_feed(reader, target, feed=feed, url="https://example.org")
    assert counts["trips.txt"] == {"metro": 40, "rail": 1783}[feed]
    return folder / f"{feed}.zip"


@needs_data
@pytest.mark.slow
async def test_exported_feeds_have_no_errors(tmp_path: Path) -> None:
    feeds = []
    for feed in ("metro", "rail"):
        folder = tmp_path / feed
        folder.mkdir()
        feeds.append(await exported(feed, folder))
    broken = tmp_path / "broken.zip"
    shutil.copy(SAMPLE / "sample-feed-1.zip", broken)
    *reports, control = await asyncio.to_thread(
        validate, [*feeds, broken], tmp_path, day="2026-06-01"
    )
    # The validator does judge: the sample with its short rows has errors.
    assert any(one["severity"] == "ERROR" for one in control)
    for notices in reports:
        assert [one for one in notices if one["severity"] == "ERROR"] == []
        told = {one["code"] for one in notices if one["severity"] == "WARNING"}
        assert told <= WARNINGS_KNOWN

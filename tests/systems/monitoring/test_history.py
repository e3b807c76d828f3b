"""A measurement's history as samples: all of it, however long, or an error; never a part."""

from __future__ import annotations

from pathlib import Path

import pytest

from conurb.errors import TooComplexQueryError
from conurb.model.operations.temporal import AppendEvolution
from conurb.model.parse import parse_temporal_entity
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.systems.contract import EVERYWHERE, Site
from conurb.systems.monitoring.history import load_samples
from tests.systems.places import open_host

STREAM = "urn:ngsi-ld:DeviceMeasurement:wuxi:level"
BEGIN_US = 1_780_272_000_000_000
COUNT = 25


async def test_a_history_longer_than_a_page_is_given_whole_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [
        {"type": "Property", "value": n, "observedAt": shown_us(BEGIN_US + n)} for n in range(COUNT)
    ]
    document = {"id": STREAM, "type": "DeviceMeasurement", "numValue": numbers}
    monkeypatch.setattr("conurb.systems.monitoring.history.PAGE", 10)
    async with open_host(tmp_path) as host:
        node = await host.node()
        told = parse_temporal_entity(document, platform_terms())
        await node.store.apply_all([AppendEvolution(STREAM, told)])
        site = Site("monitoring", node, EVERYWHERE, node.delivery.outbound, tmp_path)
        whole = await load_samples(site, STREAM)
        assert whole.first.tolist() == list(range(COUNT))
        part = await load_samples(site, STREAM, begin_us=BEGIN_US + 2, end_us=BEGIN_US + 14)
        assert part.first.tolist() == list(range(2, 15))
        assert (await load_samples(site, STREAM, last=3)).first.tolist() == [22, 23, 24]
        monkeypatch.setattr("conurb.systems.monitoring.history.SAMPLES_MAX", 20)
        with pytest.raises(TooComplexQueryError, match="over 20 numbers"):
            await load_samples(site, STREAM)

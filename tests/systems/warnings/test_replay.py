"""What `--replay` shows says what it is, on every object."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from conurb.systems.contract import Message, Site
from conurb.systems.provenance import marked
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.objects import Held
from conurb.systems.warnings.querying import query_of
from conurb.systems.warnings.replay import read_episode, read_snapshot, replays

from .nodes import a_region, soon
from .sources import DATA, needs_data


@needs_data
async def test_a_replayed_hour_and_a_simulated_episode_say_so_on_every_object(
    tmp_path: Path,
) -> None:
    async with a_region(tmp_path, "wuxi") as at:
        main = await at.host.node("wuxi")
        site = Site(
            "warnings",
            main,
            frozenset({"node"}),
            main.delivery.outbound,
            tmp_path,
            recordings=DATA,
            replay=True,
        )
        found = {one.name: one for one in replays(site)}
        assert set(found) == {"air-episode", "air-snapshot"}
        entries: Any = found["air-snapshot"].source
        recorded = next(iter(entries.entries()))
        message = Message(recorded.body, at_us=at.clock[0], provenance="replayed")
        operations = marked(await read_snapshot(message, site), "replayed")
        assert len(operations) == 12
        await main.store.apply_all(operations)
        simulated: Any = found["air-episode"].source
        [body] = simulated.step(1, site.now_us() + 5 * 60 * 1_000_000, Random(1))
        step = Message(body, at_us=at.clock[0], provenance="simulated")
        await main.store.apply_all(marked(await read_episode(step, site), "simulated"))
        [event] = await soon(at.events)
        assert event["provenance"] == "simulated"
        [row] = await at.get("/warnings/alerts")
        assert row["provenance"] == "simulated"
        cap = read((await at.http.get(f"/warnings/alerts/{row['id']}.cap")).content)
        assert cap.status == "Exercise"
        assert "Simulated" in (cap.note or "")
        stored = await main.store.query(query_of("AirQualityObserved"))
        assert {Held(one).provenance for one in stored.entities} == {"replayed", "simulated"}

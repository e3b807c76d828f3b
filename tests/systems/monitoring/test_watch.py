"""From an observation to an alarm: once, with its reason, ended when it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conurb.errors import BadRequestDataError
from conurb.model.changes import Operation
from conurb.model.entity import Entity
from conurb.model.operations.entity import CreateEntity, UpsertEntity
from conurb.model.operations.temporal import AppendEvolution
from conurb.model.parse import parse_temporal_entity
from conurb.model.query.tree import Query, Selector, TypeIs
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.node.node import Node
from conurb.systems.contract import Connector, Message, Recorded, Recording, Site
from conurb.systems.monitoring.rules import read_rule
from conurb.systems.monitoring.sensorthings.mapping import find_value, linked_ids
from conurb.systems.monitoring.system import SYSTEM
from tests.systems.monitoring.data import DAMAGED_FROM_H, HOUR_US, SOUND_H, yonghe
from tests.systems.places import entity, open_host, running, system, until

BEGIN_US = 1_780_272_000_000_000
STREAM = "urn:ngsi-ld:DeviceMeasurement:wuxi:level"


def at(number: int) -> str:
    return shown_us(BEGIN_US + number * HOUR_US)


def rule(method: str, options: dict[str, Any], *streams: str, **more: Any) -> Entity:
    return entity(
        {
            "id": f"urn:ngsi-ld:DetectionRule:wuxi:{method}",
            "type": "DetectionRule",
            "name": f"rule {method}",
            "refDeviceMeasurement": {"type": "Relationship", "object": list(streams or (STREAM,))},
            "detectionMethod": method,
            "detectionOptions": {"type": "JsonProperty", "json": options},
            "severity": "high",
            "category": "naturalDisaster",
            "subCategory": "floodRisk",
            **more,
        }
    )


def stream(stream_id: str = STREAM) -> Entity:
    return entity(
        {
            "id": stream_id,
            "type": "DeviceMeasurement",
            "name": {"type": "LanguageProperty", "languageMap": {"en": "level", "zh": "水位"}},
            "location": {
                "type": "GeoProperty",
                "value": {"type": "Point", "coordinates": [120, 31]},
            },
            "refDevice": {"type": "Relationship", "object": "urn:ngsi-ld:Device:wuxi:gauge"},
        }
    )


def observed(number: int, value: float, stream_id: str = STREAM) -> AppendEvolution:
    one = {"type": "Property", "value": value, "observedAt": at(number)}
    document = {"id": stream_id, "type": "DeviceMeasurement", "numValue": [one]}
    return AppendEvolution(stream_id, parse_temporal_entity(document, platform_terms()))


async def alarms(node: Node) -> list[Entity]:
    alert = platform_terms().expand("Alert")
    page = await node.store.query(Query((Selector(types=TypeIs(alert)),), limit=100))
    return page.entities


async def seen(node: Node, numbers: int, state: str) -> bool:
    found = await alarms(node)
    return len(found) == numbers and any(find_value(one, "alertState") == state for one in found)


async def test_an_alarm_is_raised_once_and_ended_once(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        node = await host.node()
        options = {"high": 4.0, "margin": 0.5, "confirm": 2, "clear": 2}
        await node.store.apply([CreateEntity(stream()), CreateEntity(rule("threshold", options))])
        async with running(node, tmp_path, SYSTEM) as run:
            await until(lambda: run.part("watch").state == "running")
            levels = [3.0, 3.5, 4.7, 3.9, 4.6, 4.5]
            for number, level in enumerate(levels):
                await node.store.apply([observed(number, level)])
            await until(lambda: seen(node, 1, "active"))
        [alarm] = await alarms(node)
        assert alarm.id == f"urn:ngsi-ld:Alert:node:threshold:{BEGIN_US + 2 * HOUR_US}"
        assert find_value(alarm, "severity") == "high"
        assert find_value(alarm, "description") == {
            "en": "4.7 is above 4",
            "zh": "测值 4.7 高于限值 4",
        }
        assert find_value(alarm, "name") == {"en": "level", "zh": "水位"}
        assert find_value(alarm, "location")["coordinates"] == [120, 31]
        assert linked_ids(alarm, "refDevice") == ("urn:ngsi-ld:Device:wuxi:gauge",)
        evidence = find_value(alarm, "evidence")
        assert (evidence["begin"], evidence["confirmed"]) == (at(2), at(3))
        async with running(node, tmp_path, SYSTEM) as run:
            await until(lambda: run.part("watch").state == "running")
            for number, level in enumerate([4.8, 3.0, 3.1, 3.2], start=6):
                await node.store.apply([observed(number, level)])
            await until(lambda: seen(node, 1, "cleared"))
        [alarm] = await alarms(node)
        assert find_value(alarm, "validTo")["@value"] == at(7)
        assert len(await node.store.history(alarm.id, [platform_terms().expand("alertState")])) == 2


async def test_observations_that_come_in_one_batch_are_all_judged(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        node = await host.node()
        await node.store.apply(
            [CreateEntity(stream()), CreateEntity(rule("threshold", {"high": 4, "samples": 100}))]
        )
        async with running(node, tmp_path, SYSTEM) as run:
            await until(lambda: run.part("watch").state == "running")
            instances = [
                {"type": "Property", "value": value, "observedAt": at(number)}
                for number, value in enumerate([1, 5, 1, 1, 6, 7, 1])
            ]
            document = {"id": STREAM, "type": "DeviceMeasurement", "numValue": instances}
            fragment = parse_temporal_entity(document, platform_terms())
            await node.store.apply([AppendEvolution(STREAM, fragment)])
            await until(lambda: seen(node, 2, "cleared"))
        begins = sorted(find_value(one, "validFrom")["@value"] for one in await alarms(node))
        assert begins == [at(1), at(4)]


async def test_the_damage_of_a_bridge_becomes_an_alarm_about_all_its_modes(tmp_path: Path) -> None:
    samples = yonghe()
    streams = [f"urn:ngsi-ld:DeviceMeasurement:tianjin:mode-{n}" for n in range(1, 5)]
    options = {
        "confirm": 2,
        "clear": 2,
        "train_from": shown_us(int(samples.times_us[0])),
        "train_to": shown_us(int(samples.times_us[SOUND_H - 1])),
    }

    def hours(begin: int, end: int) -> list[Operation]:
        written: list[Operation] = []
        for column, name in enumerate(streams):
            instances = [
                {
                    "type": "Property",
                    "value": float(samples.values[hour, column]),
                    "observedAt": shown_us(int(samples.times_us[hour])),
                }
                for hour in range(begin, end)
            ]
            document = {"id": name, "type": "DeviceMeasurement", "numValue": instances}
            fragment = parse_temporal_entity(document, platform_terms())
            written.append(AppendEvolution(name, fragment))
        return written

    async with open_host(tmp_path) as host:
        node = await host.node()
        modal = rule("modal", options, *streams, subCategory="bridgeDamage")
        await node.store.apply([*hours(0, SOUND_H), CreateEntity(modal)])
        async with running(node, tmp_path, SYSTEM) as run:
            await until(lambda: run.part("watch").state == "running")
            await node.store.apply(hours(SOUND_H, DAMAGED_FROM_H))
            await until(lambda: run.part("watch").read >= 4)
            assert await alarms(node) == [], "a false alarm"
            for hour in range(DAMAGED_FROM_H, DAMAGED_FROM_H + 3):
                await node.store.apply(hours(hour, hour + 1))
            await until(lambda: seen(node, 1, "active"))
        [alarm] = await alarms(node)
        begin = shown_us(int(samples.times_us[DAMAGED_FROM_H]))
        assert find_value(alarm, "validFrom")["@value"] == begin
        assert find_value(alarm, "description")["en"].startswith("all modes fell")
        assert set(find_value(alarm, "evidence")["figures"]["change"]) == {
            f"mode-{n}" for n in range(1, 5)
        }


async def test_an_alarm_from_a_recording_says_that_it_is_replayed(tmp_path: Path) -> None:
    async def read(message: Message, site: Site) -> Sequence[Operation]:
        one = {
            "type": "Property",
            "value": float(message.body),
            "observedAt": shown_us(message.at_us),
        }
        document = {"id": STREAM, "type": "DeviceMeasurement", "numValue": [one]}
        return [AppendEvolution(STREAM, parse_temporal_entity(document, platform_terms()))]

    tape = Recording(
        lambda: [Recorded(n * 1_000_000, b"%d" % n) for n in range(1, 9)], speed=50, repeat=False
    )
    playing = system("tape", replays=lambda site: (Connector("tape", tape, read),))
    async with open_host(tmp_path) as host:
        node = await host.node()
        await node.store.apply([CreateEntity(rule("threshold", {"high": 5}))])
        async with running(node, tmp_path, SYSTEM, playing, replay=True):
            await until(lambda: seen(node, 1, "active"))
        [alarm] = await alarms(node)
        replayed = platform_terms().expand("replayed")
        assert all(one[replayed][0]["value"] is True for _, one in alarm.iter_instances())


async def test_a_sensor_that_falls_silent_is_an_alarm_until_it_speaks(tmp_path: Path) -> None:
    from conurb.systems.monitoring.watch import listen_for_silence

    async with open_host(tmp_path) as host:
        node = await host.node()
        silence = rule("silence", {"after_s": 7200})
        await node.store.apply([CreateEntity(stream()), CreateEntity(silence), observed(0, 1.0)])
        # Its own schedule goes by the real clock, by which the sensor has been silent for years.
        async with running(node, tmp_path, replace(SYSTEM, schedules=())) as run:
            hour = BEGIN_US + HOUR_US
            assert await listen_for_silence(run.site, hour) == []
            [raised] = await listen_for_silence(run.site, BEGIN_US + 3 * HOUR_US)
            await node.store.apply([raised])
            assert await listen_for_silence(run.site, BEGIN_US + 4 * HOUR_US) == []
            await node.store.apply([observed(5, 1.0)])
            [ended] = await listen_for_silence(run.site, BEGIN_US + 6 * HOUR_US)
            await node.store.apply([ended])
        [alarm] = await alarms(node)
        assert "nothing has come since" in find_value(alarm, "description")["en"]
        assert find_value(alarm, "alertState") == "cleared"


async def test_a_rule_that_changes_counts_from_then_on(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        node = await host.node()
        await node.store.apply([CreateEntity(rule("threshold", {"high": 9}))])
        async with running(node, tmp_path, SYSTEM) as run:
            await until(lambda: run.part("watch").state == "running")
            await node.store.apply([observed(0, 5.0)])
            await until(lambda: run.part("watch").read >= 1)
            await node.store.apply([UpsertEntity(rule("threshold", {"high": 4}))])
            await node.store.apply([observed(1, 5.0)])
            await until(lambda: seen(node, 1, "active"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"detectionMethod": "magic"}, "none of threshold"),
        ({"severity": "purple"}, "none of informational"),
        (
            {"detectionOptions": {"type": "JsonProperty", "json": {"confirm": 0}}},
            "not from 1 to 1000",
        ),
        (
            {
                "refDeviceMeasurement": {
                    "type": "Relationship",
                    "object": [f"urn:ngsi-ld:DeviceMeasurement:x:{n}" for n in range(33)],
                }
            },
            "33 measurements",
        ),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequestDataError, match=said):
        read_rule(rule("threshold", {"high": 1}, **change))

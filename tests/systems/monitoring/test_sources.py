"""Measurements from JSON, NMEA, RTCM and MQTT, from recordings and simulation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiomqtt
import numpy as np
import orjson
import pytest

from conurb.errors import BadRequestDataError, ConfigError
from conurb.model.entity import Entity
from conurb.model.time import parse_us, shown_us
from conurb.model.vocabulary import platform_terms
from conurb.node.node import Node
from conurb.systems.contract import Message
from conurb.systems.monitoring.detect.methods import judge
from conurb.systems.monitoring.samples import of_one
from conurb.systems.monitoring.sensorthings.mapping import find_value
from conurb.systems.monitoring.sources.gnss import (
    Fix,
    displacement_mm,
    from_ecef_m,
    read_fix,
    read_frame,
    to_ecef_m,
)
from conurb.systems.monitoring.sources.json_values import Form, measured
from conurb.systems.monitoring.sources.replays import GNSS_RULE, days_of
from conurb.systems.monitoring.system import SYSTEM
from tests.services.mosquitto import Mosquitto
from tests.systems.monitoring.data import DATA, there
from tests.systems.places import open_host, running, until

RECEIVED = parse_us("2026-06-01T23:59:58Z")
STATION = bytes.fromhex("D300133ED7D30202980EDEEF34B4BD62AC0941986F33360B98")
"""The example of message 1005 in RTCM 10403: station 2003."""


def nmea(body: str) -> bytes:
    checksum = 0
    for character in body:
        checksum ^= ord(character)
    return f"${body}*{checksum:02X}".encode()


def gga(time: str, *, quality: int = 4, altitude: float = 12.5) -> bytes:
    return nmea(f"BDGGA,{time},3120.4000,N,12012.6000,E,{quality},17,0.6,{altitude},M,10.0,M,,")


def message(document: Any, topic: str = "bridge/pier-3/acc") -> Message:
    return Message(orjson.dumps(document), topic=topic, at_us=RECEIVED)


def test_members_of_json_are_found_where_the_operator_says() -> None:
    form = Form(device="{topic[1]}", property="acceleration", value="payload.v", time="payload.ts")
    [one] = measured(message({"payload": {"v": 0.02, "ts": 1780272000000}}), form)
    assert (one.device, one.property, one.value) == ("pier-3", "acceleration", 0.02)
    assert shown_us(one.at_us) == "2026-06-01T00:00:00Z"
    several = measured(
        message({"device": "d", "values": {"t": 1, "h": 2}, "time": "2026-06-01T00:00:00+08:00"})
    )
    assert [(each.property, each.value) for each in several] == [("t", 1), ("h", 2)]
    assert shown_us(several[0].at_us) == "2026-05-31T16:00:00Z"
    [late] = measured(message({"device": "d", "property": "p", "value": 1, "lon": 1, "lat": 2}))
    assert (late.at_us, late.position) == (RECEIVED, (1.0, 2.0))


@pytest.mark.parametrize(
    "document", [[], {"value": 1}, {"device": "d", "property": "p"}, {"device": {}, "value": 1}]
)
def test_json_that_lacks_something_is_refused(document: Any) -> None:
    with pytest.raises(BadRequestDataError):
        measured(message(document))


def test_a_position_has_the_day_that_puts_it_nearest_to_when_it_came() -> None:
    before = read_fix(gga("235957.00"), RECEIVED)
    after = read_fix(gga("000001.50"), RECEIVED)
    assert before is not None
    assert after is not None
    assert shown_us(before.at_us) == "2026-06-01T23:59:57Z"
    assert shown_us(after.at_us) == "2026-06-02T00:00:01.500Z"
    assert (before.longitude, before.latitude) == (pytest.approx(120.21), pytest.approx(31.34))
    assert (before.altitude_m, before.quality, before.satellites) == (22.5, 4, 17)


def test_sentences_without_a_position_say_nothing_and_broken_ones_are_refused() -> None:
    assert read_fix(nmea("BDGGA,235957.00,,,,,0,00,99.9,,M,,M,,"), RECEIVED) is None
    assert read_fix(nmea("GNVTG,,,,,,,,,N"), RECEIVED) is None
    with pytest.raises(BadRequestDataError):
        read_fix(gga("235957.00").replace(b"*", b"*0"), RECEIVED)


def test_the_example_of_the_rtcm_standard_gives_its_station() -> None:
    kind, found = read_frame(STATION)
    assert kind == 1005
    assert found["ecef_m"] == pytest.approx((1114104.5999, -4850729.7108, 3975521.4643))
    with pytest.raises(BadRequestDataError):
        read_frame(STATION[:-1] + b"\x00")


def test_geodesy_goes_there_and_back() -> None:
    for position in ((120.21, 31.34, 12.5), (-71.3, -33.1, 2500.0), (0.0, 89.9, -20.0)):
        assert from_ecef_m(*to_ecef_m(*position)) == pytest.approx(position, abs=1e-6)
    fix = Fix(120.21 + 1e-7, 31.34, 12.51, 0)
    east, north, up = displacement_mm(fix, 120.21, 31.34, 12.5)
    assert east == pytest.approx(9.52, abs=0.02)
    assert (north, up) == (pytest.approx(0, abs=0.01), pytest.approx(10.0, abs=0.01))


async def found(node: Node, entity_id: str) -> Entity:
    async def is_there() -> bool:
        return await node.store.find(entity_id) is not None

    await until(is_there)
    entity = await node.store.find(entity_id)
    assert entity is not None
    return entity


async def test_a_receiver_on_a_dam_is_placed_and_its_displacement_measured(tmp_path: Path) -> None:
    (tmp_path / "nmea").mkdir()
    sentences = [gga(f"0000{second:02d}.00", altitude=12.5 + second / 1000) for second in range(30)]
    (tmp_path / "nmea" / "a.nmea").write_bytes(b"\r\n".join(sentences) + b"\r\n")
    table = {
        "name": "crest",
        "device": "dam 1",
        "folder": str(tmp_path / "nmea"),
        "every_s": 10,
        "reference": [120.21, 31.34, 22.5],
    }
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(node, tmp_path, SYSTEM, options={"monitoring": {"nmea": [table]}}):
            device = await found(node, "urn:ngsi-ld:Device:node:dam-1")
            up = await found(node, "urn:ngsi-ld:DeviceMeasurement:node:dam-1-up")
        assert find_value(device, "fixQuality") == 4
        number = platform_terms().expand("numValue")
        history = await node.store.history(up.id, [number])
        values = [one.instance["value"] for one in history if one.instance is not None]
        assert values == [pytest.approx(0), pytest.approx(10), pytest.approx(20)]


async def test_a_reference_station_says_where_its_antenna_is(tmp_path: Path) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"noise" + STATION + b"\xd3\x00\x01\x00\x00\x00\x00" + STATION)
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    table = {"name": "base", "device": "base-1", "url": f"tcp://127.0.0.1:{port}"}
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(
            node, tmp_path, SYSTEM, options={"monitoring": {"rtcm": [table]}}
        ) as run:
            device = await found(node, "urn:ngsi-ld:Device:node:base-1")
            await until(lambda: run.part("base").read >= 3)
            assert run.part("base").dead == 1, "the frame with a wrong CRC is set aside"
    server.close()
    longitude, latitude = find_value(device, "location")["coordinates"]
    assert (longitude, latitude) == (pytest.approx(-77.065, abs=0.01), pytest.approx(38.8, abs=0.1))


@pytest.mark.parametrize("version", [1, 2])
async def test_a_caster_is_asked_for_a_mountpoint_and_may_refuse(
    tmp_path: Path, version: int
) -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        if len(asked) == 1:
            writer.write(b"SOURCETABLE 200 OK\r\nContent-Length: 16\r\n\r\nENDSOURCETABLE\r\n")
        elif version == 1:
            writer.write(b"ICY 200 OK\r\n\r\n" + STATION)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in (STATION[:5], STATION[5:] + STATION):
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
        if len(asked) > 1:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"ntrip://me:s%20cret@127.0.0.1:{port}/SHAN"
    table = {"name": "base", "device": "base-1", "url": url}
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(
            node, tmp_path, SYSTEM, options={"monitoring": {"rtcm": [table]}}
        ) as run:
            await until(lambda: run.part("base").failures == 1)
            error = run.part("base").error or ""
            assert "no such mountpoint" in error
            assert "cret" not in error
            await found(node, "urn:ngsi-ld:Device:node:base-1")
            await until(lambda: run.part("base").read >= version)
    server.close()
    assert asked[1].startswith(b"GET /SHAN HTTP/1.1\r\n")
    assert b"Authorization: Basic bWU6cyBjcmV0\r\n" in asked[1]


async def test_a_station_of_a_replay_makes_its_step_and_says_what_it_is(tmp_path: Path) -> None:
    there(DATA / "gnss" / "G001neu9818.csv")
    days = list(days_of(DATA / "gnss" / "G001neu9818.csv"))
    assert len(days) == 365
    options = {name: value for name, value in GNSS_RULE.items() if name != "samples"}
    step = next(n for n, one in enumerate(days) if b"2011-03-12" in one.body)
    moved = [orjson.loads(one.body)["mm"]["north"] for one in days]
    seconds_us, until_then = np.arange(step + 15) * 1_000_000, np.array(moved[: step + 15])
    judged = judge("motion", of_one(seconds_us, until_then), options)
    assert judged.score[-1] >= 1
    assert max(judged.score[: step - 1]) < 1
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(node, tmp_path, SYSTEM, replay=True, recordings=DATA) as run:
            await until(lambda: run.part("gnss").stored >= 8)
        stream = await found(node, "urn:ngsi-ld:DeviceMeasurement:node:gnss-station-replay-north")
        mark = platform_terms().expand("replayed")
        assert all(one[mark][0]["value"] is True for _, one in stream.iter_instances())


@pytest.mark.mqtt
async def test_json_over_mqtt_becomes_history_each_value_once(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    topic = f"t{uuid4().hex}"
    table = {
        "name": "piers",
        "url": mosquitto.url,
        "topics": [f"{topic}/#"],
        "device": "{topic[1]}",
        "property": "tilt",
        "unit": "DD",
    }
    async with open_host(tmp_path, node_id=topic) as host:
        node = await host.node()
        async with running(
            node, tmp_path, SYSTEM, options={"monitoring": {"json": [table]}}
        ) as run:
            await until(lambda: run.part("piers").state == "running")
            async with aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
                for number in (0, 1, 2, 1):
                    body = {"value": number, "time": f"2026-06-01T00:0{number}:00Z"}
                    await client.publish(f"{topic}/pier 1", orjson.dumps(body), qos=1)
            await until(lambda: run.part("piers").read == 4)
        stream = await found(node, f"urn:ngsi-ld:DeviceMeasurement:{topic}:pier-1-tilt")
        assert find_value(stream, "numValue") == 2
        number = platform_terms().expand("numValue")
        live = [
            one
            for one in await node.store.history(stream.id, [number])
            if one.superseded_us is None
        ]
        assert [one.instance["value"] for one in live if one.instance] == [0, 1, 2]


@pytest.mark.mqtt
async def test_sensorthings_is_spoken_over_mqtt_in_both_directions(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with open_host(tmp_path, node_id=f"n{uuid4().hex}") as host:
        node = await host.node()
        options = {"monitoring": {"broker": mosquitto.url}}
        stream = f"urn:ngsi-ld:DeviceMeasurement:{node.id}:x"
        async with (
            running(node, tmp_path, SYSTEM, options=options) as run,
            aiomqtt.Client("127.0.0.1", mosquitto.port) as client,
        ):
            await until(lambda: run.part("sensorthings").state == "running")
            await until(lambda: run.part("publish").state == "running")
            await client.subscribe(f"v1.1/Datastreams('{stream}')/Observations", qos=1)
            await client.subscribe("v1.1/Datastreams", qos=1)
            from conurb.model.operations.entity import CreateEntity
            from tests.systems.places import entity

            await node.store.apply(
                [CreateEntity(entity({"id": stream, "type": "DeviceMeasurement", "name": "x"}))]
            )
            sent = {"phenomenonTime": "2026-06-01T00:00:00Z", "result": 7.5}
            came: dict[str, Any] = {}
            async with asyncio.timeout(10):
                async for each in client.messages:
                    document = orjson.loads(each.payload)
                    if str(each.topic) == "v1.1/Datastreams":
                        if document["@iot.id"] == stream:
                            came["stream"] = document
                            await client.publish(
                                f"v1.1/Datastreams('{stream}')/Observations", orjson.dumps(sent)
                            )
                    elif "@iot.id" in document:
                        came["observation"] = document
                        break
            await until(lambda: run.part("sensorthings").read >= 2)
        assert came["stream"]["name"] == "x"
        assert came["observation"]["result"] == 7.5
        assert came["observation"]["@iot.id"].startswith(stream)
        number = platform_terms().expand("numValue")
        assert len(await node.store.history(stream, [number])) == 1, "it took its own words in"


@pytest.mark.parametrize("recorded", [True, False])
async def test_the_bridge_of_a_replay_says_what_it_is(tmp_path: Path, recorded: bool) -> None:
    recordings = None
    if recorded:
        there(DATA / "shm" / "Yonghe_Modal_FDD.csv")
        recordings = DATA
    mark = platform_terms().expand("replayed" if recorded else "simulated")
    device = "yonghe-bridge-replay" if recorded else "simulated-bridge"
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(node, tmp_path, SYSTEM, replay=True, recordings=recordings) as run:
            await until(lambda: run.part("bridge").stored >= 12)
        stream = await found(node, f"urn:ngsi-ld:DeviceMeasurement:node:{device}-mode-1-frequency")
        assert all(one[mark][0]["value"] is True for _, one in stream.iter_instances())
        rules = [
            record.entity_id
            for record in await node.store.journal(after=0)
            if record.entity_id.startswith("urn:ngsi-ld:DetectionRule:node:")
        ]
        assert len(rules) == 1 + recorded, "of the bridge, and of the station that is recorded"


async def test_options_that_are_not_known_are_refused_at_start(tmp_path: Path) -> None:
    async with open_host(tmp_path) as host:
        node = await host.node()
        for options, said in (
            ({"brokers": 1}, "there is no 'brokers'; options: broker"),
            ({"json": [{"name": "x", "colour": 1}]}, "'colour' isn't known"),
            ({"json": [{"name": "x"}]}, "either folder, or url and topics"),
            ({"nmea": [{"name": "x"}]}, "name and device are needed"),
        ):
            with pytest.raises(ConfigError, match=said):
                async with running(node, tmp_path, SYSTEM, options={"monitoring": options}):
                    pass

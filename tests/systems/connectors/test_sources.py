"""Connectors: a source that goes away, comes back, sends garbage or the same again."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from random import Random
from threading import Thread

import orjson
import pytest

from conurb.errors import BadRequestDataError, UnavailableError
from conurb.model.changes import Operation
from conurb.model.operations.entity import UpsertEntity
from conurb.model.vocabulary import platform_terms
from conurb.systems.connect.poll import digest
from conurb.systems.contract import (
    Connector,
    FileWatch,
    HttpPoll,
    Message,
    Recorded,
    Recording,
    Simulation,
    Site,
    Source,
    Stream,
    System,
)
from conurb.systems.dead_letters import DeadLetters
from tests.systems.places import entity, open_host, running, system, until


async def read(message: Message, site: Site) -> Sequence[Operation]:
    body = orjson.loads(message.body)
    document = {"id": f"urn:ngsi-ld:Device:t:{body['n']}", "type": "Device", "value": body["n"]}
    return [UpsertEntity(entity(document))]


def reading(source: Source, **about: int) -> System:
    connector = Connector("source", source, read, **about)
    return system(connectors=lambda site: (connector,))


def line(number: int) -> bytes:
    return orjson.dumps({"n": number})


class _Server(ThreadingHTTPServer):
    body = line(1)
    tag = '"1"'
    status = 200
    asked: list[str | None]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        server = self.server
        known = self.headers.get("If-None-Match")
        server.asked.append(known)
        if server.status != 200:
            self.send_response(server.status)
            self.end_headers()
        elif known == server.tag:
            self.send_response(304)
            self.end_headers()
        else:
            self.send_response(200)
            self.send_header("ETag", server.tag)
            self.send_header("Content-Length", str(len(server.body)))
            self.end_headers()
            self.wfile.write(server.body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def http_source() -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.asked = []
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_url_is_asked_conditionally_and_the_same_body_is_read_once(tmp_path: Path) -> None:
    with http_source() as server:
        source = HttpPoll(f"http://127.0.0.1:{server.server_port}/feed", every_s=0.02)
        async with open_host(tmp_path) as host:
            node = await host.node()
            async with running(node, tmp_path, reading(source)) as run:
                await until(lambda: len(server.asked) >= 3)
                assert run.part("source").stored == 1
                assert server.asked[1:3] == ['"1"', '"1"']
                server.body, server.tag = line(2), '"2"'
                await until(lambda: run.part("source").stored == 2)
            server.tag = '"3"'
            before = len(server.asked)
            async with running(node, tmp_path, reading(source)) as run:
                await until(lambda: len(server.asked) >= before + 2)
                assert server.asked[before] is None
                assert run.part("source").stored == 0, "a restart read the same body again"


async def test_a_url_that_fails_is_degraded_and_comes_back(tmp_path: Path) -> None:
    with http_source() as server:
        server.status = 500
        source = HttpPoll(f"http://127.0.0.1:{server.server_port}/feed", every_s=0.02)
        async with (
            open_host(tmp_path) as host,
            running(await host.node(), tmp_path, reading(source)) as run,
        ):
            await until(lambda: run.part("source").state == "waiting")
            health = await run.runner.health(run.runner.running[0])
            assert (health.status, "answers 500" in health.detail) == ("degraded", True)
            server.status = 200
            await until(lambda: run.part("source").stored == 1)
            health = await run.runner.health(run.runner.running[0])
            assert health.status == "ok"


async def test_a_url_off_the_allow_list_is_never_asked(tmp_path: Path) -> None:
    with http_source() as server:
        source = HttpPoll(f"http://127.0.0.1:{server.server_port}/feed", every_s=0.02)
        async with (
            open_host(tmp_path, outbound=("feeds.example.org",)) as host,
            running(await host.node(), tmp_path, reading(source)) as run,
        ):
            await until(lambda: run.part("source").state == "waiting")
            assert "allow-list" in (run.part("source").error or "")
        assert server.asked == []


async def test_garbage_is_set_aside_and_what_follows_is_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    lines = [line(1), b"{not json", b"\xff\xfe", line(2)]
    (tmp_path / "in" / "a.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    source = FileWatch(tmp_path / "in", "*.jsonl", lines=True, every_s=0.01)
    async with (
        open_host(tmp_path) as host,
        running(await host.node(), tmp_path, reading(source)) as run,
    ):
        await until(lambda: run.part("source").read == 4)
        assert (run.part("source").stored, run.part("source").dead) == (2, 2)
        letters = run.site.folder / "dead" / "connector-source.jsonl"
        [first, second] = map(orjson.loads, letters.read_bytes().splitlines())
        assert first["body"] == "{not json"
        assert base64.b64decode(second["bodyBase64"]) == b"\xff\xfe"


async def test_what_can_not_be_taken_is_set_aside_and_stops_nothing(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "1.json").write_bytes(line(1) + b" " * 200)
    (inbox / "2.json").write_bytes(b"5")
    (inbox / "3.json").write_bytes(line(3))

    async def broken(message: Message, site: Site) -> Sequence[Operation]:
        if message.body == b"5":
            raise RuntimeError("a fault of the reader's own")
        return await read(message, site)

    files = FileWatch(inbox, every_s=0.02, bytes_max=100)
    connector = Connector("source", files, broken)
    async with open_host(tmp_path) as host:
        node = await host.node()
        watching = system(connectors=lambda site: (connector,))
        async with running(node, tmp_path, watching) as run:
            await until(lambda: run.part("source").read == 3)
            assert (run.part("source").stored, run.part("source").dead) == (1, 2)
            dead = run.site.folder / "dead" / "connector-source.jsonl"
            letters = [orjson.loads(one) for one in dead.read_bytes().splitlines()]
    assert [one["topic"] for one in letters] == ["1.json", "2.json"]
    assert "at most 100 are taken" in letters[0]["why"]


async def test_a_line_without_an_end_is_set_aside_once_it_is_over_the_bound(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "a.jsonl").write_bytes(b"x" * 2_000_000)
    source = FileWatch(inbox, lines=True, every_s=0.02, bytes_max=1000)
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(node, tmp_path, reading(source)) as run:
            await until(lambda: run.part("source").dead > 0)
            with (inbox / "a.jsonl").open("ab") as file:
                file.write(b"\n" + line(2) + b"\n")
            await until(lambda: run.part("source").stored == 1)


async def test_lines_are_read_once_whole_also_across_a_restart(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = tmp_path / "in" / "a.jsonl"
    file.write_bytes(line(1) + b"\r\n\n" + line(2)[:4])
    source = FileWatch(tmp_path / "in", lines=True, every_s=0.01)
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(node, tmp_path, reading(source)) as run:
            await until(lambda: run.part("source").stored == 1)
        with file.open("ab") as out:
            out.write(line(2)[4:] + b"\n")
        async with running(node, tmp_path, reading(source)) as run:
            await until(lambda: run.part("source").stored == 1)
            file.write_bytes(line(3) + b"\n")
            await until(lambda: run.part("source").stored == 2)
        assert await node.store.journal_end() == 3


async def test_a_file_that_is_replaced_is_read_again_and_another_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in (1, 2):
        (tmp_path / "in" / f"{number}.json").write_bytes(line(number))
    source = FileWatch(tmp_path / "in", "*.json", every_s=0.01)
    async with (
        open_host(tmp_path) as host,
        running(await host.node(), tmp_path, reading(source)) as run,
    ):
        await until(lambda: run.part("source").stored == 2)
        (tmp_path / "in" / "1.json").write_bytes(line(5))
        await until(lambda: run.part("source").stored == 3)
        await asyncio.sleep(0.05)
        assert run.part("source").stored == 3


def recording() -> Iterator[Recorded]:
    for number in range(4):
        yield Recorded(1_000_000 * (100 + number), line(number), topic="wire")


SHOWN = platform_terms().expand("replayed")


async def test_a_recording_comes_as_if_now_at_its_speed_and_says_so(tmp_path: Path) -> None:
    came: list[Message] = []

    async def keep(message: Message, site: Site) -> Sequence[Operation]:
        came.append(message)
        return await read(message, site)

    connector = Connector("tape", Recording(recording, speed=20, repeat=False), keep)
    playing = system(replays=lambda site: (connector,))
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(node, tmp_path, playing) as run:
            assert run.runner.running[0].standings == [], "nobody asked for a replay"
        async with running(node, tmp_path, playing, replay=True) as run:
            await until(lambda: run.part("tape").state == "ended")
        found = await node.store.find("urn:ngsi-ld:Device:t:3")
    gaps = [later.at_us - earlier.at_us for earlier, later in pairwise(came)]
    assert gaps == [50_000] * 3
    assert [message.recorded_us for message in came] == [1_000_000 * n for n in range(100, 104)]
    assert found is not None
    marks = [instance[SHOWN][0]["value"] for _, instance in found.iter_instances()]
    assert marks == [True]


async def test_a_recording_resumes_at_the_entry_that_was_not_stored_yet(tmp_path: Path) -> None:
    source = Recording(recording, speed=1000)
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(node, tmp_path, reading(source, batch_max=1)) as run:
            await until(lambda: run.part("source").read >= 2)
        first = await node.store.journal_end()
        async with running(node, tmp_path, reading(source, batch_max=1)) as run:
            await until(lambda: run.part("source").read >= 2)
        records = await node.store.journal(after=0)
    order = [int(record.entity_id.rsplit(":", 1)[1]) for record in records]
    assert order == [number % 4 for number in range(len(order))]
    assert len(order) > first


async def test_a_simulation_is_the_same_whenever_it_is_made_and_says_so(tmp_path: Path) -> None:
    def step(tick: int, at_us: int, random: Random) -> Sequence[bytes]:
        return [orjson.dumps({"n": random.randrange(10**9)})]

    ticks: list[int] = []

    async def keep(message: Message, site: Site) -> Sequence[Operation]:
        ticks.append(message.position)
        return await read(message, site)

    connector = Connector("dice", Simulation(step, every_s=0.02), keep)
    async with open_host(tmp_path) as host:
        node = await host.node()
        async with running(
            node, tmp_path, system(replays=lambda site: (connector,)), replay=True
        ) as run:
            await until(lambda: run.part("dice").stored >= 2)
        journal = await node.store.journal(after=0)
        simulated = platform_terms().expand("simulated")
        for record, tick in zip(journal, ticks, strict=False):
            expected = Random(f"{node.id}/dice/{tick}").randrange(10**9)
            assert record.entity_id == f"urn:ngsi-ld:Device:t:{expected}"
            assert record.after is not None
            assert all(one[simulated][0]["value"] for _, one in record.after.iter_instances())


async def test_a_stream_that_ends_in_an_error_is_opened_again_where_it_was(tmp_path: Path) -> None:
    opened: list[int] = []

    async def stream(site: Site, position: int) -> AsyncIterator[Message]:
        opened.append(position)
        for number in range(position, position + 2):
            yield Message(line(number), position=number + 1)
        if len(opened) < 3:
            raise UnavailableError("cut off")

    async with (
        open_host(tmp_path) as host,
        running(await host.node(), tmp_path, reading(Stream(stream))) as run,
    ):
        await until(lambda: run.part("source").state == "ended")
        assert opened == [0, 2, 4]
        assert (run.part("source").stored, run.part("source").failures) == (6, 2)


async def test_a_store_that_refuses_one_operation_stores_the_others(tmp_path: Path) -> None:
    class Refused(UpsertEntity):
        def apply(self, *args: object, **more: object) -> None:  # type: ignore[override]
            raise BadRequestDataError("not this one")

    async def odd(message: Message, site: Site) -> Sequence[Operation]:
        [operation] = await read(message, site)
        assert isinstance(operation, UpsertEntity)
        return [operation if b"1" in message.body else Refused(operation.entity)]

    async def stream(site: Site, position: int) -> AsyncIterator[Message]:
        for number in (1, 2):
            yield Message(line(number))

    connector = Connector("odd", Stream(stream), odd)
    async with (
        open_host(tmp_path) as host,
        running(await host.node(), tmp_path, system(connectors=lambda site: (connector,))) as run,
    ):
        await until(lambda: run.part("odd").read == 2)
        assert (run.part("odd").stored, run.part("odd").dead) == (1, 1)


async def test_dead_letters_are_bounded(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "x.jsonl", bytes_max=400)
    for number in range(10):
        await letters.put(at="2026-01-01T00:00:00Z", why="w" * 80, body=b"%d" % number)
    kept = [(tmp_path / name).stat().st_size for name in os.listdir(tmp_path)]
    assert len(kept) == 2
    assert max(kept) <= 400
    assert orjson.loads((tmp_path / "x.jsonl").read_bytes().splitlines()[-1])["body"] == "9"


@pytest.mark.parametrize(("one", "other"), [(b"", b"a"), (b"a", b"b")])
def test_bodies_that_differ_have_other_digests(one: bytes, other: bytes) -> None:
    assert digest(one) != digest(other)
    assert 0 < digest(one) < 2**62

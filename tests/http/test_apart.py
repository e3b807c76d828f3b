"""A batch read in the other process is what it would be read here, whatever becomes of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from conurb.errors import ConurbError, InvalidRequestError, TooLargeError
from conurb.http.apart import APART_BYTES_MIN, ApartReader
from conurb.http.reading import Limits, read_batch
from conurb.model.context import compile_context, core_terms
from conurb.model.text import text_of

LIMITS = Limits(depth_max=64, batch_max=2_000)
NAMES = {"level": "https://example.org/level", "Gauge": "https://example.org/Gauge"}
ENDING_S = 10


def gauge(number: int) -> dict[str, Any]:
    return {
        "id": f"urn:ngsi-ld:Gauge:wuxi:{number}",
        "type": "Gauge",
        "scope": "/yrd/wuxi",
        "expiresAt": "2030-01-01T00:00:00Z",
        "level": {"type": "Property", "value": number / 8, "unitCode": "MTR", "of": number},
        "name": {"type": "LanguageProperty", "languageMap": {"zh": "水位计", "en": "gauge"}},
        "location": {"type": "Point", "coordinates": [120.3, 31.5]},
    }


def big(*more: Any) -> bytes:
    documents = [*more, *(gauge(n) for n in range(500))]
    body = orjson.dumps(documents)
    assert len(body) >= APART_BYTES_MIN
    return body


@pytest.fixture
async def reader() -> AsyncIterator[ApartReader]:
    one = ApartReader()
    await one.start()
    yield one
    one.close()


def children() -> set[int]:
    found = subprocess.run(
        ["pgrep", "-P", str(os.getpid()), "-f", "conurb.http.apart"],
        capture_output=True,
        text=True,
        check=False,
    )
    return {int(pid) for pid in found.stdout.split()}


async def test_it_reads_what_would_be_read_here(reader: ApartReader) -> None:
    terms = compile_context(NAMES, lambda url: pytest.fail(f"{url} was fetched"))
    for chosen in (core_terms(), terms, core_terms(), terms):
        there = await reader.read(big(), chosen, LIMITS)
        assert there == read_batch(big(), chosen, LIMITS)
        assert len(there.entities) == 500
    assert len(children()) == 1


async def test_an_entity_that_cannot_be_read_fails_alone_and_by_name(reader: ApartReader) -> None:
    body = big({**gauge(-1), "type": 5}, "no entity", {**gauge(-2), "@context": NAMES})
    there, here = (
        await reader.read(body, core_terms(), LIMITS),
        read_batch(body, core_terms(), LIMITS),
    )
    assert there.entities == here.entities
    told = [(one, type(error), error.detail) for one, error in there.failures]
    assert told == [(one, type(error), error.detail) for one, error in here.failures]
    assert [one for one, _, _ in told] == [
        "urn:ngsi-ld:Gauge:wuxi:-1",
        "urn:ngsi-ld:batch:1",
        "urn:ngsi-ld:Gauge:wuxi:-2",
    ]


@pytest.mark.parametrize(
    ("body", "limits", "kind"),
    [
        (big()[:-1], LIMITS, InvalidRequestError),
        (big(), Limits(64, 499), TooLargeError),
        (big(), Limits(3, 2_000), InvalidRequestError),
    ],
)
async def test_a_body_that_is_no_batch_is_refused(
    reader: ApartReader, body: bytes, limits: Limits, kind: type[ConurbError]
) -> None:
    with pytest.raises(kind) as there:
        await reader.read(body, core_terms(), limits)
    with pytest.raises(kind) as here:
        read_batch(body, core_terms(), limits)
    assert there.value.detail == here.value.detail


async def test_a_killed_process_costs_nothing_but_time(
    reader: ApartReader, caplog: pytest.LogCaptureFixture
) -> None:
    expected = await reader.read(big(), core_terms(), LIMITS)
    (first,) = children()
    os.kill(first, signal.SIGKILL)
    assert await reader.read(big(), core_terms(), LIMITS) == expected
    assert "is gone" in caplog.text
    await reader.start()
    assert await reader.read(big(), core_terms(), LIMITS) == expected
    assert children() - {first}


async def test_until_it_is_there_batches_are_read_here() -> None:
    reader = ApartReader()
    expected = read_batch(big(), core_terms(), LIMITS)
    assert await reader.read(big(), core_terms(), LIMITS) == expected
    await reader.start()
    there = await reader.read(big(), core_terms(), LIMITS)
    assert there == expected
    assert text_of(there.entities[0]) is not None
    reader.close()


async def test_where_no_process_can_be_had_batches_are_read_here(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    reader = ApartReader()
    await reader.start()
    assert "there is no process" in caplog.text
    for _ in range(2):
        there = await reader.read(big(), core_terms(), LIMITS)
        assert there == read_batch(big(), core_terms(), LIMITS)
    reader.close()


async def test_small_batches_start_no_process() -> None:
    before, reader = children(), ApartReader()
    assert await reader.read(orjson.dumps([gauge(1)]), core_terms(), LIMITS)
    assert children() == before
    reader.close()


def test_the_process_ends_with_the_one_that_started_it() -> None:
    code = (
        "import asyncio, sys\n"
        "from conurb.http.apart import ApartReader\n"
        "from conurb.http.reading import Limits\n"
        "from conurb.model.context import core_terms\n"
        "reader = ApartReader()\n"
        "body = b'[' + b' ' * 200_000 + b'1]'\n"
        "async def main():\n"
        "    await reader.start()\n"
        "    await reader.read(body, core_terms(), Limits(9, 9))\n"
        "asyncio.run(main())\n"
        "print(reader._child._process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + ENDING_S
    while _is_there(child):
        assert time.monotonic() < deadline, "the process outlives the one that started it"
        time.sleep(0.05)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as said:
        return said.read().rpartition(")")[2].split()[0] != "Z"

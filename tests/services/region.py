"""A region brought up for tests by the command that people use: `conurb up yrd`."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.services.postgres import free_port

START_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class RunningRegion:
    """Where the region answers, where its data is, and which process serves it."""

    url: str
    data: Path
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def region_up(data: Path, *options: str) -> Iterator[RunningRegion]:
    """Bring the region up on a free port, with more options of the command; take it down again."""
    port = free_port()
    log = data.parent / f"region-{port}.log"
    command = [str(Path(sys.executable).with_name("conurb")), "up", "yrd"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--data", str(data), *options],
            stdout=file,
            stderr=file,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + START_TIMEOUT_S
        while not _answers(url):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the region didn't come up:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)
        yield RunningRegion(url, data, process)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="session")
def running_region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegion]:
    """Bring the Delta up once for all tests that ask it."""
    with region_up(tmp_path_factory.mktemp("region") / "yrd") as region:
        yield region

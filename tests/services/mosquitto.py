"""A mosquitto of the tests' own on a free loopback port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.missing import missing
from tests.services.postgres import free_port

START_TIMEOUT_S = 30.0
ATTEMPTS = 5
"""Tries on ports of their own: another test may take one that was free a moment ago."""


@dataclass(frozen=True, slots=True)
class Mosquitto:
    """Where the broker listens; it takes anybody, MQTT 3.1.1 and 5.0."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Give the broker's URL, without a topic."""
        return f"mqtt://{self.host}:{self.port}"


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """Start a broker that all tests of the session share: use topics of your own."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    if not Path(program).exists():
        missing("mosquitto")
    folder = tmp_path_factory.mktemp("mosquitto")
    for _ in range(ATTEMPTS):
        port = free_port()
        process = _start(program, folder, port)
        if _is_up(process, port):
            break
        _stop(process)
    else:
        raise RuntimeError(f"mosquitto did not start: {(folder / 'log').read_text()}")
    try:
        yield Mosquitto("127.0.0.1", port)
    finally:
        _stop(process)


def _start(program: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    settings = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false"]
    if os.geteuid() == 0:
        settings.append("user root")  # else it becomes a user that can't read the folder
    config = folder / "mosquitto.conf"
    config.write_text("\n".join(settings) + "\n")
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)


def _is_up(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until this process, and not another one on its port, takes connections."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        if process.poll() is not None:
            return False
        if taken:
            return True
        time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.wait(START_TIMEOUT_S)

"""The processes of a region for `bench_federation`: who holds which cities, and who asks whom.

The first process is the region, twice: its default tenant has registered every city by itself, its
tenant `nested` the cities of its own process and the other processes as regions of theirs.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from region_sample import CityPlan

from conurb.app import build_host
from conurb.config import Settings
from conurb.federation.region import registrations_of
from conurb.model.registration import FEDERATION_OPS, THIS_PROCESS, Registration
from conurb.node.host import Host, place_of
from conurb.node.shelf import SUFFIX, written

PROCESSES = 4
NESTED = "nested"
"""The tenant of the region that asks regions."""
START_S = 60.0


def host_of(data: Path, name: str, *, outbound: bool = False) -> Host:
    """Make a host whose store stands in the folder."""
    settings = Settings(
        store=str(data / f"{name}.db"),
        data_folder=data / name,
        node_id=name,
        outbound=("loopback",) if outbound else None,
    )
    return build_host(settings)


def registration_of(name: str, endpoint: str, *, tenant: str | None = None) -> Registration:
    """Give the registration of a node."""
    return Registration(
        id=f"urn:ngsi-ld:ContextSourceRegistration:{name}",
        endpoint=endpoint,
        alias=name,
        tenant=tenant,
        operations=FEDERATION_OPS | {"retrieveTemporal", "queryTemporal"},
    )


async def share_out(data: Path, cities: int, ports: list[int]) -> None:
    """Give each process its cities, as copies of the files, and say who asks whom."""
    tenants = data / "region.db.tenants"
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    for process in range(PROCESSES):
        mine = [CityPlan(n, 0).name for n in range(process, cities, PROCESSES)]
        host = host_of(data, f"part{process}", outbound=True)
        await host.open()
        for name in mine:
            await host.node(name, create=True)
        region = registrations_of(await host.node(None if process else NESTED, create=True))
        for name in mine:
            await region.put(registration_of(name, THIS_PROCESS, tenant=name))
        if process == 0:
            for other in range(1, PROCESSES):
                await region.put(registration_of(f"part{other}", urls[other]))
            flat = registrations_of(await host.node())
            for number in range(cities):
                name, at = CityPlan(number, 0).name, number % PROCESSES
                endpoint = urls[at] if at else THIS_PROCESS
                await flat.put(registration_of(name, endpoint, tenant=name))
        await host.close()
        for name in mine:
            file = written(place_of(name) or "") + SUFFIX
            shutil.copyfile(tenants / file, data / f"part{process}.db.tenants" / file)


def clear(data: Path) -> None:
    """Take away what an earlier run shared out."""
    for old in data.glob("part*"):
        if old.is_dir():
            shutil.rmtree(old)
        else:
            old.unlink()


def free_port() -> int:
    """Give a port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def served(data: Path, name: str, port: int) -> Iterator[str]:
    """Serve a store of the folder in a process of its own."""
    command = [
        *(sys.executable, "-c", "from conurb.cli.main import main; main()", "node", "serve"),
        *("--store", str(data / f"{name}.db"), "--port", str(port)),
    ]
    environment = {
        **os.environ,
        "CONURB_NODE_ID": name,
        "CONURB_OUTBOUND": "loopback",
        "CONURB_DATA_FOLDER": str(data / name),
    }
    process = subprocess.Popen(
        command, env=environment, cwd=data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    try:
        began = time.monotonic()
        while not _answers(url):
            if process.poll() is not None or time.monotonic() - began > START_S:
                raise SystemExit(f"{name} doesn't answer")
            time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False

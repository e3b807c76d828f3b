"""Bring the Delta up: first and second start, memory, and what a region costs over one node.

Prints each figure with its bound or its ratio; the peer is one city's node asked the same, in the
same process, over the same HTTP. Run: python bench/bench_up.py
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

RESIDENT_MB_MAX = 600
SECOND_START_S_MAX = 10
START_TIMEOUT_S = 120
ROUNDS = 60
CONTEXT = (
    "<https://w3id.org/conurb/contexts/conurb-v1.jsonld>; "
    'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
)
QUERY = {"type": "City", "q": "population>5000000", "pick": "name,population", "limit": "100"}


class Running:
    """The command, and how long it took until it answered."""

    def __init__(self, data: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        conurb = str(Path(sys.executable).with_name("conurb"))
        command = [conurb, "up", "yrd", "--port", str(port), "--data", str(data)]
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - began > START_TIMEOUT_S:
                raise SystemExit("the region didn't come up")
            time.sleep(0.02)
        self.start_s = time.monotonic() - began

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health", timeout=5).is_success
        except httpx.HTTPError:
            return False

    def resident_mb(self) -> float:
        """Read how much memory the process holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [one for one in status.splitlines() if one.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        """Stop the process and wait for it."""
        self.process.terminate()
        self.process.wait(timeout=30)


def free_port() -> int:
    """Give a port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def median_ms(client: httpx.Client, tenant: str | None) -> float:
    """Measure the query's median time."""
    headers = {"Link": CONTEXT, **({"NGSILD-Tenant": tenant} if tenant else {})}
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        client.get("/ngsi-ld/v1/entities", params=QUERY, headers=headers).raise_for_status()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        first = Running(Path(folder) / "yrd")
        first.stop()
        second = Running(Path(folder) / "yrd")
        try:
            with httpx.Client(base_url=second.url, timeout=30) as client:
                one = median_ms(client, "shanghai")
                region = median_ms(client, None)
            resident = second.resident_mb()
        finally:
            second.stop()
    start = second.start_s / SECOND_START_S_MAX
    memory = resident / RESIDENT_MB_MAX
    print(f"first start            {first.start_s:8.2f} s")
    print(
        f"second start           {second.start_s:8.2f} s    ratio to its bound, 10 s: {start:.2f}"
    )
    print(f"resident, 42 nodes     {resident:8.0f} MB   ratio to its bound, 600 MB: {memory:.2f}")
    print(f"query, one city        {one:8.2f} ms")
    print(f"query, region of 42    {region:8.2f} ms   ratio to one city: {region / one:.1f}")


if __name__ == "__main__":
    main()

"""One Map in Chromium: how soon it is there, how it pans over 100,000 points, whether it leaks.

Prints each figure with its bound, and the ratio to the bare map: the same page without any layer,
in the same run. Needs Node.js, Chromium and the built page (`make setup`, `make services`).
Run: python bench/bench_page.py [--only first|pan|live] [--minutes 10]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_up import Running

WEB = Path(__file__).resolve().parents[1] / "web"
VISITS = 5
POINTS = 100_000
MOVING = 1_000
TENANT = "shanghai"
PAINTED_MS_MAX = 2_000
ANSWERED_MS_MAX = 3_000
SCRIPTS_BYTES_MAX = 600_000
FRAME_MEDIAN_MS_MAX = 100
FRAME_P95_MS_MAX = 250
DRAWN_PERCENT_MIN = 10
GROWTH_MB_MAX = 20
TIMEOUT_S = 1_200
BEGUN_S_MAX = 60
VEHICLE = "https://smartdatamodels.org/dataModel.Transportation/Vehicle"
JSON_LD = {"Content-Type": "application/json", "NGSILD-Tenant": TENANT}


def measured(what: str, url: str, *more: str) -> dict[str, Any]:
    """Measure in a fresh Chromium."""
    command = ["node", "tests/bench/page.mjs", what, url, *more]
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or "chromium"
    done = subprocess.run(
        command,
        cwd=WEB,
        env={**os.environ, "CHROMIUM": chromium},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def load_points(url: str, folder: Path) -> None:
    """Put points into a city's node, by the command that people use."""
    chance = random.Random(7)
    path = folder / "points.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "lon", "lat", "level"])
        for number in range(POINTS):
            lon, lat = chance.uniform(115.0, 122.5), chance.uniform(27.5, 35.0)
            writer.writerow([number, f"{lon:.5f}", f"{lat:.5f}", chance.randrange(100)])
    conurb = str(Path(sys.executable).with_name("conurb"))
    flags = ["--type", "WeatherObserved", "--id", "urn:ngsi-ld:WeatherObserved:bench:{number}"]
    flags += ["--longitude", "lon", "--latitude", "lat", "--map", "level=level"]
    subprocess.run(
        [conurb, "load", str(path), "--tenant", TENANT, "--url", url, *flags],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def move(url: str, begun: threading.Event, stop: threading.Event) -> None:
    """Move objects about, each once a second, until told to stop; say when they are there."""
    chance = random.Random(11)
    places = [(chance.uniform(120, 122), chance.uniform(30, 32)) for _ in range(MOVING)]
    with httpx.Client(base_url=url, timeout=60) as client:
        while True:
            places = [(x + chance.gauss(0, 0.002), y + chance.gauss(0, 0.002)) for x, y in places]
            batch = [
                {
                    "id": f"urn:ngsi-ld:Vehicle:bench:{number}",
                    "type": VEHICLE,
                    "location": {
                        "type": "GeoProperty",
                        "value": {"type": "Point", "coordinates": place},
                    },
                }
                for number, place in enumerate(places)
            ]
            client.post(
                "/ngsi-ld/v1/entityOperations/upsert", json=batch, headers=JSON_LD
            ).raise_for_status()
            begun.set()
            if stop.wait(1.0):
                return


def percentile(values: list[float], share: float) -> float:
    """Give the value that a share of the others lies below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def told(name: str, value: float, bound: float, unit: str, ratio: float | None = None) -> bool:
    """Print a figure with its bound; whether it is kept."""
    kept = value <= bound
    against = "" if ratio is None else f"; {ratio:.2f} times the bare map"
    word = "" if kept else "  MISSED"
    print(f"  {name:34} {value:9,.0f} {unit:3} (at most {bound:,.0f}{against}){word}")
    return kept


def main() -> None:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="how long objects move")
    parser.add_argument(
        "--only", choices=("first", "pan", "live"), help="measure this part and no other"
    )
    given = parser.parse_args()
    kept: list[bool] = []
    with tempfile.TemporaryDirectory() as folder:
        region = Running(Path(folder) / "yrd")
        try:
            if given.only in (None, "first"):
                kept += _first(region.url)
            if given.only in (None, "pan"):
                kept += _pan(region.url, Path(folder))
            if given.only in (None, "live"):
                kept += _live(region.url, given.minutes)
        finally:
            region.stop()
    sys.exit(0 if all(kept) else 1)


def _first(url: str) -> list[bool]:
    print(f"the first visit, median of {VISITS}")
    visits = [measured("first", url) for _ in range(VISITS)]
    bare = statistics.median(measured("first", f"{url}/?layers=")["drawn_ms"] for _ in range(3))
    middle = {key: statistics.median(one[key] for one in visits) for key in visits[0]}
    drawn, name = middle["drawn_ms"], "drawn, coloured and named"
    print(f"  {name:34} {drawn:9,.0f} ms  ({drawn / bare:.2f} times the bare map)")
    return [
        told("first paint", middle["painted_ms"], PAINTED_MS_MAX, "ms"),
        told("answers a key", middle["answered_ms"], ANSWERED_MS_MAX, "ms"),
        told("scripts loaded, compressed", middle["scripts_bytes"], SCRIPTS_BYTES_MAX, "B"),
    ]


def _pan(url: str, folder: Path) -> list[bool]:
    load_points(url, folder)
    print(f"panning over {POINTS:,} points and 41 areas")
    full = measured("pan", f"{url}/?layers=weather-observed,cities&view=119,31,7")
    frames, drawn = full["frames_ms"], 100 * full["changed_share"]
    bare = measured("pan", f"{url}/?layers=&view=119,31,7")["frames_ms"]
    print(f"  {'frames drawn, by the bare map':34} {len(frames):9,}     ({len(bare):,})")
    share_kept = drawn >= DRAWN_PERCENT_MIN
    bound = f"(at least {DRAWN_PERCENT_MIN}){'' if share_kept else '  MISSED'}"
    print(f"  {'of the map in their colours':34} {drawn:9,.0f} %   {bound}")
    kept = [share_kept]
    pairs = ((0.5, "median frame", FRAME_MEDIAN_MS_MAX), (0.95, "p95 frame", FRAME_P95_MS_MAX))
    for share, name, most_ms in pairs:
        value = percentile(frames, share)
        kept.append(told(name, value, most_ms, "ms", value / percentile(bare, share)))
    return kept


def _live(url: str, minutes: float) -> list[bool]:
    print(f"{MOVING:,} objects that move once a second, for {minutes:g} minutes")
    begun, stop = threading.Event(), threading.Event()
    mover = threading.Thread(target=move, args=(url, begun, stop))
    mover.start()
    try:
        if not begun.wait(BEGUN_S_MAX):
            raise SystemExit("the objects could not be written")
        used = measured("live", f"{url}/?layers=vehicle&view=121,31,8", str(minutes * 60))
    finally:
        stop.set()
        mover.join()
    samples = [one / 1e6 for one in used["samples_bytes"]]
    print("  in use after collecting garbage   ", " ".join(f"{one:.1f}" for one in samples), "MB")
    if not used["moved"]:
        print("  nothing was seen to move  MISSED")
    return [used["moved"], told("growth of memory", samples[-1] - samples[0], GROWTH_MB_MAX, "MB")]


if __name__ == "__main__":
    main()

"""Real series that the tests of detection are held to; a test skips with a reason where they
aren't."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from conurb.systems.monitoring.samples import Floats, Ints, Samples

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
HOUR_US = 3_600_000_000
SOUND_H = 96
"""Hours of the Yonghe bridge that are fitted on, all thresholds included."""
DAMAGED_FROM_H = 192


def there(path: Path) -> Path:
    """Give a file of the shared data; skip the test when it isn't there."""
    if not path.exists():
        pytest.skip(f"{path} isn't there: the shared data folder stands beside the repository")
    return path


def yonghe() -> Samples:
    """Give four modal frequencies of the Yonghe bridge, hourly for nine days of 2008."""
    file = there(DATA / "shm" / "Yonghe_Modal_FDD.csv")
    values = np.loadtxt(file, delimiter=",").T
    begin = int(datetime(2008, 1, 1, tzinfo=UTC).timestamp() * 1_000_000)
    times = begin + np.arange(len(values), dtype=np.int64) * HOUR_US
    return Samples(times, values, tuple(f"mode {n}" for n in range(1, 5)))


def gnss(station: str, component: str) -> tuple[Ints, Floats, list[str]]:
    """Give a station's daily coordinate in millimetres, with its days."""
    with there(DATA / "gnss" / f"{station}neu9818.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    days = [row["time"] for row in rows]
    times = [datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in days]
    values = [float(row[component]) if row[component] else np.nan for row in rows]
    return np.array(times, dtype=np.int64) * 1_000_000, np.array(values), days

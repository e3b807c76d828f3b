"""The scoring of the Numenta Anomaly Benchmark (Lavin and Ahmad 2015, arXiv:1510.03336).

A detector gives each row of a series a score from 0 to 1. A detection within a labelled window is
worth the more the earlier it comes, one outside costs, a window without any costs. One threshold
for all series is chosen that is best for the profile, as the benchmark does for every detector in
its table. 0 is a detector that never speaks, 100 one that speaks at the begin of each window only.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

FOLDER: Final = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "standards" / "nab"
PROBATION: Final = 0.15
PROBATION_ROWS_MAX: Final = 5000
"""The first 15 % of a series (of 5,000 rows at most) aren't scored: a detector may learn there."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a detection, a false one and a missed window are worth."""

    name: str
    hit: float
    false: float
    missed: float


PROFILES: Final = (
    Profile("standard", 1.0, 0.11, 1.0),
    Profile("reward_low_FP_rate", 1.0, 0.22, 1.0),
    Profile("reward_low_FN_rate", 1.0, 0.11, 2.0),
)


@dataclass(frozen=True, slots=True)
class Series:
    """One series: its name, times (microseconds), values, and windows as (first, last) rows."""

    name: str
    times_us: NDArray[np.int64]
    values: NDArray[np.float64]
    windows: tuple[tuple[int, int], ...]

    @property
    def probation(self) -> int:
        """Give how many rows at the beginning aren't scored."""
        return int(PROBATION * min(len(self.values), PROBATION_ROWS_MAX))


def iter_series(folder: Path = FOLDER) -> Iterator[Series]:
    """Stream the 58 series with their windows."""
    labels = json.loads((folder / "labels" / "combined_windows.json").read_text())
    for name, windows in sorted(labels.items()):
        with (folder / "data" / name).open(newline="") as file:
            rows = list(csv.DictReader(file))
        times = np.array([_us(row["timestamp"]) for row in rows], dtype=np.int64)
        values = np.array([float(row["value"]) for row in rows])
        bounds = tuple(_rows(times, _us(begin), _us(end)) for begin, end in windows)
        yield Series(name, times, values, bounds)


def _rows(times: NDArray[np.int64], begin_us: int, end_us: int) -> tuple[int, int]:
    """Give the first and last row of a window; one series has an hour twice."""
    inside = np.flatnonzero((times >= begin_us) & (times <= end_us))
    return int(inside[0]), int(inside[-1])


def _us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def published(folder: Path = FOLDER) -> dict[str, dict[str, float]]:
    """Give the published table: detector to profile to score."""
    table: dict[str, dict[str, float]] = json.loads(
        (folder / "results" / "final_results.json").read_text()
    )
    return table


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the worth of a position relative to a window: -1 at its begin, 0 at its end."""
    return np.where(x > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(x, 3))) - 1)


def worth(series: Series, profile: Profile) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give what a detection at each row is worth, and the row's window (-1: none, -2: unscored)."""
    rows = np.arange(len(series.values))
    value = np.full(len(rows), -profile.false)
    window = np.full(len(rows), -1)
    best = float(sigmoid(np.array([-1.0]))[0])
    for number, (first, last) in enumerate(series.windows):
        width = last - first + 1
        inside = (rows >= first) & (rows <= last)
        value[inside] = profile.hit * sigmoid(-(last - rows[inside] + 1) / width) / best
        window[inside] = number
        following = series.windows[number + 1][0] if number + 1 < len(series.windows) else len(rows)
        past = (rows > last) & (rows < following)
        value[past] = profile.false * sigmoid((rows[past] - last) / max(width - 1, 1))
    window[: series.probation] = -2
    return value, window


def score(
    corpus: list[Series], scores: list[NDArray[np.float64]], profile: Profile
) -> tuple[float, float]:
    """Score a detector's scores of a corpus; give the normalized score and the threshold chosen."""
    values, windows, given = [], [], []
    base = 0
    for series, one in zip(corpus, scores, strict=True):
        value, window = worth(series, profile)
        values.append(value)
        windows.append(np.where(window >= 0, window + base, window))
        given.append(one)
        base += len(series.windows)
    value, window, level = map(np.concatenate, (values, windows, given))
    scored = window != -2
    value, window, level = value[scored], window[scored], level[scored]
    counted = sorted(set(window[window >= 0].tolist()))
    order = np.argsort(-level, kind="stable")
    held = dict.fromkeys(counted, -profile.missed)
    total = never = -profile.missed * len(counted)
    best, threshold = never, float("inf")
    previous = float("inf")
    for row in order:
        if level[row] != previous:
            if total > best:
                best, threshold = total, previous
            previous = float(level[row])
        number = int(window[row])
        if number < 0:
            total += value[row]
        elif value[row] > held[number]:
            total += value[row] - held[number]
            held[number] = float(value[row])
    if total > best:
        best, threshold = total, previous
    perfect = profile.hit * len(counted)
    return 100 * (best - never) / (perfect - never), threshold

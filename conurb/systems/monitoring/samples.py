"""Samples of one or several measurements over time, and what can be said of their quality.

Plain arrays, so that everything that judges them is a pure function. Needs numpy (extra
`monitoring`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from conurb.errors import BadRequestDataError
from conurb.model.time import US_PER_S

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Flag = Literal["good", "missing", "spike", "stuck", "range", "filled"]
STUCK_RUN: Final = 12
"""So many equal values in a row are a sensor that is stuck, unless the series is mostly such."""
SPIKE_SCALES: Final = 8.0
"""How many scales a value that differs from both neighbours is off to be a spike."""
MAD_SCALE: Final = 1.4826
"""Makes the median absolute deviation a standard deviation, for a normal distribution."""
POINTS_MAX: Final = 100_000
GAP_PERIODS: Final = 1.5
"""Two samples further apart than so many usual periods have a gap between them."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Values by time: `times_us` rising, of shape (n,); `values` of shape (n, k), NaN for none."""

    times_us: Ints
    values: Floats
    names: tuple[str, ...] = ("value",)

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.times_us) != len(self.values):
            raise BadRequestDataError(
                f"samples: {self.values.shape} values for {len(self.times_us)} times"
            )

    def __len__(self) -> int:
        return len(self.times_us)

    @property
    def first(self) -> Floats:
        """Give the first column."""
        column: Floats = self.values[:, 0]
        return column


def of_one(times_us: Ints, values: Floats, name: str = "value") -> Samples:
    """Make samples of one measurement."""
    return Samples(times_us, values.reshape(-1, 1), (name,))


def aligned(parts: list[Samples]) -> Samples:
    """Join measurements at the times that all of them have."""
    common = parts[0].times_us
    for part in parts[1:]:
        common = np.intersect1d(common, part.times_us)
    columns = [part.values[np.searchsorted(part.times_us, common)] for part in parts]
    names = tuple(name for part in parts for name in part.names)
    return Samples(common, np.hstack(columns), names)


def usual_period_us(times_us: Ints) -> int:
    """Give the median time between samples, in microseconds; one second for fewer than two."""
    if len(times_us) < 2:
        return US_PER_S
    return max(1, int(np.median(np.diff(times_us))))


def scale_of(values: Floats) -> float:
    """Give a standard deviation that outliers don't move; the plain one where that is zero."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return 0.0
    robust = MAD_SCALE * float(np.median(np.abs(finite - np.median(finite))))
    return robust if robust > 0 else float(np.std(finite))


def flags_of(values: Floats, *, low: float | None = None, high: float | None = None) -> list[Flag]:
    """Flag each value: missing, out of range, stuck, a spike, or good.

    A spike is off both neighbours, the same way, by `SPIKE_SCALES` scales of what the series does
    from one sample to the next.
    """
    flags: list[Flag] = ["good"] * len(values)
    step = scale_of(np.diff(values)) if len(values) > 2 else 0.0
    before = values[1:-1] - values[:-2]
    after = values[1:-1] - values[2:]
    if step > 0:
        with np.errstate(invalid="ignore"):
            off = (np.minimum(np.abs(before), np.abs(after)) > SPIKE_SCALES * step) & (
                np.sign(before) == np.sign(after)
            )
        for index in np.flatnonzero(off):
            flags[int(index) + 1] = "spike"
    for begin, end in _runs(values):
        if end - begin >= STUCK_RUN:
            flags[begin:end] = ["stuck"] * (end - begin)
    for place, value in enumerate(values):
        if not np.isfinite(value):
            flags[place] = "missing"
        elif (low is not None and value < low) or (high is not None and value > high):
            flags[place] = "range"
    return flags


def _runs(values: Floats) -> list[tuple[int, int]]:
    """Give (begin, end) of runs of equal values; none when half of the series stands still."""
    if len(values) < 2:
        return []
    same = values[1:] == values[:-1]
    if same.mean() > 0.5:
        return []
    edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0]))))
    return [(int(begin), int(end) + 1) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


@dataclass(frozen=True, slots=True)
class Resampled:
    """A series on a regular grid: value (NaN: none), how many samples it is of, and its flag."""

    times_us: Ints
    values: Floats
    counts: Ints
    flags: list[Flag]


Method = Literal["mean", "median", "min", "max", "sum", "last", "count"]
METHODS: Final = ("mean", "median", "min", "max", "sum", "last", "count")
FILLS: Final = ("none", "linear", "previous")


def resample(
    samples: Samples,
    *,
    step_us: int,
    method: str = "mean",
    fill: str = "none",
    gap_us_max: int | None = None,
) -> Resampled:
    """Resample the first column onto multiples of a step; fill gaps up to `gap_us_max` long.

    A cell is named by its begin. Without `gap_us_max`, gaps of up to five cells are filled. Raises
    BadRequestDataError for a method, a fill or a number of cells that isn't possible.
    """
    if method not in METHODS or fill not in FILLS:
        raise BadRequestDataError(
            f"method is one of {', '.join(METHODS)}, fill of {', '.join(FILLS)}"
        )
    if not len(samples) or step_us < 1:
        nothing = np.array([], dtype=np.int64)
        return Resampled(nothing, np.array([]), nothing, [])
    cells = samples.times_us // step_us
    first, last = int(cells[0]), int(cells[-1])
    size = last - first + 1
    if size > POINTS_MAX:
        raise BadRequestDataError(f"step: {size} cells; at most {POINTS_MAX} are given")
    times = (first + np.arange(size, dtype=np.int64)) * step_us
    good = np.isfinite(samples.first)
    at, values = cells[good] - first, samples.first[good]
    counts = np.bincount(at, minlength=size).astype(np.int64)
    result = _collected(at, values, counts, size, method)
    flags: list[Flag] = ["good" if count else "missing" for count in counts]
    if fill != "none":
        longest = 5 if gap_us_max is None else gap_us_max // step_us
        for index in _fill(result, fill, int(longest)):
            flags[index] = "filled"
    return Resampled(times, result, counts, flags)


def _collected(at: Ints, values: Floats, counts: Ints, size: int, method: str) -> Floats:
    """Take the values of each cell together."""
    empty = counts == 0
    if method in ("mean", "sum", "count"):
        sums: Floats = np.bincount(at, weights=values, minlength=size).astype(np.float64)
        if method == "count":
            return counts.astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            total: Floats = sums / counts if method == "mean" else sums
        return np.where(empty, np.nan, total)
    result: Floats = np.full(size, np.nan)
    if method == "last":
        result[at] = values
        return result
    order = np.lexsort((values, at))
    ends = np.cumsum(counts)
    begins = ends - counts
    ranked = values[order]
    held = ~empty
    if method == "min":
        result[held] = ranked[begins[held]]
    elif method == "max":
        result[held] = ranked[ends[held] - 1]
    else:
        lower = ranked[begins[held] + (counts[held] - 1) // 2]
        upper = ranked[begins[held] + counts[held] // 2]
        result[held] = (lower + upper) / 2
    return result


def _fill(values: Floats, fill: str, longest: int) -> list[int]:
    """Fill gaps of up to `longest` cells in place; give which cells were filled."""
    missing = ~np.isfinite(values)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], missing.astype(np.int8), [0]))))
    filled: list[int] = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        if begin == 0 or end == len(values) or end - begin > longest:
            continue
        before, after = values[begin - 1], values[end]
        if fill == "previous":
            values[begin:end] = before
        else:
            share = np.arange(1, end - begin + 1) / (end - begin + 1)
            values[begin:end] = before + share * (after - before)
        filled += range(int(begin), int(end))
    return filled

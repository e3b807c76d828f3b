"""What a detector says of each sample, and why: score, what was expected, and the reason in words.

`episodes` turns scores into when something began and ended, so that one blip isn't an alarm and one
alarm isn't twenty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from conurb.errors import BadRequestDataError
from conurb.systems.monitoring.samples import Floats, Samples


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a sample is an anomaly: in words, and the figures behind them."""

    en: str
    zh: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The scores of samples (1 or more: an anomaly), what was expected, and `why` by index.

    `low` and `high` bound what would have been usual; NaN where nothing can be said.
    """

    score: Floats
    expected: Floats
    low: Floats
    high: Floats
    why: Callable[[int], Reason]


@dataclass(frozen=True, slots=True)
class Episode:
    """An anomaly over time, as indices of samples.

    `begin` is its first sample, `confirmed` the one that made it sure, `end` the first normal one
    after it (None: it goes on), `peak` the worst.
    """

    begin: int
    confirmed: int
    end: int | None
    peak: int


def episodes(score: Floats, *, confirm: int = 1, clear: int = 1) -> list[Episode]:
    """Find anomalies: `confirm` in a row begin one, `clear` normal ones in a row end it.

    A sample that can't be judged (NaN) neither confirms nor clears.

    >>> import numpy as np
    >>> episodes(np.array([0, 2, 0, 2, 3, 0, 0]), confirm=2, clear=2)
    [Episode(begin=3, confirmed=4, end=5, peak=4)]
    """
    found: list[Episode] = []
    begin: int | None = None
    confirmed: int | None = None
    peak = run = calm = 0
    calm_from = 0
    for index, value in enumerate(score):
        if not np.isfinite(value):
            continue
        if value >= 1:
            if run == 0 and confirmed is None:
                begin, peak = index, index
            run, calm = run + 1, 0
            if value > score[peak]:
                peak = index
            if confirmed is None and run >= confirm:
                confirmed = index
        else:
            if calm == 0:
                calm_from = index
            calm, run = calm + 1, 0
            if confirmed is not None and begin is not None and calm >= clear:
                found.append(Episode(begin, confirmed, calm_from, peak))
                begin = confirmed = None
    if confirmed is not None and begin is not None:
        found.append(Episode(begin, confirmed, None, peak))
    return found


class Options:
    """The options of a method, read with their names, types and bounds."""

    def __init__(self, method: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
        strange = sorted(set(given) - {*known, *COMMON})
        if strange:
            raise BadRequestDataError(
                f"{method}: there is no option {strange[0]!r:.50}; options: "
                f"{', '.join((*known, *COMMON))}"
            )
        self._method = method
        self._given = given

    def number(self, name: str, default: float, *, low: float = 0.0) -> float:
        """Give a number that is over `low`."""
        value = self.find(name)
        if value is None:
            return default
        if value <= low:
            raise BadRequestDataError(f"{self._method}: {name} is {value}, not over {low}")
        return value

    def find(self, name: str) -> float | None:
        """Find a number; None when it isn't given."""
        value = self._given.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadRequestDataError(f"{self._method}: {name} is {value!r:.50}, not a number")
        return float(value)

    def count(self, name: str, default: int, *, low: int = 1) -> int:
        """Give a whole number of at least `low`."""
        value = self.find(name)
        if value is None:
            return default
        if value != int(value) or value < low:
            raise BadRequestDataError(
                f"{self._method}: {name} is {value}, not a whole number of at least {low}"
            )
        return int(value)


COMMON: Final = ("confirm", "clear", "samples", "train_from", "train_to")
"""Options that every method has: they belong to the rule."""


def training(samples: Samples, trained: int, *, least: int, method: str) -> Samples:
    """Give the part to learn from: the first `trained` samples, all when that is 0.

    Raises BadRequestDataError when there are fewer than `least`.
    """
    size = trained or len(samples)
    part = Samples(samples.times_us[:size], samples.values[:size], samples.names)
    if len(part) < least:
        raise BadRequestDataError(
            f"{method}: {len(part)} samples to learn from; at least {least} are needed"
        )
    return part


def shown(value: float) -> str:
    """Write a figure for people: four significant digits.

    >>> shown(0.376322), shown(1234567.0)
    ('0.3763', '1.235e+06')
    """
    return f"{value:.4g}"

"""HonestDiD, relative magnitudes: trends after treatment no steeper than before, times a factor.

Every yearly step of the difference in trends after treatment is at most `factor` times the largest
step before it. The interval collects the effects that a test of these moment inequalities doesn't
reject, over each step that may be the largest. Rambachan and Roth (2023), section 2.4.2 and 3; the
test is the least favourable one of Andrews, Roth and Pakes (2023), which is valid and a little
wider than the conditional hybrid that R's HonestDiD takes by default.

For the effect of one year the nuisance effects of the years before it can be eliminated by hand
(Fourier-Motzkin), so that no linear program is solved: with d the step taken as the largest and
s_u+- the errors of the inequalities +-step_u - factor d <= 0, what remains is
+-(beta_h - theta) - h factor d <= c sum s_u+- and -2 factor d <= c (s_u+ + s_u-), u = 1..h.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.estimate import LEVEL, Series, check_level
from conurb.strategy.panel import Figures

DRAWS = 10_000


@dataclass(frozen=True, slots=True)
class Relative:
    """The interval that holds when steps are at most `factor` times the largest before treatment.

    `year` is the year since treatment whose effect is bounded. Ends are NaN where every
    possibility is rejected, which sampling error alone makes rare.
    """

    factor: float
    year: int
    estimate: float
    low: float
    high: float
    level: float = LEVEL


def relative_magnitudes(
    series: Series,
    factors: Sequence[float],
    *,
    generator: np.random.Generator,
    year: int = 0,
    reference: int = -1,
    draws: int = DRAWS,
    level: float = LEVEL,
) -> tuple[Relative, ...]:
    """Bound the effect of one year since treatment for each factor.

    `series` holds estimates by years since treatment without gaps apart from `reference`. Errors:
    no estimate before the reference year, gaps up to `year`, negative factors.
    """
    check_level(level)
    if any(not factor >= 0 for factor in factors):
        raise InputError(f"Factors are from 0 on, not {list(factors)}")
    if draws < 1:
        raise InputError(f"The critical value needs draws, not {draws}")
    before, after = _steps(series, reference, year)
    effect = after.sum(axis=0)
    root = np.linalg.cholesky(_positive(series.covariance))
    noise = generator.standard_normal((draws, len(root))) @ root.T
    centre = float(effect @ series.estimates)
    found = []
    for factor in factors:
        ends = []
        for step in before:
            for sign in (1.0, -1.0):
                ends += _accepted(series, sign * step, after, noise, factor=factor, level=level)
        low, high = (min(ends), max(ends)) if ends else (math.nan, math.nan)
        found.append(Relative(factor, year, centre, low, high, level))
    return tuple(found)


def _accepted(
    series: Series, largest: Figures, after: Figures, noise: Figures, *, factor: float, level: float
) -> list[float]:
    """Give the ends of the effects that aren't rejected when `largest` [P] is the largest step."""
    covariance, effect, count = series.covariance, after.sum(axis=0), len(after)

    def error(weights: Figures) -> float:
        return math.sqrt(max(float(weights @ covariance @ weights), 0.0))

    up = np.array([error(step - factor * largest) for step in after])
    down = np.array([error(-step - factor * largest) for step in after])
    shift, move = noise @ (factor * largest), noise @ effect
    worst = np.maximum((move - count * shift) / up.sum(), (-move - count * shift) / down.sum())
    both = up + down
    worst = np.maximum(worst, np.maximum(-2 * shift / both.max(), -2 * shift / both.min()))
    critical = float(np.quantile(worst, level))
    room = factor * float(largest @ series.estimates)
    if (-2 * room > critical * both).any():
        return []
    centre = float(effect @ series.estimates)
    low = centre - count * room - critical * float(up.sum())
    high = centre + count * room + critical * float(down.sum())
    return [low, high] if low <= high else []


def _steps(series: Series, reference: int, year: int) -> tuple[Figures, Figures]:
    """Give the yearly steps as weights on the estimates: before [K x P], after up to `year`."""
    place = {point: i for i, point in enumerate(series.points) if point != reference}
    if year <= reference:
        raise InputError(f"The year {year} isn't after the reference year {reference}")
    first = min(place, default=reference)
    if first >= reference:
        raise InputError("Relative magnitudes need an estimate before the reference year")
    missing = [e for e in range(first, year + 1) if e != reference and e not in place]
    if missing:
        raise InputError(
            f"The series has no estimate for {missing} years since treatment; steps need every year"
        )

    def level(point: int) -> Figures:
        weights = np.zeros(len(series.points))
        if point != reference:
            weights[place[point]] = 1.0
        return weights

    before = [level(e + 1) - level(e) for e in range(first, reference)]
    after = [level(e + 1) - level(e) for e in range(reference, year)]
    return np.array(before), np.array(after)


def _positive(covariance: Figures) -> Figures:
    """Make a covariance safely positive definite, by a ridge far below its own size."""
    size = float(np.trace(covariance)) / len(covariance)
    return np.asarray(covariance + 1e-12 * max(size, 1e-300) * np.eye(len(covariance)))

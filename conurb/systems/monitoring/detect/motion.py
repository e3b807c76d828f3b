"""GNSS coordinates: velocity, steps, and whether the ground moves faster than it may.

A coordinate (millimetres) is modelled as offset, velocity, yearly and half-yearly swing, and steps.
Steps are found one at a time: a window's two halves whose medians differ most against the noise of
days, refined to where a step in the model leaves the least. The velocity's uncertainty is widened
for noise that remembers (Mao, Harrison and Dixon 1999), by the residual's lag-one correlation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from conurb.model.time import US_PER_S, shown_us
from conurb.systems.monitoring.detect.judgement import Judgement, Options, Reason, shown, training
from conurb.systems.monitoring.samples import MAD_SCALE, Floats, Ints, Samples

YEAR_S: Final = 365.25 * 86_400
STEPS_MAX: Final = 20
HALF_DAYS: Final = 20
"""Samples on each side of a step that are compared."""
STEP_SCALES: Final = 8.0
"""How many times its standard error a step is, unless asked else."""


@dataclass(frozen=True, slots=True)
class Step:
    """A sudden shift: the index of the first sample after it, its size, and its standard error."""

    index: int
    size_mm: float
    error_mm: float


@dataclass(frozen=True, slots=True)
class Motion:
    """A coordinate's motion: velocity with its standard error, steps, the model and its scale."""

    velocity_mm_a: float
    velocity_error_mm_a: float
    steps: tuple[Step, ...]
    model: Floats
    scale_mm: float


def fit_motion(
    times_us: Ints,
    values: Floats,
    *,
    half: int = HALF_DAYS,
    scales: float = STEP_SCALES,
    least_mm: float = 0.0,
) -> Motion:
    """Fit velocity, swings and steps to a coordinate in millimetres."""
    good = np.isfinite(values)
    years = (times_us - times_us[0]) / US_PER_S / YEAR_S
    at = np.flatnonzero(good)
    steps: list[int] = []
    while len(steps) < STEPS_MAX:
        left = values[at] - _model(years[at], values[at], steps, at)
        found = _next_step(left, half=half, scales=scales, least_mm=least_mm, known=steps, at=at)
        if found is None:
            break
        steps.append(found)
        steps.sort()
    design = _design(years, steps)
    solution, *_ = np.linalg.lstsq(design[at], values[at], rcond=None)
    model = design @ solution
    residual = values[at] - model[at]
    scale = MAD_SCALE * float(np.median(np.abs(residual - np.median(residual)))) or 1e-9
    inverse = np.linalg.pinv(design[at].T @ design[at])
    widened = scale * np.sqrt(_memory(residual))
    errors = widened * np.sqrt(np.maximum(np.diag(inverse), 0))
    first = design.shape[1] - len(steps)
    sized = tuple(
        Step(index, float(solution[first + number]), float(errors[first + number]))
        for number, index in enumerate(steps)
    )
    return Motion(float(solution[1]), float(errors[1]), sized, model, scale)


def _design(years: Floats, steps: list[int]) -> Floats:
    columns = [np.ones(len(years)), years]
    if len(years) and years[-1] > 1:
        for turns in (1, 2):
            angle = 2 * np.pi * turns * years
            columns += [np.sin(angle), np.cos(angle)]
    index = np.arange(len(years))
    columns += [(index >= step).astype(float) for step in steps]
    design: Floats = np.column_stack(columns)
    return design


def _model(years: Floats, values: Floats, steps: list[int], at: Ints) -> Floats:
    """Fit what is known so far, twice: the second time without what is far off."""
    places = [int(np.searchsorted(at, step)) for step in steps]
    design = _design(years, places)
    weights = np.ones(len(values), dtype=bool)
    model = np.zeros(len(values))
    for _ in range(2):
        solution, *_ = np.linalg.lstsq(design[weights], values[weights], rcond=None)
        model = design @ solution
        residual = np.abs(values - model)
        weights = residual <= 5 * MAD_SCALE * max(float(np.median(residual)), 1e-9)
    return model


def _next_step(
    residual: Floats, *, half: int, scales: float, least_mm: float, known: list[int], at: Ints
) -> int | None:
    """Find the most certain step that isn't known; None when there is none."""
    if len(residual) < 2 * half + 1:
        return None
    medians = np.median(sliding_window_view(residual, half), axis=1)
    jumps = medians[half:] - medians[:-half]
    steps = np.diff(residual)
    noise = MAD_SCALE * float(np.median(np.abs(steps))) / np.sqrt(2)
    # The noise of days, and what the two medians do where nothing happens: whichever is more.
    calm = MAD_SCALE * float(np.median(np.abs(jumps - np.median(jumps))))
    error = max(1.2533 * noise * np.sqrt(2 / half), calm / 1.5, 1e-9)
    certain = np.abs(jumps) / error
    for step in known:
        place = int(np.searchsorted(at, step)) - half
        certain[max(0, place - half) : max(0, place + half)] = 0
    best = int(np.argmax(certain))
    if certain[best] < scales or abs(jumps[best]) < least_mm:
        return None
    window = residual[best : best + 2 * half]
    costs = [
        float(
            np.abs(window[:cut] - np.median(window[:cut])).sum()
            + np.abs(window[cut:] - np.median(window[cut:])).sum()
        )
        for cut in range(half // 2, 2 * half - half // 2)
    ]
    return int(at[best + half // 2 + int(np.argmin(costs))])


def _memory(residual: Floats) -> float:
    """Give by how much noise that remembers widens variances: (1 + r) / (1 - r)."""
    if len(residual) < 3 or not np.std(residual):
        return 1.0
    r = float(np.corrcoef(residual[:-1], residual[1:])[0, 1])
    r = min(max(r, 0.0), 0.98)
    return (1 + r) / (1 - r)


def motion(samples: Samples, given: Mapping[str, Any], trained: int) -> Judgement:
    """Judge a coordinate in millimetres by its steps and its velocity.

    A sample is an anomaly for `recent` samples after a step of `step_mm` or more, or all along when
    the velocity is beyond `velocity_mm_a` with its error counted off.
    """
    options = Options("motion", given, ("step_mm", "velocity_mm_a", "half", "scales", "recent"))
    least = options.number("step_mm", 0.0, low=-1.0)
    fastest = options.find("velocity_mm_a")
    half = options.count("half", HALF_DAYS, low=3)
    recent = options.count("recent", 2 * half)
    training(samples, 0, least=2 * half + 1, method="motion")
    fit = fit_motion(
        samples.times_us,
        samples.first,
        half=half,
        scales=options.number("scales", STEP_SCALES),
        least_mm=least,
    )
    score = np.zeros(len(samples))
    by_step: dict[int, Step] = {}
    for step in fit.steps:
        if abs(step.size_mm) < least:
            continue
        size = abs(step.size_mm) / max(least, 2 * step.error_mm, 1e-9)
        for index in range(step.index, min(step.index + recent, len(score))):
            by_step[index] = step
            score[index] = max(score[index], size, 1.0)
    sure = max(0.0, abs(fit.velocity_mm_a) - 2 * fit.velocity_error_mm_a)
    if fastest is not None and fastest > 0:
        score = np.maximum(score, sure / fastest)
    score = np.where(np.isfinite(samples.first), score, np.nan)
    speed = f"{fit.velocity_mm_a:+.2f} ± {2 * fit.velocity_error_mm_a:.2f} mm/a"

    def why(index: int) -> Reason:
        found = by_step.get(index)
        figures: dict[str, Any] = {
            "velocity_mm_a": fit.velocity_mm_a,
            "velocityError_mm_a": fit.velocity_error_mm_a,
        }
        if found is None:
            limit = shown(fastest or 0.0)
            en = f"it moves by {speed}; {limit} mm/a is allowed"
            return Reason(en, f"位移速率 {speed}，允许 {limit} mm/a", figures)
        when = shown_us(int(samples.times_us[found.index]))
        size = f"{found.size_mm:+.1f} ± {2 * found.error_mm:.1f} mm"
        figures |= {"stepAt": when, "step_mm": found.size_mm, "stepError_mm": found.error_mm}
        en = f"a step of {size} at {when}, besides a velocity of {speed}"
        return Reason(en, f"{when} 出现 {size} 阶跃，速率 {speed}", figures)

    width = 3 * fit.scale_mm
    return Judgement(score, fit.model, fit.model - width, fit.model + width, why)

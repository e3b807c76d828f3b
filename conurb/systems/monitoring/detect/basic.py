"""Limits, what is usual at this time of the day, and what is rarer than ever before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from conurb.errors import BadRequestDataError
from conurb.model.time import US_PER_S
from conurb.systems.monitoring.detect.judgement import (
    Judgement,
    Options,
    Reason,
    shown,
    training,
)
from conurb.systems.monitoring.samples import Floats, Samples, scale_of, usual_period_us

DAY_S: Final = 86_400.0
SCALES: Final = 4.0
"""How many scales from what is usual make an anomaly, unless asked else."""
SURPRISE_WINDOW: Final = 6_400
SURPRISE_WARM: Final = 50
SURPRISE_STEP: Final = 20
SURPRISE_SHARE: Final = 0.99
PHASES_MAX: Final = 10_000
_UNDER: Final = float(np.nextafter(1, 0))
"""The score of a value that is at its limit, and not beyond."""


def threshold(samples: Samples, given: Mapping[str, Any], trained: int) -> Judgement:
    """Judge by limits: `low`, `high`; the score is 1 at the limit.

    `margin` is how far inside of it a value must come back to count as normal after an anomaly.
    """
    options = Options("threshold", given, ("low", "high", "margin"))
    low, high = options.find("low"), options.find("high")
    if low is None and high is None:
        raise BadRequestDataError("threshold: low or high is needed")
    if low is not None and high is not None and low >= high:
        raise BadRequestDataError(f"threshold: low {low} isn't below high {high}")
    margin = options.find("margin") or 0.0
    values = samples.first
    scale = (high - low) / 2 if low is not None and high is not None else scale_of(values) or 1.0
    beyond = np.full(len(values), -np.inf)
    if low is not None:
        beyond = np.maximum(beyond, low - values)
    if high is not None:
        beyond = np.maximum(beyond, values - high)
    score = np.where(np.isfinite(values), 1 + beyond / scale, np.nan)
    score = np.where(beyond > 0, score, np.minimum(score, _UNDER))
    if margin:
        score = _sticky(score, beyond, margin)
    lows = np.full(len(values), np.nan if low is None else low)
    highs = np.full(len(values), np.nan if high is None else high)

    def why(index: int) -> Reason:
        value = values[index]
        over = high is not None and value > high
        limit = high if over else low
        en = f"{shown(value)} is {'above' if over else 'below'} {shown(float(limit or 0))}"
        zh = f"测值 {shown(value)} {'高于' if over else '低于'}限值 {shown(float(limit or 0))}"
        return Reason(en, zh, {"value": float(value), "limit": limit})

    return Judgement(np.maximum(score, 0), np.full(len(values), np.nan), lows, highs, why)


def _sticky(score: Floats, beyond: Floats, margin: float) -> Floats:
    """Hold an anomaly until a value is back inside by a margin."""
    held = False
    out = score.copy()
    for index in range(len(score)):
        if np.isnan(score[index]):
            continue
        held = score[index] >= 1 or (held and beyond[index] > -margin)
        if held:
            out[index] = max(out[index], 1.0)
    return out


def seasonal(samples: Samples, given: Mapping[str, Any], trained: int) -> Judgement:
    """Judge by what is usual at this phase of a period (default: a day).

    The training part gives a median and a scale per phase (`bins` of them), robustly; `scales` is
    how many of them off is an anomaly.
    """
    options = Options("seasonal", given, ("period_s", "bins", "scales"))
    period_us = int(options.number("period_s", DAY_S) * US_PER_S)
    bins = options.count("bins", 24)
    scales = options.number("scales", SCALES)
    if bins > PHASES_MAX:
        raise BadRequestDataError(f"seasonal: {bins} bins; at most {PHASES_MAX}")
    learned = training(samples, trained, least=2 * bins, method="seasonal")
    phase = (samples.times_us % period_us) * bins // period_us
    whole = scale_of(learned.first - np.nanmedian(learned.first))
    centre, scale = np.full(bins, np.nanmedian(learned.first)), np.full(bins, whole)
    for number in range(bins):
        part = learned.first[phase[: len(learned)] == number]
        part = part[np.isfinite(part)]
        if len(part) >= 2:
            centre[number] = np.median(part)
    residual = learned.first - centre[phase[: len(learned)]]
    spread = scale_of(residual)
    for number in range(bins):
        part = residual[phase[: len(learned)] == number]
        if np.isfinite(part).sum() >= 5:
            scale[number] = max(scale_of(part), spread / 2)
        else:
            scale[number] = spread
    scale = np.where(scale > 0, scale, np.finfo(float).tiny)
    expected, width = centre[phase], scales * scale[phase]
    values = samples.first

    def why(index: int) -> Reason:
        off = (values[index] - expected[index]) / scale[phase[index]]
        least, most = expected[index] - width[index], expected[index] + width[index]
        en = (
            f"{shown(values[index])} at a time when {shown(least)} to {shown(most)} is usual: "
            f"{abs(off):.1f} scales {'above' if off > 0 else 'below'}"
        )
        zh = (
            f"测值 {shown(values[index])}，该时段常见范围 {shown(least)} 至 {shown(most)}，"
            f"{'偏高' if off > 0 else '偏低'} {abs(off):.1f} 个尺度"
        )
        figures = {"value": float(values[index]), "expected": float(expected[index])}
        return Reason(en, zh, {**figures, "scales": float(off)})

    score = np.abs(values - expected) / width
    return Judgement(score, expected, expected - width, expected + width, why)


def surprise(samples: Samples, given: Mapping[str, Any], trained: int) -> Judgement:
    """Judge a value, its jump and its seasonal residual by how rare they have been so far.

    Each is a distance in standard deviations of what came before; their sum is compared with the
    share `rarest` (0.99) of its own past. After an anomaly only a worse one counts for `hold`
    samples. Learns as it goes, forwards only; the first `warm` samples aren't judged.
    """
    options = Options("surprise", given, ("rarest", "hold", "warm", "scores"))
    rarest = options.number("rarest", SURPRISE_SHARE)
    hold = options.count("hold", 1, low=0)
    warm = options.count("warm", 2 * SURPRISE_WARM)
    limit = options.number("scores", 1.0)
    values = _filled(samples.first)
    parts = {
        "value": _distance(values),
        "residual": _distance(_daily_residual(samples.times_us, values)),
        "jump": _distance(np.diff(values, prepend=values[:1])) / 2,
    }
    total = sum(parts.values(), np.zeros(len(values)))
    bound = _running_quantile(total, rarest, warm)
    score = np.where(np.isfinite(bound), total / np.maximum(bound, 0.5), 0.0) / limit
    score = np.where(np.isfinite(samples.first), score, np.nan)
    if hold:
        score = rising_only(score, hold)
    mean, spread = _before(values)

    def why(index: int) -> Reason:
        worst = max(parts, key=lambda name: float(parts[name][index]))
        words = {
            "value": ("the value itself", "测值本身"),
            "residual": ("its difference from what is usual at this time", "与同时段常值之差"),
            "jump": ("its jump from the value before", "与前值之差"),
        }[worst]
        ratio = float(total[index] / max(bound[index], 0.5))
        percent = f"{rarest:.1%}"
        en = (
            f"{shown(values[index])} is {ratio:.1f} times as surprising as {percent} of what came "
            f"before; most of it is {words[0]}"
        )
        zh = (
            f"测值 {shown(values[index])} 的意外程度为既往 {percent} 界限的 {ratio:.1f} 倍，"
            f"主要在于{words[1]}"
        )
        return Reason(en, zh, {name: float(part[index]) for name, part in parts.items()})

    return Judgement(score, mean, mean - 3 * spread, mean + 3 * spread, why)


def rising_only(score: Floats, hold: int) -> Floats:
    """Keep a score only when it is above every one that was kept in the `hold` samples before."""
    out = np.zeros(len(score))
    kept, until = 0.0, -1
    for index, value in enumerate(score):
        if index > until:
            kept = 0.0
        if value > kept:
            out[index] = kept = float(value)
            until = index + hold
    return np.where(np.isfinite(score), out, np.nan)


def _filled(values: Floats) -> Floats:
    """Carry the last value over samples that have none."""
    good = np.isfinite(values)
    if good.all():
        return values
    if not good.any():
        return np.zeros(len(values))
    held = np.maximum.accumulate(np.where(good, np.arange(len(values)), -1))
    first = values[good][0]
    return np.where(held >= 0, values[np.maximum(held, 0)], first)


def _before(values: Floats, window: int = SURPRISE_WINDOW) -> tuple[Floats, Floats]:
    """Give mean and standard deviation of the values before each, over a window."""
    centred = values - values[0]
    after = np.arange(1, len(values) + 1)
    first = np.maximum(after - window, 0)
    sums = np.concatenate(([0.0], np.cumsum(centred)))
    squares = np.concatenate(([0.0], np.cumsum(centred**2)))
    count = after - first
    mean = (sums[after] - sums[first]) / count
    spread = np.sqrt(np.maximum((squares[after] - squares[first]) / count - mean**2, 0))
    mean += values[0]
    return np.concatenate((values[:1], mean[:-1])), np.concatenate(([np.inf], spread[:-1]))


def _distance(values: Floats) -> Floats:
    mean, spread = _before(values)
    floor = 1e-3 * np.abs(mean) + 1e-9
    distance = np.abs(values - mean) / np.maximum(spread, floor)
    distance[:SURPRISE_WARM] = 0
    return distance


def _daily_residual(times_us: Any, values: Floats) -> Floats:
    """Give each value's difference from the running mean at its time of day.

    A series too coarse, or too short, for days is compared with a slow running mean.
    """
    period_us = usual_period_us(times_us)
    slots = round(DAY_S * US_PER_S / period_us)
    out = np.zeros(len(values))
    if slots < 8 or slots > len(values) // 4:
        level = float(values[0]) if len(values) else 0.0
        for index, value in enumerate(values):
            out[index] = value - level
            level += 0.02 * (value - level)
        return out
    slot = (times_us // period_us) % slots
    mean, seen = np.zeros(slots), np.zeros(slots, dtype=int)
    for index, (place, value) in enumerate(zip(slot, values, strict=True)):
        if seen[place] >= 2:
            usual = mean[place]
        else:
            usual = values[max(0, index - slots) : index].mean() if index else value
        out[index] = value - usual
        seen[place] += 1
        mean[place] += (value - mean[place]) / min(seen[place], 10)
    return out


def _running_quantile(values: Floats, share: float, warm: int) -> Floats:
    """Give a quantile of what came before each value; infinite before `warm` of them."""
    out = np.full(len(values), np.inf)
    for start in range(warm, len(values), SURPRISE_STEP):
        before = values[max(0, start - SURPRISE_WINDOW) : start]
        out[start : start + SURPRISE_STEP] = np.quantile(before, share)
    return out

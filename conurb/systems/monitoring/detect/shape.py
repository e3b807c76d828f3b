"""A level that changed, and a stretch whose shape was never seen before.

`change` cuts a series where the sum of squares falls most, again and again, as long as each cut
pays for itself (binary segmentation with the BIC's penalty; Scott and Knott 1974, Yao 1988), on a
scale taken from the differences, so that a cut doesn't hide itself. `discord` is the left matrix
profile (Yeh et al. 2016): the z-normalized distance of each stretch to its nearest one before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

import numpy as np

from conurb.errors import BadRequestDataError
from conurb.model.time import shown_us
from conurb.systems.monitoring.detect.judgement import (
    Judgement,
    Options,
    Reason,
    shown,
    training,
)
from conurb.systems.monitoring.samples import MAD_SCALE, Floats, Samples

CHANGES_MAX: Final = 100
DISCORD_SAMPLES_MAX: Final = 20_000
PENALTY: Final = 4.0
"""What a cut costs, in logarithms of the number of samples; the BIC's own is 2."""


def change(samples: Samples, given: Mapping[str, Any], trained: int) -> Judgement:
    """Judge each sample by whether its level differs from that of the first segment.

    `least` is the shortest segment, `shift` how many scales apart levels are to count (3).
    """
    options = Options("change", given, ("least", "shift", "penalty"))
    least = options.count("least", 10)
    shift = options.number("shift", 3.0)
    penalty = options.number("penalty", PENALTY)
    good = np.isfinite(samples.first)
    values = samples.first[good]
    scale = step_scale(values)
    cuts = change_points(values, least=least, penalty=penalty, scale=scale)
    bounds = [0, *cuts, len(values)]
    level = np.empty(len(values))
    for begin, end in pairwise(bounds):
        level[begin:end] = values[begin:end].mean()
    off = np.abs(level - level[0]) / (shift * scale)
    score, expected = np.full(len(samples), np.nan), np.full(len(samples), np.nan)
    score[good], expected[good] = off, level[0]
    at = np.flatnonzero(good)

    def why(index: int) -> Reason:
        place = int(np.searchsorted(at, index))
        begin = max((cut for cut in cuts if cut <= place), default=0)
        when = shown_us(int(samples.times_us[at[begin]]))
        moved = level[place] - level[0]
        en = (
            f"the level changed at {when} from {shown(level[0])} to {shown(level[place])}, "
            f"{abs(moved) / scale:.1f} scales {'up' if moved > 0 else 'down'}"
        )
        zh = (
            f"水平于 {when} 由 {shown(level[0])} 变为 {shown(level[place])}，"
            f"{'升' if moved > 0 else '降'} {abs(moved) / scale:.1f} 个尺度"
        )
        figures = {"changedAt": when, "before": float(level[0]), "after": float(level[place])}
        return Reason(en, zh, figures)

    width = shift * scale
    return Judgement(score, expected, expected - width, expected + width, why)


def step_scale(values: Floats) -> float:
    """Give the scale of a series from its differences: a change of level hardly moves it."""
    if len(values) < 3:
        return 1.0
    steps = np.diff(values)
    middle = float(np.median(np.abs(steps - np.median(steps))))
    scale = MAD_SCALE * middle / math.sqrt(2)
    if scale > 0:
        return scale
    spread = float(np.std(values))
    return spread if spread > 0 else 1.0


def change_points(
    values: Floats, *, least: int = 10, penalty: float = PENALTY, scale: float | None = None
) -> list[int]:
    """Find where the level of a series changes: the first index of each new level, in order."""
    width = step_scale(values) if scale is None else scale
    cost = penalty * np.log(max(len(values), 2)) * width**2
    sums = np.concatenate(([0.0], np.cumsum(values - (values[0] if len(values) else 0.0))))
    open_parts = [(0, len(values))]
    cuts: list[int] = []
    while open_parts and len(cuts) < CHANGES_MAX:
        begin, end = open_parts.pop()
        if end - begin < 2 * least:
            continue
        places = np.arange(begin + least, end - least + 1)
        left = (sums[places] - sums[begin]) / (places - begin)
        right = (sums[end] - sums[places]) / (end - places)
        gain = (left - right) ** 2 * (places - begin) * (end - places) / (end - begin)
        best = int(np.argmax(gain))
        if gain[best] > cost:
            cut = int(places[best])
            cuts.append(cut)
            open_parts += [(begin, cut), (cut, end)]
    return sorted(cuts)


def discord(samples: Samples, given: Mapping[str, Any], trained: int) -> Judgement:
    """Judge each stretch of `length` samples by how far its shape is from any before it.

    The distance is compared with the `rarest` share (0.995) of those in the training part; a sample
    has the score of the stretch that it ends.
    """
    options = Options("discord", given, ("length", "rarest", "factor"))
    length = options.count("length", 24, low=4)
    rarest = options.number("rarest", 0.995)
    factor = options.number("factor", 1.0)
    if len(samples) > DISCORD_SAMPLES_MAX:
        raise BadRequestDataError(
            f"discord: {len(samples)} samples; at most {DISCORD_SAMPLES_MAX} are compared"
        )
    learned = training(samples, trained, least=4 * length, method="discord")
    values = samples.first
    filled = np.where(np.isfinite(values), values, np.nanmedian(values))
    distance, nearest = left_profile(filled, length)
    known = distance[2 * length : len(learned) - length + 1]
    known = known[np.isfinite(known)]
    usual = float(np.quantile(known, min(rarest, 1.0))) * factor if len(known) else np.inf
    score = np.full(len(samples), np.nan)
    score[length - 1 :] = np.where(np.isfinite(distance), distance, 0) / max(usual, 1e-9)

    def why(index: int) -> Reason:
        begin = index - length + 1
        when = shown_us(int(samples.times_us[begin]))
        like = shown_us(int(samples.times_us[int(nearest[begin])]))
        en = (
            f"the shape of the {length} samples from {when} is {score[index]:.1f} times as far "
            f"from anything before as is usual; the nearest began at {like}"
        )
        zh = (
            f"自 {when} 起 {length} 个测值的形态与既往之差为常值的 {score[index]:.1f} 倍，"
            f"最近似的一段始于 {like}"
        )
        return Reason(en, zh, {"nearestAt": like, "distance": float(distance[begin])})

    nothing = np.full(len(samples), np.nan)
    return Judgement(score, nothing, nothing, nothing, why)


def left_profile(values: Floats, length: int) -> tuple[Floats, Floats]:
    """Give the z-normalized distance of each stretch to its nearest before it, and which that is.

    Stretches nearer than `length` aren't compared. O(n²) in time, O(n) in memory: the products of
    one stretch with all before come from those of the stretch before it.
    """
    count = len(values) - length + 1
    sums = np.concatenate(([0.0], np.cumsum(values)))
    squares = np.concatenate(([0.0], np.cumsum(values**2)))
    mean = (sums[length:] - sums[:-length]) / length
    spread = np.sqrt(np.maximum((squares[length:] - squares[:-length]) / length - mean**2, 0))
    flat = spread < 1e-9 * max(1.0, float(np.abs(values).max(initial=1.0)))
    safe = np.where(flat, 1.0, spread)
    distance, nearest = np.full(count, np.inf), np.zeros(count)
    products = np.correlate(values, values[:length], mode="valid")
    first = products.copy()
    for index in range(count):
        if index:
            products[1:] = (
                products[:-1]
                - values[: count - 1] * values[index - 1]
                + values[length : length + count - 1] * values[index + length - 1]
            )
            products[0] = first[index]
        last = index - length + 1
        if last <= 0:
            continue
        near = (products[:last] - length * mean[:last] * mean[index]) / (
            length * safe[:last] * safe[index]
        )
        near = np.where(flat[:last] | flat[index], np.where(flat[:last] & flat[index], 1, 0), near)
        best = int(np.argmax(near))
        distance[index] = np.sqrt(2 * length * max(0.0, 1 - float(near[best])))
        nearest[index] = best
    return distance, nearest

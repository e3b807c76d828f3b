"""Modal frequencies of a structure: do they move together as they never did while it was sound?

Hotelling's T² of the frequencies of several modes, learned while the structure is known to be
sound. Temperature moves all frequencies along what the training part has seen; damage leaves it.
The limit is that of a new observation at level `alpha` (Tracy, Young and Mason 1992):
p(n+1)(n-1)/(n(n-p)) times the quantile of F(p, n-p).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from conurb.systems.monitoring.detect.judgement import (
    Judgement,
    Options,
    Reason,
    shown,
    training,
)
from conurb.systems.monitoring.samples import Samples

ALPHA: Final = 1e-4
RIDGE: Final = 1e-9


def modal(samples: Samples, given: Mapping[str, Any], trained: int) -> Judgement:
    """Judge modal frequencies (a column per mode) by Hotelling's T² against the training part."""
    from scipy.stats import f as fisher

    options = Options("modal", given, ("alpha",))
    alpha = options.number("alpha", ALPHA)
    modes = samples.values.shape[1]
    learned = training(samples, trained, least=4 * modes + 1, method="modal")
    sound = learned.values[np.isfinite(learned.values).all(axis=1)]
    n = len(sound)
    centre = sound.mean(axis=0)
    covariance = np.atleast_2d(np.cov(sound.T)) + RIDGE * np.diag(np.maximum(centre**2, 1e-12))
    inverse = np.linalg.inv(covariance)
    off = samples.values - centre
    distance = np.einsum("ij,jk,ik->i", off, inverse, off)
    quantile = float(fisher.ppf(1 - alpha, modes, n - modes))
    limit = modes * (n + 1) * (n - 1) / (n * (n - modes)) * quantile
    score = np.where(np.isfinite(distance), distance / limit, np.nan)
    spread = np.sqrt(np.diag(covariance))

    def why(index: int) -> Reason:
        moved = off[index] / centre
        names = samples.names
        parts = [f"{name} {change:+.1%}" for name, change in zip(names, moved, strict=True)]
        together = "all modes fell" if (off[index] < 0).all() else "the modes moved"
        jointly = "各阶频率齐降" if (off[index] < 0).all() else "各阶频率变化"
        en = (
            f"{together} as they never did while sound ({', '.join(parts)}): T² is "
            f"{shown(distance[index])}, its limit {shown(limit)}"
        )
        zh = (
            f"{jointly}超出健康状态（{'，'.join(parts)}）：T²={shown(distance[index])}，"
            f"限值 {shown(limit)}"
        )
        figures = {
            "t2": float(distance[index]),
            "limit": float(limit),
            "change": dict(zip(names, map(float, moved), strict=True)),
        }
        return Reason(en, zh, figures)

    expected = np.full(len(samples), centre[0])
    width = np.full(len(samples), 3 * spread[0])
    return Judgement(score, expected, expected - width, expected + width, why)

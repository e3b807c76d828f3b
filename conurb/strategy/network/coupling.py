"""Coupling coordination: how far subsystems (economy, society, environment) rise together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.strategy.panel import Figures

LEVELS: Final = (
    "extreme imbalance", "serious imbalance", "moderate imbalance", "mild imbalance",
    "near imbalance", "barely coordinated", "primary coordination", "intermediate coordination",
    "good coordination", "quality coordination",
)  # fmt: skip
"""Names of the tenths of the degree, 0.0-0.1 to 0.9-1.0 (Liao 1999)."""
LEVELS_ZH: Final = (
    "极度失调", "严重失调", "中度失调", "轻度失调", "濒临失调",
    "勉强协调", "初级协调", "中级协调", "良好协调", "优质协调",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coupling:
    """The coupling of M subsystems, all in the shape of their levels.

    `coupling` C is how alike the levels are (1: equal), `development` T their weighted mean,
    `coordination` D = sqrt(C T).
    """

    coupling: Figures
    development: Figures
    coordination: Figures

    def levels(self, *, lang: str = "en") -> list[str]:
        """Name the level of every degree, in flat order; "" where there is none."""
        if lang not in ("en", "zh"):
            raise InputError(f"lang is {lang!r}; allowed are 'en' and 'zh'")
        names = LEVELS if lang == "en" else LEVELS_ZH
        return [
            "" if np.isnan(one) else names[min(int(one * 10 + 1e-12), 9)]
            for one in self.coordination.ravel()
        ]


def coupling_coordination(*systems: ArrayLike, weights: Sequence[float] | None = None) -> Coupling:
    """Give the coupling coordination degree of two or more subsystems with levels in 0..1.

    C = M (prod U)^(1/M) / sum U, T = sum a U with a summing to 1 (equal, when not given),
    D = sqrt(C T). NaN where a level is missing, or all are zero. Source: Liao 1999; this form of C
    lies in 0..1 for any M (others, as (prod U / (mean U)^M)^k, differ in their power).
    """
    levels = np.stack([np.asarray(one, dtype=np.float64) for one in systems]) if systems else None
    if levels is None or len(levels) < 2:
        raise InputError(f"Coupling is between two subsystems or more, not {len(systems)}")
    if (levels < 0).any() or (levels > 1).any():
        raise InputError("Levels of subsystems lie in 0..1: normalise them first")
    m = len(levels)
    given = np.full(m, 1.0 / m) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (m,) or not (np.isfinite(given) & (given >= 0)).all() or given.sum() <= 0:
        raise InputError(f"{m} subsystems need {m} weights that aren't negative, not {weights}")
    shares = given / given.sum()
    total = levels.sum(axis=0)
    root = np.prod(levels, axis=0) ** (1.0 / m)
    coupling = np.divide(m * root, total, out=np.full_like(total, np.nan), where=total > 0)
    development = np.tensordot(shares, levels, axes=1)
    return Coupling(coupling, development, np.sqrt(np.minimum(coupling, 1.0) * development))

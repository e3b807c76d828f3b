"""What a spatial panel model is fitted on: a balanced panel, weights, and effects taken out right.

    y_t = lambda W y_t + X_t beta + W Z_t theta + mu + alpha_t 1 + e_t        t = 1..T

Unit effects mu and year effects alpha are nuisances. Lee and Yu 2010 (Journal of Econometrics
154:165-185) transform with orthonormal bases: F_T [T x (T-1)] of deviations over years and F_N
[N x (N-1)] of deviations over units. Where rows of W sum to 1, F_N' W = (F_N' W F_N) F_N', so the
transformed model is again spatial, in N - 1 units with W* = F_N' W F_N, and

    ln |I - lambda W*| = ln |I - lambda W| - ln(1 - lambda)

Sums of squares need only F F' = J, the projection on deviations: W is applied to the raw figures
first and J afterwards (J W y, not W J y: lagging figures that were demeaned before isn't the
likelihood of the model with year effects). Two ways to count:

    transform   M = (N - [year]) (T - [unit]) observations, T - [unit] periods in the determinant
    direct      M = N T observations, T periods: the effects are estimated as parameters, which
                biases sigma2 (and under year effects lambda and beta); `model` corrects for it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conurb.errors import InputError
from conurb.strategy.panel import Figures, Panel
from conurb.strategy.spillover.weights import Weights

Effects: TypeAlias = Literal["none", "unit", "year", "twoway"]
Method: TypeAlias = Literal["transform", "direct"]

RANK_MIN: Final = 1e-9
"""How much of a column must be left, relative to its length, for it to count as its own."""
INTERCEPT: Final = "intercept"


@dataclass(frozen=True, slots=True)
class Space:
    """Figures of n units in t years with effects projected out."""

    n: int
    t: int
    unit: bool
    year: bool
    direct: bool

    @property
    def observations(self) -> int:
        """Give M, the observations that the likelihood counts."""
        return self.n * self.t if self.direct else self.freedom

    @property
    def freedom(self) -> int:
        """Give the dimensions that the effects leave."""
        return (self.n - self.year) * (self.t - self.unit)

    @property
    def periods(self) -> int:
        """Give how often the determinant counts."""
        return self.t if self.direct else self.t - self.unit

    @property
    def reduced(self) -> bool:
        """Say whether the determinant is that of W*, in N - 1 units."""
        return self.year and not self.direct

    def project(self, figures: Figures) -> Figures:
        """Take the effects out of figures [N x T x ...]."""
        left = figures
        if self.unit:
            left = left - left.mean(axis=1, keepdims=True)
        if self.year:
            left = left - left.mean(axis=0, keepdims=True)
        return left

    def flat(self, figures: Figures) -> Figures:
        """Take the effects out and lay units and years in one axis: [N T] or [N T x K]."""
        return self.project(figures).reshape(self.n * self.t, *figures.shape[2:])


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Eigenvalues w of W, and what the likelihood needs of them."""

    values: NDArray[np.inexact[Any]]
    low: float
    high: float
    reduced: bool

    @classmethod
    def of(cls, weights: Weights, *, reduced: bool) -> Spectrum:
        """Find the eigenvalues and the interval (1 / w_min, 1 / w_max) of the real ones."""
        values = weights.eigenvalues()
        near_real = np.abs(values.imag) < 1e-9
        real = values.real[near_real]
        radius = float(np.abs(values).max())
        # Without a negative real eigenvalue only the radius bounds from below.
        lowest = float(real.min()) if real.size and real.min() < 0 else -radius
        return cls(values, 1 / lowest, 1 / float(real.max()), reduced)

    def log_determinant(self, spatial: float | Figures) -> Figures:
        """Give ln |I - s W| (of W* when reduced) for each s."""
        s = np.atleast_1d(np.asarray(spatial, dtype=np.float64))
        total: Figures = np.log(np.abs(1 - s[:, None] * self.values)).sum(axis=1)
        return total - np.log(1 - s) if self.reduced else total

    def slope(self, spatial: float) -> float:
        """Give the derivative of the log-determinant, -tr(W (I - s W)^-1)."""
        slope = -float((self.values / (1 - spatial * self.values)).sum().real)
        return slope + 1 / (1 - spatial) if self.reduced else slope


@dataclass(frozen=True, slots=True)
class Design:
    """Outcome y, regressors x and their spatial lags with effects taken out, [N T] and [N T x K].

    The raw figures `outcome` [N x T] and `columns` [N x T x K] stay, for what is measured in them.
    """

    units: tuple[str, ...]
    years: tuple[int, ...]
    names: tuple[str, ...]
    effects: Effects
    method: Method
    weights: Weights
    space: Space
    spectrum: Spectrum
    outcome: Figures
    columns: Figures
    y: Figures
    x: Figures
    wy: Figures
    wx: Figures


def design(
    panel: Panel,
    *,
    outcome: str,
    regressors: Sequence[str],
    weights: Weights,
    effects: Effects = "twoway",
    method: Method = "transform",
) -> Design:
    """Prepare a balanced panel for spatial models.

    `effects` "none" adds an intercept. Raises InputError for gaps (by unit and year), islands,
    year effects with weights whose rows don't sum to 1 under "transform", too few units or
    years, and regressors that the effects or other regressors explain.
    """
    if effects not in ("none", "unit", "year", "twoway"):
        raise InputError(f"effects is {effects!r}; allowed are none, unit, year and twoway")
    if method not in ("transform", "direct"):
        raise InputError(f"method is {method!r}; allowed are transform and direct")
    w = weights.aligned(panel.units)
    w.check_no_islands()
    unit, year = effects in ("unit", "twoway"), effects in ("year", "twoway")
    if year and method == "transform" and not w.is_row_standardised:
        raise InputError(
            f"Year effects need weights whose rows sum to 1 (these are {w.kind}): row-standardise "
            "them, or take method 'direct'"
        )
    n, t = panel.shape
    if n < 3 or (unit and t < 2):
        raise InputError(f"{n} units and {t} years are too few for effects {effects!r}")
    y = panel.get_complete(outcome)
    names = tuple(regressors)
    x = panel.stack(names) if names else np.empty((n, t, 0))
    if effects == "none":
        names, x = (*names, INTERCEPT), np.concatenate([x, np.ones((n, t, 1))], axis=2)
    space = Space(n, t, unit, year, method == "direct")
    flat = space.flat(x)
    check_columns(flat, x, names)
    return Design(
        panel.units,
        panel.years,
        names,
        effects,
        method,
        w,
        space,
        Spectrum.of(w, reduced=space.reduced),
        y,
        x,
        space.flat(y),
        flat,
        space.flat(w.lag(y)),
        space.flat(w.lag(x)),
    )


def check_columns(flat: Figures, raw: Figures, names: Sequence[str]) -> None:
    """Refuse a singular design, and name the first column that makes it so.

    `flat` [N T x K] are the columns with effects out of `raw` [N x T x K].
    """
    if not names:
        return
    lengths = np.linalg.norm(flat, axis=0)
    before = np.linalg.norm(raw.reshape(-1, raw.shape[2]), axis=0)
    for k, name in enumerate(names):
        if lengths[k] <= RANK_MIN * before[k] or lengths[k] == 0:
            raise InputError(f"{name!r} doesn't vary beyond the effects: leave it out")
    if len(names) >= len(flat):
        raise InputError(f"{len(names)} regressors for {len(flat)} observations")
    corner = np.linalg.qr(flat / lengths)[1]
    for k, name in enumerate(names):
        if abs(corner[k, k]) < RANK_MIN:
            raise InputError(f"{name!r} is collinear with {list(names[:k])}: leave one out")

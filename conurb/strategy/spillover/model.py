"""Spatial panels by exact maximum likelihood: SAR, SEM and SDM.

    SAR   y = lambda W y + X beta + effects + e                (spatial lag)
    SDM   y = lambda W y + X beta + W X theta + effects + e    (spatial Durbin)
    SEM   y = X beta + effects + u,   u = rho W u + e          (spatial error)

With s the spatial coefficient, M, c and the determinant as in `design`:

    ln L = -M/2 ln(2 pi sigma2) + c ln |I - s W| - e(s)'e(s) / (2 sigma2)

beta and sigma2 are concentrated out; s is the root of the derivative of what remains, found
between eigenvalue bounds to machine precision (grid, then Brent 1973). Standard errors are from the
expected information (Anselin 1988, Spatial Econometrics, ch. 6; Elhorst 2014, Spatial
Econometrics, ch. 3; Lee and Yu 2010), valid for independent errors of one variance; they aren't
robust to clustering.

Direct estimation with correction: at the true values the score of the direct likelihood has the
mean a != 0, so that the estimate is off by I^-1 a to the first order (Lee and Yu 2010); it is
subtracted. With unit effects alone that is the factor T / (T - 1) on sigma2.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.panel import Figures
from conurb.strategy.spillover.design import INTERCEPT, Design, check_columns

Model: TypeAlias = Literal["sar", "sem", "sdm"]

GRID: Final = 64
"""Points at which the likelihood is first looked at, so that no local maximum is taken."""
EDGE: Final = 1e-6
"""The share of the interval that is left at either end, where I - s W is singular."""
ROOT_TOLERANCE: Final = 1e-14
EXACT_SHARE: Final = 1e-20
"""The share of the outcome's squares below which what is left of it is rounding."""


@dataclass(frozen=True, slots=True)
class SpatialFit:
    """A fitted model.

    `names` are the regressors, for SDM also their lags ("W x"), with `beta` in that order;
    `spatial` is lambda (SAR, SDM) or rho (SEM). `covariance` is of (beta, spatial, sigma2).
    `log_likelihood` is at the maximum (before a correction). `residuals` [N x T] have the effects
    taken out.
    """

    model: Model
    design: Design
    names: tuple[str, ...]
    beta: Figures
    spatial: float
    sigma2: float
    covariance: Figures
    log_likelihood: float
    residuals: Figures
    corrected: bool

    @property
    def errors(self) -> Figures:
        """Give the standard errors of (beta, spatial, sigma2)."""
        return np.sqrt(np.diag(self.covariance))

    @property
    def z(self) -> Figures:
        """Give the z of (beta, spatial)."""
        return np.append(self.beta, self.spatial) / self.errors[:-1]

    @property
    def p(self) -> Figures:
        """Give the two-sided p of (beta, spatial)."""
        return np.array([math.erfc(abs(z) / math.sqrt(2)) for z in self.z])

    @property
    def aic(self) -> float:
        """Give Akaike's criterion; effects don't count as parameters."""
        return 2 * (len(self.beta) + 2) - 2 * self.log_likelihood


def fit(
    design: Design,
    model: Model,
    *,
    durbin: Sequence[str] | None = None,
    correct: bool = True,
) -> SpatialFit:
    """Fit one model by exact maximum likelihood.

    `durbin` names the regressors that come with a lag in SDM (all, when not given). `correct` is
    Lee and Yu's correction of direct estimates; transformed ones need none. Raises InputError for
    lags that are collinear, and when the likelihood has no maximum inside of the interval.
    """
    if model not in ("sar", "sem", "sdm"):
        raise InputError(f"model is {model!r}; allowed are sar, sem and sdm")
    if durbin is not None and model != "sdm":
        raise InputError(f"durbin says which lags SDM has; {model} has none")
    if model == "sem" and design.space.year and not design.weights.is_row_standardised:
        raise InputError(
            "A spatial error model with year effects needs weights whose rows sum to 1: under "
            f"others (these are {design.weights.kind}) the filter doesn't keep year effects apart"
        )
    names, x = _columns(design, model, durbin)
    if model == "sem":
        spatial, beta, residuals = _fit_error(design)
    else:
        spatial, beta, residuals = _fit_lag(design, x)
    space = design.space
    _check_left(design, float(residuals @ residuals))
    sigma2 = float(residuals @ residuals) / space.observations
    log_likelihood = float(
        -space.observations / 2 * (math.log(2 * math.pi * sigma2) + 1)
        + space.periods * design.spectrum.log_determinant(spatial)[0]
    )
    corrected = correct and space.direct and (space.unit or space.year)
    if corrected:
        beta, spatial, sigma2 = _corrected(design, model, x, beta, spatial, sigma2)
        residuals = _residuals(design, model, x, beta, spatial)
    information = _information(design, model, x, spatial, sigma2, residuals)
    return SpatialFit(
        model,
        design,
        names,
        beta,
        spatial,
        sigma2,
        np.asarray(np.linalg.inv(information)),
        log_likelihood,
        residuals.reshape(space.n, space.t),
        corrected,
    )


def _columns(
    design: Design, model: Model, durbin: Sequence[str] | None
) -> tuple[tuple[str, ...], Figures]:
    """Give names and columns [N T x K] of what multiplies beta (and theta)."""
    if model != "sdm":
        return design.names, design.x
    lagged = [name for name in design.names if name != INTERCEPT] if durbin is None else durbin
    unknown = [name for name in lagged if name not in design.names]
    if unknown:
        raise InputError(f"durbin names {unknown[0]!r}, which isn't a regressor")
    at = [design.names.index(name) for name in lagged]
    names = (*design.names, *(f"W {name}" for name in lagged))
    x = np.hstack([design.x, design.wx[:, at]])
    raw = np.concatenate([design.columns, design.weights.lag(design.columns[:, :, at])], axis=2)
    check_columns(x, raw, names)
    return names, x


def _check_left(design: Design, squares: float) -> None:
    """Refuse residuals that are rounding only: the likelihood has no bound."""
    if squares <= EXACT_SHARE * float(design.y @ design.y):
        raise InputError("The regressors explain the outcome exactly: there is no likelihood")


def _fit_lag(design: Design, x: Figures) -> tuple[float, Figures, Figures]:
    """Fit SAR or SDM: e(s) = e0 - s e1, residuals of y and of Wy on X."""
    q, r = np.linalg.qr(x)
    both = np.column_stack([design.y, design.wy])
    parts = q.T @ both
    left = both - q @ parts
    (c00, c01), (_, c11) = (left.T @ left).tolist()
    spatial = _maximise(
        design,
        lambda s: c00 - 2 * s * c01 + s * s * c11,
        lambda s: -2 * c01 + 2 * s * c11,
    )
    beta: Figures = np.linalg.solve(r, parts[:, 0] - spatial * parts[:, 1])
    return spatial, beta, left[:, 0] - spatial * left[:, 1]


def _fit_error(design: Design) -> tuple[float, Figures, Figures]:
    """Fit SEM: at each s, least squares of y - s Wy on X - s WX, from cross products."""
    # Orthonormal columns keep the cross products as well conditioned as the design is.
    q, r = np.linalg.qr(design.x)
    lagged = np.linalg.solve(r.T, design.wx.T).T
    z, wz = np.column_stack([design.y, q]), np.column_stack([design.wy, lagged])
    a0, a1, a2 = z.T @ z, z.T @ wz + wz.T @ z, wz.T @ wz

    def solution(s: float) -> Figures:
        a = a0 - s * a1 + s * s * a2
        gamma = np.linalg.solve(a[1:, 1:], a[1:, 0])
        return np.concatenate([[1.0], -gamma])

    def squares(s: float) -> float:
        b = solution(s)
        return float(b @ (a0 - s * a1 + s * s * a2) @ b)

    def slope(s: float) -> float:
        b = solution(s)
        return float(b @ (2 * s * a2 - a1) @ b)

    spatial = _maximise(design, squares, slope)
    b = solution(spatial)
    return spatial, np.linalg.solve(r, -b[1:]), (z - spatial * wz) @ b


def _maximise(
    design: Design, squares: Callable[[float], float], slope: Callable[[float], float]
) -> float:
    """Give the s that maximises -M/2 ln e'e(s) + c ln |I - s W|."""
    from scipy.optimize import brentq

    m, c, spectrum = design.space.observations, design.space.periods, design.spectrum
    margin = EDGE * (spectrum.high - spectrum.low)
    grid = np.linspace(spectrum.low + margin, spectrum.high - margin, GRID)
    errors = np.array([squares(s) for s in grid])
    _check_left(design, float(errors.min()))
    best = int(np.argmax(-m / 2 * np.log(errors) + c * spectrum.log_determinant(grid)))

    def score(s: float) -> float:
        return -m / 2 * slope(s) / squares(s) + c * spectrum.slope(s)

    low, high = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    if not score(low) > 0 > score(high):
        raise InputError(
            f"The likelihood has no maximum between {spectrum.low:.4g} and {spectrum.high:.4g}; "
            f"at the edge {grid[best]:.6g} it still rises: the model doesn't fit these weights"
        )
    return float(brentq(score, low, high, xtol=ROOT_TOLERANCE, rtol=4 * np.finfo(float).eps))


def _residuals(design: Design, model: Model, x: Figures, beta: Figures, spatial: float) -> Figures:
    if model == "sem":
        return design.y - design.x @ beta - spatial * (design.wy - design.wx @ beta)
    left: Figures = design.y - spatial * design.wy - x @ beta
    return left


def _multiplier(design: Design, spatial: float) -> tuple[Figures, Figures]:
    """Give G = W (I - s W)^-1, and G in the space that the determinant counts (J G J or G)."""
    w = design.weights.matrix
    # G commutes with W, so that one solve from the left gives it.
    g = np.asarray(np.linalg.solve(np.eye(len(w)) - spatial * w, w), dtype=np.float64)
    if not design.space.reduced:
        return g, g
    return g, g - g.mean(axis=0) - g.mean(axis=1)[:, None] + g.mean()


def _information(
    design: Design,
    model: Model,
    x: Figures,
    spatial: float,
    sigma2: float,
    residuals: Figures,
) -> Figures:
    """Give the expected information of (beta, spatial, sigma2)."""
    space = design.space
    g, star = _multiplier(design, spatial)
    k = x.shape[1]
    information = np.zeros((k + 2, k + 2))
    traces = float((star * star.T).sum() + (star * star).sum())
    information[k, k] = space.periods * traces
    information[k, k + 1] = information[k + 1, k] = space.periods * np.trace(star) / sigma2
    information[k + 1, k + 1] = space.observations / (2 * sigma2**2)
    if model == "sem":
        filtered = design.x - spatial * design.wx
        information[:k, :k] = filtered.T @ filtered / sigma2
        return information
    # Wy = its mean + G e: what the errors didn't bring is the mean.
    noise = g @ residuals.reshape(space.n, space.t)
    mean = design.wy - space.flat(noise)
    information[:k, :k] = x.T @ x / sigma2
    information[:k, k] = information[k, :k] = x.T @ mean / sigma2
    information[k, k] += mean @ mean / sigma2
    return information


def _corrected(
    design: Design, model: Model, x: Figures, beta: Figures, spatial: float, sigma2: float
) -> tuple[Figures, float, float]:
    """Subtract the first-order bias I^-1 a of direct estimates."""
    space = design.space
    if not space.year:
        return beta, spatial, sigma2 * space.t / (space.t - 1)
    g, _ = _multiplier(design, spatial)
    k = len(beta)
    trace = float(np.trace(g))
    kept = trace - float(g.sum()) / space.n
    score = np.zeros(k + 2)
    score[k] = -space.t * trace + (space.t - space.unit) * kept
    score[k + 1] = (space.freedom - space.observations) / (2 * sigma2)
    residuals = _residuals(design, model, x, beta, spatial)
    information = _information(design, model, x, spatial, sigma2, residuals)
    better = np.append(beta, (spatial, sigma2)) - np.linalg.solve(information, score)
    return better[:k], float(better[k]), float(better[k + 1])

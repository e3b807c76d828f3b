"""Data and likelihoods that the tests of spillover hold results against.

The likelihoods are written anew, dense and slow: explicit orthonormal bases and slogdet for the
transformed models, dummies in full for the direct ones.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import null_space
from scipy.optimize import minimize_scalar

from conurb.strategy.panel import Figures, Panel
from conurb.strategy.spillover.distance import k_nearest
from conurb.strategy.spillover.weights import Weights

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data" / "reference"
needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason=f"the reference data aren't here ({SHARED.name})"
)


def read_matrix(name: str) -> Weights:
    with (SHARED / name).open() as file:
        rows = list(csv.reader(file))
    matrix = np.array([[float(value) for value in row[1:]] for row in rows[1:]])
    return Weights(tuple(rows[0][1:]), matrix / matrix.sum(axis=1, keepdims=True), name)


def read_produc() -> tuple[Panel, Weights]:
    """Give Munnell's 48 states in logarithms, and their contiguity (Millo and Piras 2012)."""
    weights = read_matrix("usaww_48states.csv")
    panel = Panel.from_csv(SHARED / "Produc.csv", unit="state", time="year")
    logs = {f"log {name}": np.log(panel.get(name)) for name in ("gsp", "pcap", "pc", "emp")}
    return panel.with_columns(logs).select(units=weights.units), weights


def made_up_weights(n: int, seed: int, *, k: int = 4) -> Weights:
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.uniform(115, 122, n), rng.uniform(27, 34, n)])
    return k_nearest([f"u{i}" for i in range(n)], points, k=k).row_standardised()


def simulate(
    weights: Weights,
    t: int,
    seed: int,
    *,
    lag: float = 0.0,
    error: float = 0.0,
    beta: tuple[float, ...] = (1.0, -0.5),
    theta: tuple[float, ...] = (0.0, 0.0),
    noise: float = 1.0,
) -> Panel:
    """Draw a panel with unit and year effects that are correlated with the regressors."""
    rng = np.random.default_rng(seed)
    n, w = len(weights.units), weights.matrix
    unit, year = rng.normal(size=(n, 1)), rng.normal(size=(1, t))
    x = rng.normal(size=(n, t, len(beta))) + 0.5 * (unit + year)[:, :, None]
    u = np.linalg.solve(np.eye(n) - error * w, noise * rng.normal(size=(n, t)))
    right = x @ np.array(beta) + weights.lag(x) @ np.array(theta) + unit + year + u
    y = np.linalg.solve(np.eye(n) - lag * w, right)
    columns = {"y": y} | {f"x{k + 1}": x[:, :, k] for k in range(len(beta))}
    return Panel(weights.units, tuple(range(2000, 2000 + t)), columns)


def _bases(n: int, t: int, *, unit: bool, year: bool) -> tuple[Figures, Figures]:
    over_units = null_space(np.ones((1, n))).T if year else np.eye(n)
    over_years = null_space(np.ones((1, t))).T if unit else np.eye(t)
    return over_units, over_years


def transformed_lag(
    y: Figures, x: Figures, w: Figures, *, unit: bool, year: bool
) -> tuple[float, Figures, float, float]:
    """Give (lambda, beta, sigma2, ln L) of Lee and Yu's transformed SAR, by its definition."""
    n, t = y.shape
    fn, ft = _bases(n, t, unit=unit, year=year)
    small = fn @ w @ fn.T
    ys = fn @ y @ ft.T
    xs = np.einsum("ai,itk,bt->abk", fn, x, ft).reshape(-1, x.shape[2])

    def parts(s: float) -> tuple[Figures, float, float]:
        left = (ys - s * small @ ys).ravel()
        beta = np.linalg.lstsq(xs, left, rcond=None)[0]
        sigma2 = float(((left - xs @ beta) ** 2).mean())
        log = np.linalg.slogdet(np.eye(len(small)) - s * small)[1] * ft.shape[0]
        return beta, sigma2, -left.size / 2 * (math.log(2 * math.pi * sigma2) + 1) + log

    best = minimize_scalar(lambda s: -parts(s)[2], bounds=(-0.99, 0.99), method="bounded",
                           options={"xatol": 1e-10})  # fmt: skip
    return (float(best.x), *parts(best.x))


def transformed_error(
    y: Figures, x: Figures, w: Figures, *, unit: bool, year: bool
) -> tuple[float, Figures, float, float]:
    """Give (rho, beta, sigma2, ln L) of the transformed SEM, by its definition."""
    n, t = y.shape
    fn, ft = _bases(n, t, unit=unit, year=year)
    small = fn @ w @ fn.T
    ys = fn @ y @ ft.T
    xs = np.einsum("ai,itk,bt->abk", fn, x, ft)

    def parts(s: float) -> tuple[Figures, float, float]:
        r = np.eye(len(small)) - s * small
        left = (r @ ys).ravel()
        right = np.einsum("ab,btk->atk", r, xs).reshape(-1, x.shape[2])
        beta = np.linalg.lstsq(right, left, rcond=None)[0]
        sigma2 = float(((left - right @ beta) ** 2).mean())
        log = np.linalg.slogdet(r)[1] * ft.shape[0]
        return beta, sigma2, -left.size / 2 * (math.log(2 * math.pi * sigma2) + 1) + log

    best = minimize_scalar(lambda s: -parts(s)[2], bounds=(-0.99, 0.99), method="bounded",
                           options={"xatol": 1e-10})  # fmt: skip
    return (float(best.x), *parts(best.x))


def dummies_lag(y: Figures, x: Figures, w: Figures) -> tuple[float, Figures, float]:
    """Give (lambda, beta, ln L) of SAR with every unit and year dummy as a regressor."""
    n, t = y.shape
    dummy = np.hstack([np.kron(np.eye(n), np.ones((t, 1))), np.kron(np.ones((n, 1)), np.eye(t))])
    right = np.hstack([x.reshape(n * t, -1), dummy[:, :-1]])

    def parts(s: float) -> tuple[Figures, float]:
        left = (y - s * w @ y).ravel()
        beta = np.linalg.lstsq(right, left, rcond=None)[0]
        sigma2 = float(((left - right @ beta) ** 2).mean())
        log = np.linalg.slogdet(np.eye(n) - s * w)[1] * t
        return beta, -left.size / 2 * (math.log(2 * math.pi * sigma2) + 1) + log

    best = minimize_scalar(lambda s: -parts(s)[1], bounds=(-0.99, 0.99), method="bounded",
                           options={"xatol": 1e-10})  # fmt: skip
    beta, log = parts(best.x)
    return float(best.x), beta[: x.shape[2]], log

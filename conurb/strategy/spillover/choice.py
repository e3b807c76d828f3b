"""Which spatial model: Lagrange multiplier tests on residuals, likelihood ratios between models.

At lambda = rho = 0, with e the residuals of least squares, sigma2 = e'e / M and W, c, M in the
space of `design`, the scores and their information (beta and sigma2 partialled out) are

    d_lag = e'Wy / sigma2 - c tr(W)          I_lag = T0 + (WXb)' Q (WXb) / sigma2
    d_err = e'We / sigma2 - c tr(W)          I_err = I_both = T0
    T0 = c tr(W W + W'W) - 2 (c tr W)^2 / M        Q: residuals on X

LM = d^2 / I; the robust form of each allows for the other (Anselin, Bera, Florax and Yoon 1996,
Regional Science and Urban Economics 26:77-104); panels: Elhorst 2010, Spatial
Economic Analysis 5:9-28. Once year effects are transformed out, tr(W) isn't zero, which is why it
stands here.

LR: SDM against SAR (theta = 0) and against SEM (theta = -lambda beta), K degrees of freedom each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from conurb.errors import InputError
from conurb.strategy.spillover.design import INTERCEPT, Design
from conurb.strategy.spillover.model import Model, SpatialFit, fit

LEVEL: Final = 0.05


@dataclass(frozen=True, slots=True)
class Statistic:
    """One test: what is tested, statistic, degrees of freedom, p of chi-squared."""

    name: str
    statistic: float
    freedom: int
    p: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The tests, the three fits, and what they speak for (`model`) with the reason in words."""

    model: Model | None
    reason: str
    lm: tuple[Statistic, ...]
    lr: tuple[Statistic, ...]
    sar: SpatialFit
    sem: SpatialFit
    sdm: SpatialFit


def _statistic(name: str, statistic: float, freedom: int) -> Statistic:
    from scipy.special import chdtrc

    return Statistic(name, statistic, freedom, float(chdtrc(freedom, max(statistic, 0.0))))


def lm_tests(design: Design) -> tuple[Statistic, Statistic, Statistic, Statistic]:
    """Test least-squares residuals for lag and error: lag, error, robust lag, robust error.

    Raises InputError for direct designs with year effects: estimating those effects moves the mean
    of the scores away from zero by as much as they spread.
    """
    if design.space.direct and design.space.year:
        raise InputError("LM tests under year effects need a design of method 'transform'")
    space, w = design.space, design.weights.matrix
    q = np.linalg.qr(design.x)[0]
    fitted = q @ (q.T @ design.y)
    e = design.y - fitted
    sigma2 = float(e @ e) / space.observations
    # W e and W X b: W commutes with taking effects out of what had them taken out (design).
    lagged = space.flat(design.weights.lag(e.reshape(space.n, space.t)))
    star = w - w.mean(axis=0) - w.mean(axis=1)[:, None] + w.mean() if space.reduced else w
    trace = space.periods * float(np.trace(star))
    t0 = space.periods * float((star * star.T).sum() + (star * star).sum())
    t0 -= 2 * trace**2 / space.observations
    d_lag = float(e @ design.wy) / sigma2 - trace
    d_err = float(e @ lagged) / sigma2 - trace
    mean = design.wy - lagged
    rest = mean - q @ (q.T @ mean)
    i_lag = t0 + float(rest @ rest) / sigma2
    more = i_lag - t0
    if not more > 0:
        raise InputError("The lag of the fitted outcome is explained by the regressors: no LM test")
    return (
        _statistic("LM lag", d_lag**2 / i_lag, 1),
        _statistic("LM error", d_err**2 / t0, 1),
        _statistic("robust LM lag", (d_lag - d_err) ** 2 / more, 1),
        _statistic("robust LM error", (d_err - t0 / i_lag * d_lag) ** 2 / (t0 - t0**2 / i_lag), 1),
    )


def log_likelihood_without_space(design: Design) -> float:
    """Give the log-likelihood of the model without any spatial term."""
    q = np.linalg.qr(design.x)[0]
    e = design.y - q @ (q.T @ design.y)
    m = design.space.observations
    return -m / 2 * (math.log(2 * math.pi * float(e @ e) / m) + 1)


def choose(design: Design, *, level: float = LEVEL, durbin: Sequence[str] | None = None) -> Choice:
    """Fit SAR, SEM and SDM and say which the tests speak for.

    SDM when both restrictions are rejected; else the one that isn't, when the robust LM tests
    point to it (the larger one, and significant); SDM when they disagree; None when neither LM
    test finds anything and neither restriction is rejected (after Elhorst 2010). A choice by
    tests on the same data makes later p values too small: report all three.
    """
    lm = lm_tests(design)
    sar, sem, sdm = fit(design, "sar"), fit(design, "sem"), fit(design, "sdm", durbin=durbin)
    lags = len(sdm.beta) - len(sar.beta)
    everything = lags == len([name for name in design.names if name != INTERCEPT])
    pairs = [("SDM against SAR", sar)] + ([("SDM against SEM", sem)] if everything else [])
    nothing = log_likelihood_without_space(design)
    lr = [
        _statistic(f"LR {name}", 2 * (sdm.log_likelihood - small.log_likelihood), lags)
        for name, small in pairs
    ]
    lr += [
        _statistic(f"LR {name} against none", 2 * (one.log_likelihood - nothing), 1)
        for name, one in (("SAR", sar), ("SEM", sem))
    ]
    model, reason = _speak(lm, lr, level, tested=everything)
    return Choice(model, reason, lm, tuple(lr), sar, sem, sdm)


def _speak(
    lm: Sequence[Statistic], lr: Sequence[Statistic], level: float, *, tested: bool
) -> tuple[Model | None, str]:
    lag, error = lm[2], lm[3]
    not_sar = lr[0].p < level
    not_sem = lr[1].p < level if tested else True
    if not_sar and not_sem:
        return "sdm", "SDM can't be reduced to SAR" + (" or to SEM" if tested else "")
    if not (not_sar or not_sem or lm[0].p < level or lm[1].p < level):
        return None, "no test finds spatial dependence"
    if not not_sar and lag.p < level and lag.statistic > error.statistic:
        return "sar", "SDM reduces to SAR, and the robust LM tests point to a lag"
    if not not_sem and error.p < level and error.statistic > lag.statistic:
        return "sem", "SDM reduces to SEM, and the robust LM tests point to an error"
    return "sdm", "LM and LR tests disagree: SDM holds both"

"""PSM-DID: treated units against comparison units of like propensity.

By cohort: a logit of treatment on covariates in the year before, then the change of each treated
unit (mean after less mean before treatment) against the weighted change of its matches among the
never treated. Heckman, Ichimura and Todd (1997); standard errors take the matches as given (Abadie
and Imbens 2006, without the part from the estimated score), since a bootstrap isn't valid for
nearest neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.estimate import LEVEL, Estimate, estimate_of
from conurb.strategy.effect.study import Study, name_units
from conurb.strategy.effect.twoperiod import OverlapError, logit
from conurb.strategy.linear import check_rank
from conurb.strategy.panel import Figures

Kind: TypeAlias = Literal["nearest", "kernel"]

BANDWIDTH = 0.06
"""Half-width of the Epanechnikov kernel on the propensity, the common default."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The estimate, who found no match, and how alike the groups are before and after matching.

    `balance` gives, by covariate, the standardised difference of means before and after, in
    standard deviations of the treated.
    """

    overall: Estimate
    unmatched: tuple[str, ...]
    balance: Mapping[str, tuple[float, float]]


def match(
    study: Study,
    *,
    kind: Kind = "nearest",
    neighbours: int = 1,
    caliper: float | None = None,
    bandwidth: float = BANDWIDTH,
    level: float = LEVEL,
) -> Matched:
    """Estimate the effect on the treated by propensity score matching and DID.

    `nearest` takes the `neighbours` nearest in propensity (with replacement; none farther than
    `caliper`), `kernel` weighs all within `bandwidth`. Treated units without a match are left out
    and named. Raises InputError without covariates or never treated units, for collinear
    covariates, and OverlapError when covariates separate the groups.
    """
    whole = study.balanced()
    _check(whole, kind, neighbours)
    pieces = [
        _cohort(whole, int(g), kind=kind, neighbours=neighbours, caliper=caliper, width=bandwidth)
        for g in whole.cohorts
    ]
    weights = np.concatenate([w for w, _, _, _ in pieces])
    gains = np.concatenate([gain for _, gain, _, _ in pieces])
    who = np.concatenate([np.flatnonzero(whole.first == g) for g in whole.cohorts])
    found = weights.sum(axis=1) > 0
    if not found.any():
        raise InputError("No treated unit has a match; widen the caliper or the bandwidth")
    drifts = np.concatenate([w @ drift for w, _, drift, _ in pieces])
    effects = (gains - drifts)[found]
    value = float(effects.mean())
    error = _error(pieces, effects, value, int(found.sum()))
    unmatched = tuple(whole.units[i] for i in who[~found])
    notes = list(whole.notes)
    if unmatched:
        notes.append(f"without a match: {name_units(unmatched)}")
    return Matched(
        estimate_of(
            f"PSM-DID, {kind}",
            value,
            error,
            n_units=int(found.sum() + (weights[found] > 0).any(axis=0).sum()),
            n_observations=whole.outcome.size,
            level=level,
            notes=notes,
        ),
        unmatched,
        _balance(whole, weights, who),
    )


_Piece: TypeAlias = tuple[Figures, Figures, Figures, int]


def _cohort(
    study: Study, g: int, *, kind: Kind, neighbours: int, caliper: float | None, width: float
) -> _Piece:
    """Give a cohort's weights [n x m], changes of treated [n] and of comparison units [m]."""
    members = study.first == g
    used = members | study.never
    x = np.concatenate([np.ones((int(used.sum()), 1)), study.covariates[used, g - 1]], axis=1)
    check_rank(x, ("constant", *study.covariate_names))
    try:
        p, _ = logit(members[used], x)
    except OverlapError as error:
        raise OverlapError(f"Cohort {study.years[g]}: {error}") from error
    gaps = np.abs(p[members[used]][:, None] - p[study.never[used]][None])
    if kind == "kernel":
        weights = np.maximum(1 - (gaps / width) ** 2, 0.0)
    else:
        nearest = np.argsort(gaps, axis=1, kind="stable")[:, :neighbours]
        weights = np.zeros_like(gaps)
        np.put_along_axis(weights, nearest, 1.0, axis=1)
        if caliper is not None:
            weights[gaps > caliper] = 0.0
    totals = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, totals, out=np.zeros_like(weights), where=totals > 0)
    change = study.outcome[:, g:].mean(axis=1) - study.outcome[:, :g].mean(axis=1)
    return weights, change[members], change[study.never], g


def _error(pieces: list[_Piece], effects: Figures, value: float, n: int) -> float:
    """Give the standard error: spread of effects, and of comparison units by how often they serve.

    Var = sum_i (tau_i - tau)^2 / n^2 + sum_j (K_j^2 - sum_i w_ij^2) s^2 / n^2. The first part holds
    the noise of a match that serves once; the second adds what is shared by matches that serve
    several treated units, K_j being their total weight and s^2 the variance of their changes.
    """
    served = np.sum([w.sum(axis=0) for w, _, _, _ in pieces], axis=0)
    own = np.sum([(w**2).sum(axis=0) for w, _, _, _ in pieces], axis=0)
    drift = np.mean([d for _, _, d, _ in pieces], axis=0)
    noise = float(np.var(drift[served > 0], ddof=1)) if (served > 0).sum() > 1 else 0.0
    shared = float((served**2 - own).sum()) * noise
    return float(np.sqrt(((effects - value) ** 2).sum() + shared) / n)


def _balance(study: Study, weights: Figures, who: np.ndarray) -> dict[str, tuple[float, float]]:
    """Give standardised differences by covariate, in the year before treatment."""
    found = weights.sum(axis=1) > 0
    balance = {}
    for k, name in enumerate(study.covariate_names):
        treated = np.array([study.covariates[i, study.first[i] - 1, k] for i in who])
        others = np.array([study.covariates[study.never, study.first[i] - 1, k] for i in who])
        spread = float(treated.std(ddof=1)) if len(treated) > 1 else float("nan")
        matched = (weights * others).sum(axis=1)
        before = float(treated.mean() - others.mean()) / spread
        after = float((treated - matched)[found].mean()) / spread
        balance[name] = (before, after)
    return balance


def _check(study: Study, kind: str, neighbours: int) -> None:
    if kind not in ("nearest", "kernel"):
        raise InputError(f"No kind of matching {kind!r}; there are 'nearest' and 'kernel'")
    if not study.covariate_names:
        raise InputError("Matching needs covariates to be alike in")
    if not study.never.any():
        raise InputError("Matching needs never treated units")
    if neighbours < 1:
        raise InputError(f"Neighbours are counted from 1, not {neighbours}")

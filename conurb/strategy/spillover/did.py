"""Difference in differences when neighbours feel the treatment too: spatial DID and rings.

Spatial DID (Delgado and Florax 2015, Economics Letters 137:123-126):

    y_it = a D_it + b (W D)_it + x_it g + mu_i + alpha_t + e_it

D is 1 from a unit's treatment on; (W D) is the share (or weight) of its neighbours treated by
then. a is the effect of one's own treatment, b that of all neighbours being treated; the average
indirect effect on who has treated neighbours is b times the mean of W D there. `split` lets b
differ between units treated by then and not (Chagas, Azzoni and Almeida 2016, Regional Science
and Urban Economics 59:24-36).

Rings (Clarke 2017, Estimating Difference-in-Differences in the Presence of Spillovers; Butts 2021,
arXiv 2105.03737): in place of W D, a dummy per ring of distance to the nearest unit treated by
then, for units that aren't treated themselves:

    y_it = a D_it + sum_k b_k (1 - D_it) 1[r_{k-1} < dist_it <= r_k] + x_it g + effects + e_it

Beyond the last ring is the comparison group. Both are two-way fixed effects: with treatments at
different times and effects that change, they weigh cohorts in ways that nobody chose (Goodman-
Bacon 2021); a StrategyWarning says so. Errors are clustered by unit.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.strategy.linear import Fit, TwoWay, fit_within
from conurb.strategy.panel import Figures, Panel, name_cells
from conurb.strategy.spillover.weights import Weights
from conurb.strategy.warning import StrategyWarning

OWN: Final = "treated"


@dataclass(frozen=True, slots=True)
class SpillEffect:
    """What treatment does to the treated and around them.

    `fit` holds coefficients, clustered covariance and residuals by name. `exposure` [N x T x K]
    are the spillover regressors, `exposed` the unit-years in which each isn't zero. `indirect` is
    each coefficient times the mean of its regressor where that isn't zero, with `indirect_error`.
    """

    fit: Fit
    names: tuple[str, ...]
    exposure: Figures
    exposed: tuple[int, ...]
    indirect: Figures
    indirect_error: Figures


def spatial_did(
    panel: Panel,
    *,
    outcome: str,
    treatment: str,
    weights: Weights,
    covariates: Sequence[str] = (),
    split: bool = False,
) -> SpillEffect:
    """Estimate the effects of own and of neighbours' treatment.

    Raises InputError for gaps, islands, a treatment that isn't 0/1, switches off or leaves nobody
    to compare with, and regressors that are collinear. Source: Delgado and Florax 2015.
    """
    treated = _treated(panel, treatment)
    w = weights.aligned(panel.units)
    w.check_no_islands()
    near = w.lag(treated)
    if split:
        exposure = np.stack([near * treated, near * (1 - treated)], axis=2)
        names: tuple[str, ...] = ("neighbours of treated", "neighbours of untreated")
    else:
        exposure, names = near[:, :, None], ("neighbours treated",)
    return _estimate(panel, outcome, treated, exposure, names, covariates)


def ring_did(
    panel: Panel,
    *,
    outcome: str,
    treatment: str,
    distance_km: ArrayLike,
    edges_km: Sequence[float],
    covariates: Sequence[str] = (),
) -> SpillEffect:
    """Estimate the effects of treatment and of being within rings around the treated.

    `distance_km` [N x N] between units; `edges_km` ascending, the first ring is (0, edges[0]].
    Errors as in `spatial_did`; a ring in which nobody ever is, or beyond which nobody is left to
    compare with, is an InputError. Sources: Clarke 2017; Butts 2021.
    """
    treated = _treated(panel, treatment)
    exposure, names = rings(
        treated, distance_km=np.asarray(distance_km, dtype=np.float64), edges_km=edges_km
    )
    for k, name in enumerate(names):
        if not exposure[:, :, k].any():
            raise InputError(f"No untreated unit is ever {name}: merge it with another ring")
    if not (exposure.sum(axis=2) + treated == 0).all(axis=1).any():
        raise InputError(
            f"Every unit is treated, or within {edges_km[-1]:g} km of one, at some time: nobody is "
            "left to compare with"
        )
    return _estimate(panel, outcome, treated, exposure, names, covariates)


def rings(
    treated: Figures, *, distance_km: Figures, edges_km: Sequence[float]
) -> tuple[Figures, tuple[str, ...]]:
    """Give ring dummies [N x T x K] of untreated unit-years, and the names of the rings."""
    n = len(treated)
    if distance_km.shape != (n, n) or not (distance_km >= 0).all():
        raise InputError(f"Distances must be [{n} x {n}], not negative and without gaps")
    edges = np.asarray(edges_km, dtype=np.float64)
    if not len(edges) or edges[0] <= 0 or not (np.diff(edges) > 0).all():
        raise InputError(f"edges_km must be positive and ascend, not {list(edges_km)}")
    active = np.where(treated.T[:, None, :] == 1, distance_km[None], np.inf)
    nearest = active.min(axis=2).T
    lower = np.concatenate([[-np.inf], edges[:-1]])
    within = (nearest[:, :, None] > lower) & (nearest[:, :, None] <= edges)
    dummies = (within & (treated == 0)[:, :, None]).astype(np.float64)
    starts = np.concatenate([[0.0], edges[:-1]])
    names = tuple(f"{a:g} to {b:g} km" for a, b in zip(starts, edges, strict=True))
    return dummies, names


def _treated(panel: Panel, treatment: str) -> Figures:
    d = panel.get_complete(treatment)
    wrong = (d != 0) & (d != 1)
    if wrong.any():
        where = name_cells(panel.units, panel.years, wrong)
        raise InputError(f"{treatment!r} must be 0 or 1; it isn't for {where}")
    off = np.zeros_like(wrong)
    off[:, 1:] = np.diff(d, axis=1) < 0
    if off.any():
        raise InputError(
            f"{treatment!r} switches off in {name_cells(panel.units, panel.years, off)}: a "
            "treatment must last"
        )
    if not d.any():
        raise InputError(f"Nobody is treated: {treatment!r} is 0 everywhere")
    if not (d == 0).all(axis=1).any():
        raise InputError(f"Everybody is treated in the end: {treatment!r} leaves no comparison")
    always = (d == 1).all(axis=1)
    if always.any():
        names = [panel.units[i] for i in np.flatnonzero(always)]
        warnings.warn(
            f"{', '.join(names[:5])} ({len(names)} in all) are treated from the first year on and "
            "tell nothing about the effect",
            StrategyWarning,
            stacklevel=3,
        )
    starts = {int(np.argmax(row)) for row in d if row.any() and not row.all()}
    if len(starts) > 1:
        years = [panel.years[t] for t in sorted(starts)]
        warnings.warn(
            f"Treatment starts in {years}: two-way fixed effects compare cohorts with each other, "
            "which is biased when effects change over time",
            StrategyWarning,
            stacklevel=3,
        )
    return d


def _estimate(
    panel: Panel,
    outcome: str,
    treated: Figures,
    exposure: Figures,
    names: tuple[str, ...],
    covariates: Sequence[str],
) -> SpillEffect:
    y = panel.get_complete(outcome)
    parts = [treated[:, :, None], exposure]
    if covariates:
        parts.append(panel.stack(covariates))
    effects = TwoWay.of(np.ones(panel.shape, dtype=bool))
    fit = fit_within(y, np.concatenate(parts, axis=2), (OWN, *names, *covariates), effects=effects)
    cells = exposure != 0
    counts = cells.sum(axis=(0, 1))
    means = exposure.sum(axis=(0, 1)) / np.maximum(counts, 1)
    at = slice(1, 1 + len(names))
    errors = np.sqrt(np.diag(fit.covariance)[at])
    return SpillEffect(
        fit,
        names,
        exposure,
        tuple(int(count) for count in counts),
        fit.coefficients[at] * means,
        errors * means,
    )

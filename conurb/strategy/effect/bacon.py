"""Goodman-Bacon: which comparisons the two-way fixed effects coefficient is made of.

beta = sum_k s_k beta_k over all pairs of cohorts: treated against never treated, earlier against
later (before the later begin), and later against earlier (which are treated already: effects that
grow make these go wrong). Source: Goodman-Bacon (2021), Journal of Econometrics 225, theorem 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from conurb.errors import InputError
from conurb.strategy.effect.study import Study
from conurb.strategy.linear import Flags


@dataclass(frozen=True, slots=True)
class Comparison:
    """One two-by-two comparison: `treated` cohort (year) against `control` (year, None is never).

    `kind` is "treated vs never", "earlier vs later" or "later vs earlier".
    """

    treated: int
    control: int | None
    kind: str
    estimate: float
    weight: float


@dataclass(frozen=True, slots=True)
class Bacon:
    """All comparisons; weights sum to 1, and the weighted sum is the TWFE coefficient."""

    comparisons: tuple[Comparison, ...]
    coefficient: float

    def share(self, kind: str) -> float:
        """Give the total weight of one kind of comparison."""
        return sum(c.weight for c in self.comparisons if c.kind == kind)

    def mean(self, kind: str) -> float:
        """Give the weighted mean estimate of one kind; NaN when there is none."""
        total = self.share(kind)
        if not total:
            return float("nan")
        return sum(c.weight * c.estimate for c in self.comparisons if c.kind == kind) / total


def bacon(study: Study) -> Bacon:
    """Decompose the static two-way fixed effects coefficient, without covariates.

    Units with a missing year are left out, with a warning. Raises InputError with covariates.
    """
    if study.covariate_names:
        raise InputError("The decomposition takes no covariates")
    whole = study.balanced()
    found = [*_against_never(whole), *_against_timing(whole)]
    total = sum(c.weight for c in found)
    scaled = tuple(
        Comparison(c.treated, c.control, c.kind, c.estimate, c.weight / total) for c in found
    )
    return Bacon(scaled, sum(c.weight * c.estimate for c in scaled))


def _against_never(study: Study) -> Iterator[Comparison]:
    if not study.never.any():
        return
    n = len(study.units)
    every = np.ones(len(study.years), dtype=bool)
    for k in study.cohorts:
        members = study.first == k
        share = members.sum() / (members.sum() + study.never.sum())
        size = (members.sum() + study.never.sum()) / n
        on = 1 - k / len(study.years)
        yield Comparison(
            study.years[k],
            None,
            "treated vs never",
            _difference(study, members, study.never, after=int(k), within=every),
            float(size**2 * share * (1 - share) * on * (1 - on)),
        )


def _against_timing(study: Study) -> Iterator[Comparison]:
    n, years = len(study.units), np.arange(len(study.years))
    for j, k in enumerate(study.cohorts):
        for later in study.cohorts[j + 1 :]:
            early, late = study.first == k, study.first == later
            size = (early.sum() + late.sum()) / n
            share = early.sum() / (early.sum() + late.sum())
            spread = share * (1 - share)
            on_early, on_late = 1 - k / len(years), 1 - later / len(years)
            gap = on_early - on_late
            yield Comparison(
                study.years[k],
                study.years[later],
                "earlier vs later",
                _difference(study, early, late, after=int(k), within=years < later),
                float(size**2 * spread * gap * (1 - on_early)),
            )
            yield Comparison(
                study.years[later],
                study.years[k],
                "later vs earlier",
                _difference(study, late, early, after=int(later), within=years >= k),
                float(size**2 * spread * gap * on_late),
            )


def _difference(
    study: Study, treated: Flags, control: Flags, *, after: int, within: Flags
) -> float:
    """Give the two-by-two difference in differences, after against before `after`."""
    late = within & (np.arange(len(study.years)) >= after)
    early = within & ~late
    paths = study.outcome[treated].mean(axis=0) - study.outcome[control].mean(axis=0)
    return float(paths[late].mean() - paths[early].mean())

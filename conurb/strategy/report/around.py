"""What happens around: are neighbours alike, and does a city's figure move those next to it?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from conurb.errors import ConurbError
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.panel import Panel
from conurb.strategy.report.subject import LN_AFFLUENCE, OUTCOME, OUTCOME_OTHER, SERVICES
from conurb.strategy.spillover.choice import Choice, choose
from conurb.strategy.spillover.design import design
from conurb.strategy.spillover.did import SpillEffect, spatial_did
from conurb.strategy.spillover.distance import k_nearest
from conurb.strategy.spillover.impacts import Impacts, impacts
from conurb.strategy.spillover.moran import Lisa, Moran, lisa, moran_by_year
from conurb.strategy.spillover.weights import Weights
from conurb.strategy.warning import StrategyWarning

NEIGHBOURS: Final = 5
YEARS: Final = range(2005, 2020)
"""Residents are published for every city from 2005 on; later years are those of the pandemic."""
REGRESSORS: Final = (LN_AFFLUENCE, SERVICES)
SEED: Final = 1
STATUS: Final = "treated"


@dataclass(frozen=True, slots=True)
class Around:
    """Autocorrelation by year of the outcome, and of the other inventory's where every unit has it;
    local clusters of the last year; the spatial models with the impacts of the Durbin model; and
    the treatment's effect on neighbours (None, with the reason in `refused`, where a part can't be
    had)."""

    outcome: str
    other: str | None
    weights: Weights
    years: tuple[int, ...]
    moran: Mapping[int, Moran]
    moran_other: Mapping[int, Moran]
    local: Lisa
    local_year: int
    choice: Choice | None
    impacts: Impacts | None
    did: SpillEffect | None
    refused: Mapping[str, str]
    warnings: tuple[str, ...]


def study_around(  # noqa: PLR0913 - every choice of the section has a name
    panel: Panel,
    centres: Mapping[str, tuple[float, float]],
    treatment: Treatment,
    *,
    outcome: str = OUTCOME,
    other: str | None = OUTCOME_OTHER,
    regressors: Sequence[str] = REGRESSORS,
    years: Sequence[int] = YEARS,
    neighbours: int = NEIGHBOURS,
    seed: int = SEED,
) -> Around:
    """Ask what is spatial about an outcome, with the nearest centres as neighbours.

    Errors of Moran's I as in `moran_by_year`; what the models can't do is in `refused`.
    """
    rng = np.random.default_rng(seed)
    chosen = panel.select(years=[year for year in panel.years if year in set(years)])
    points = [centres[unit] for unit in chosen.units]
    weights = k_nearest(chosen.units, points, k=neighbours).row_standardised()
    refused: dict[str, str] = {}
    choice, effects, did = None, None, None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StrategyWarning)
        try:
            prepared = design(chosen, outcome=outcome, regressors=regressors, weights=weights)
            choice = choose(prepared)
            effects = impacts(choice.sdm)
        except ConurbError as error:
            refused["models"] = error.detail
        try:
            told = chosen.with_columns({STATUS: treatment.status(chosen)})
            did = spatial_did(told, outcome=outcome, treatment=STATUS, weights=weights)
        except ConurbError as error:
            refused["did"] = error.detail
    last = chosen.years[-1]
    return Around(
        outcome=outcome,
        other=other,
        weights=weights,
        years=chosen.years,
        moran=moran_by_year(chosen, outcome, weights),
        moran_other=_complete_years(chosen, other, weights),
        local=lisa(chosen.get_complete(outcome)[:, -1], weights, rng=rng),
        local_year=last,
        choice=choice,
        impacts=effects,
        did=did,
        refused=refused,
        warnings=tuple(dict.fromkeys(str(one.message) for one in caught)),
    )


def _complete_years(panel: Panel, column: str | None, weights: Weights) -> Mapping[int, Moran]:
    """Test a column in the years in which every unit has it."""
    if column is None or column not in panel.columns:
        return {}
    there = np.asarray(np.isfinite(panel.get(column)).all(axis=0))
    years = [year for year, flag in zip(panel.years, there, strict=True) if flag]
    return moran_by_year(panel.select(years=years), column, weights) if years else {}

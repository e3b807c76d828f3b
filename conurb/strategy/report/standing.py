"""Where cities stand: an index over the years that it has figures for, and how sure ranks are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from conurb.errors import InputError
from conurb.strategy.index.definition import read_definition
from conurb.strategy.index.method import Method
from conurb.strategy.index.score import Scores, check_computable, score
from conurb.strategy.index.tree import Definition
from conurb.strategy.index.uncertainty import DRAWS, RankUncertainty, rank_uncertainty
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning

SEED: Final = 1
DEFINITION: Final = "green-development"
DEFINITION_OTHER: Final = "green-development-ceads"


@dataclass(frozen=True, slots=True)
class Standing:
    """Scores, how their last year's ranks move under weights near the definition's (`near`) and
    under any weights (`free`), and the warnings that computing gave."""

    scores: Scores
    near: RankUncertainty
    free: RankUncertainty
    warnings: tuple[str, ...]

    @property
    def year(self) -> int:
        """Give the year whose ranks are shown."""
        return self.near.year


def study_standing(
    panel: Panel,
    definition: Definition | str = DEFINITION,
    method: Method | None = None,
    *,
    years: Sequence[int] | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Standing:
    """Score a panel and draw weights anew.

    `years` default to those in which every unit has every figure, which an index needs unless its
    method says otherwise. Errors as in `score`.
    """
    known = read_definition(definition) if isinstance(definition, str) else definition
    chosen = method or Method()
    span = (
        complete_years(panel, known, every=chosen.missing == "refuse") if years is None else years
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", StrategyWarning)
        scores = score(panel.select(years=span), known, chosen)
        last = scores.panel.years[-1]
        rng = np.random.default_rng(seed)
        near = rank_uncertainty(scores, year=last, rng=rng, draws=draws)
        free = rank_uncertainty(scores, year=last, rng=rng, draws=draws, spread=None)
    return Standing(scores, near, free, tuple(dict.fromkeys(str(one.message) for one in caught)))


def complete_years(panel: Panel, definition: Definition, *, every: bool = True) -> list[int]:
    """Give the years in which every unit (or any, unless `every`) has what a definition reads.

    InputError when there is none, with the columns that it reads; further errors as in `score`.
    """
    check_computable(definition, panel)
    columns = dict.fromkeys(
        name for leaf in definition.leaves for name in (leaf.column, leaf.per) if name is not None
    )
    present = np.logical_and.reduce([np.isfinite(panel.get(name)) for name in columns])
    there = present.all(axis=0) if every else present.any(axis=0)
    years = [year for year, flag in zip(panel.years, there, strict=True) if flag]
    if not years:
        raise InputError(
            f"There is no year in which every unit has all of {list(columns)}: choose years, "
            "units, or a method that allows for what is missing"
        )
    return years

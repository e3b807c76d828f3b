"""The table that a battery fills: settings, rows, and the whole answer.

Kept apart from the running of it, so that reports read results without the estimators.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from conurb.errors import InputError
from conurb.strategy.effect import placebo, synthetic
from conurb.strategy.effect.bacon import Bacon
from conurb.strategy.effect.callaway import Average
from conurb.strategy.effect.estimate import LEVEL, Estimate, Series
from conurb.strategy.effect.honest import Honest
from conurb.strategy.effect.placebo import Placebo, Shifted
from conurb.strategy.effect.relative import Relative
from conurb.strategy.effect.robustness import LeaveOneOut
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.twfe import EventStudy

Got = TypeVar("Got")

COLUMNS = ("method", "estimate", "standard_error", "low", "high", "p", "n_units", "n", "notes")


@dataclass(frozen=True, slots=True)
class Settings:
    """How thorough a battery is: draws of each resampling, and what is tried.

    `bends` are smoothness bounds of HonestDiD in standard errors of the first year's effect,
    `factors` its relative magnitudes; `shifts` the years by which placebos in time come early;
    `alternatives` further outcomes of the panel.
    """

    draws: int = placebo.DRAWS
    bootstrap_draws: int = 999
    synthetic_draws: int = synthetic.DRAWS
    shifts: tuple[int, ...] = (1, 2, 3)
    bends: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0)
    factors: tuple[float, ...] = (0.5, 1.0, 2.0)
    winsor: float = 0.01
    alternatives: tuple[str, ...] = ()
    level: float = LEVEL


PLAIN = Settings()


@dataclass(frozen=True, slots=True)
class Battery:
    """The whole answer: one row per method, and what plots are drawn from.

    Parts that can't be computed are None or empty, with the reason in their row. `warnings` are
    the doubts about the design, each once.
    """

    outcome: str
    treatment: str
    rows: tuple[Estimate, ...]
    event_study: EventStudy | None
    dynamic: Average | None
    paths: tuple[Series, ...]
    bacon: Bacon | None
    honest: tuple[Honest, ...]
    relative: tuple[Relative, ...]
    in_space: Placebo | None
    mixed: Placebo | None
    in_time: tuple[Shifted, ...]
    small_cohorts: tuple[Placebo, ...]
    leave_one_out: LeaveOneOut | None
    warnings: tuple[str, ...]

    def records(self) -> Iterator[tuple[str | float | int, ...]]:
        """Iterate over the table's rows, in the order of `COLUMNS`."""
        for row in self.rows:
            yield (
                row.method,
                row.estimate,
                row.standard_error,
                row.low,
                row.high,
                row.p_value,
                row.n_units,
                row.n_observations,
                "; ".join(row.notes),
            )

    def to_csv(self) -> str:
        """Give the table as CSV with a header; figures that a method hasn't are empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for record in self.records():
            writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in record])
        return text.getvalue()


class Table:
    """Rows as they come; what can't be computed becomes a row that says why."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.rows: list[Estimate] = []

    def run(self, method: str, compute: Callable[[], Got]) -> Got | None:
        """Compute; an InputError leaves a row and gives None."""
        try:
            return compute()
        except InputError as error:
            self.rows.append(self.row(method, notes=(f"not computable: {error.detail}",)))
            return None

    def add(self, method: str, compute: Callable[[], Estimate]) -> None:
        """Compute one estimate and take it as a row."""
        found = self.run(method, compute)
        if found is not None:
            self.rows.append(found)

    def row(
        self,
        method: str,
        *,
        estimate: float = math.nan,
        error: float = math.nan,
        p_value: float = math.nan,
        notes: Sequence[str] = (),
        like: Study | None = None,
    ) -> Estimate:
        """Make a row of a method that gives only some of the figures."""
        units = 0 if like is None else len(like.units)
        cells = 0 if like is None else int(like.mask.sum())
        nan = math.nan
        level = self.settings.level
        return Estimate(
            method, estimate, error, nan, nan, p_value, units, cells, level, tuple(notes)
        )

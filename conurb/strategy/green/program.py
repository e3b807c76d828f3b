"""One linear program on HiGHS whose data change from unit to unit, each solve starting warm.

A frontier model solves the same program for every unit: only a column, a few costs or bounds
differ. Building a model per unit costs many times what the few simplex steps cost, so the model
stays in the solver, and the last basis is where the next unit starts.

HiGHS: Huangfu and Hall 2018, Mathematical Programming Computation 10:119-142.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from conurb.errors import ConfigError, InvariantError
from conurb.strategy.panel import Figures

TOLERANCE: Final = 1e-10
"""Primal and dual feasibility; the smallest that HiGHS takes, so that a city a thousand times
smaller than the largest is still measured to about seven digits."""
ITERATIONS_MAX: Final = 100_000
"""Simplex steps of one solve."""


def _load() -> Any:
    """Import HiGHS when the first program is made: it costs half a second."""
    try:
        import highspy
    except ImportError as error:
        raise ConfigError(
            "Frontier models need HiGHS: install conurb with the extra 'strategy'"
        ) from error
    return highspy


class Program:
    """Minimise costs · z, with low <= A z <= high for each row and the bounds of z.

    `matrix` is dense [rows x columns]; an entry is stored when it isn't zero, or when `changing`
    (boolean, same shape) says that it will change.
    """

    __slots__ = ("_highs", "_infeasible", "_optimal")

    def __init__(
        self,
        *,
        costs: Figures,
        matrix: Figures,
        row_low: Figures,
        row_high: Figures,
        column_low: Figures | None = None,
    ) -> None:
        highspy = _load()
        rows, columns = matrix.shape
        program = highspy.HighsLp()
        program.num_row_, program.num_col_ = rows, columns
        program.col_cost_ = costs
        program.col_lower_ = np.zeros(columns) if column_low is None else column_low
        program.col_upper_ = np.full(columns, np.inf)
        program.row_lower_, program.row_upper_ = row_low, row_high
        stored = matrix.T != 0
        at_column, at_row = np.nonzero(stored)
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_ = np.concatenate([[0], stored.sum(axis=1).cumsum()]).astype("i4")
        program.a_matrix_.index_ = at_row.astype("i4")
        program.a_matrix_.value_ = matrix.T[at_column, at_row]
        self._highs = highspy.Highs()
        for option, value in {
            "output_flag": False,
            "presolve": "off",
            "solver": "simplex",
            "parallel": "off",
            "threads": 1,
            "simplex_iteration_limit": ITERATIONS_MAX,
            "primal_feasibility_tolerance": TOLERANCE,
            "dual_feasibility_tolerance": TOLERANCE,
        }.items():
            self._highs.setOptionValue(option, value)
        self._highs.passModel(program)
        self._optimal = highspy.HighsModelStatus.kOptimal
        self._infeasible = (
            highspy.HighsModelStatus.kInfeasible,
            highspy.HighsModelStatus.kUnboundedOrInfeasible,
        )

    def set_entry(self, row: int, column: int, value: float) -> None:
        """Change one entry of the matrix."""
        self._highs.changeCoeff(row, column, value)

    def set_row(self, row: int, low: float, high: float) -> None:
        """Change the bounds of one row."""
        self._highs.changeRowBounds(row, low, high)

    def set_limits(self, columns: Sequence[int], high: float) -> None:
        """Change the upper bound of some columns; their lower bound is zero."""
        for column in columns:
            self._highs.changeColBounds(column, 0.0, high)

    def solve(self, what: str) -> Figures | None:
        """Give the optimal z, or None when no z is feasible; `what` names it in errors.

        A warm start that ends in numerical doubt is repeated from nothing; when that doesn't end
        either, InvariantError: there is no number to give.
        """
        for cold in (False, True):
            if cold:
                self._highs.clearSolver()
            self._highs.run()
            status = self._highs.getModelStatus()
            if status == self._optimal:
                return np.asarray(self._highs.getSolution().col_value)
            if status in self._infeasible and cold:
                return None
        raise InvariantError(f"The linear program for {what} ended as {status.name}")

"""One linear program on HiGHS whose data change from unit to unit, each solve starting warm.

A frontier model solves the same program for every unit: only a column, a few costs or bounds
differ. Building a model per unit costs many times what the few simplex steps cost, so the model
stays in the solver, and the last basis is where the next unit starts.

The observations that span the frontier are a pool of columns, few of which are ever in a
solution. Only those that have been are held in the model; after each solve the rest are priced by
the duals, and who would improve it is added until nobody would (column generation: the optimum is
that of the whole program). A frontier of all years then costs little more than one of a year.

HiGHS: Huangfu and Hall 2018, Mathematical Programming Computation 10:119-142.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from conurb.errors import ConfigError, InvariantError
from conurb.strategy.panel import Figures

TOLERANCE: Final = 1e-10
"""Primal and dual feasibility; the smallest that HiGHS takes, so that a city a thousand times
smaller than the largest is still measured to about seven digits."""
ITERATIONS_MAX: Final = 100_000
"""Simplex steps of one solve."""
ADDED_MAX: Final = 12
"""Columns of the pool that are added at once."""


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
    """Minimise costs · z, with low <= A z + P w <= high for each row, z >= column_low, w >= 0.

    `matrix` A is dense [rows x columns], `pool` P dense [rows x J] without costs; zeros of both
    aren't stored.
    """

    __slots__ = ("_active", "_held", "_highs", "_infeasible", "_optimal", "_pool", "_width")

    def __init__(
        self,
        *,
        costs: Figures,
        matrix: Figures,
        pool: Figures,
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
        starts, at, values = _sparse(matrix)
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_, program.a_matrix_.index_ = starts, at
        program.a_matrix_.value_ = values
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
        self._width = columns
        self._pool = pool
        self._active: list[int] = []
        self._held = np.zeros(pool.shape[1], dtype=bool)

    def set_entry(self, row: int, column: int, value: float) -> None:
        """Change one entry of A."""
        self._highs.changeCoeff(row, column, value)

    def set_row(self, row: int, low: float, high: float) -> None:
        """Change the bounds of one row."""
        self._highs.changeRowBounds(row, low, high)

    def solve(
        self, what: str, *, start: int | None = None, without: int | None = None
    ) -> tuple[Figures, Figures] | None:
        """Give the optimal (z, w), or None when there is none; `what` names it in errors.

        `start` is a column of the pool that alone is feasible, `without` one that may not be used.
        A warm start that ends in numerical doubt is repeated from nothing; when that doesn't end
        either, InvariantError: there is no number to give.
        """
        barred = without is not None and self._held[without]
        if barred:
            self._limit(without, 0.0)
        solution = self._generate(what, start, without)
        if barred:
            self._limit(without, np.inf)
        if solution is None:
            return None
        values = np.asarray(solution.col_value)
        weights = np.zeros(self._pool.shape[1])
        weights[self._active] = values[self._width :]
        return values[: self._width], weights

    def _generate(self, what: str, start: int | None, without: int | None) -> Any:
        """Solve and add columns until none is missing; the pool bounds the rounds."""
        while True:
            solution = self._run(what)
            if solution is None:
                # Too few columns may be infeasible where all aren't.
                alone = start is not None and not self._held[start]
                missing = np.array([start]) if alone else np.flatnonzero(~self._held)
                if not len(missing):
                    return None
            else:
                gain = np.asarray(solution.row_dual) @ self._pool
                gain[self._held] = 0.0
                if without is not None:
                    gain[without] = 0.0
                missing = np.flatnonzero(gain > TOLERANCE)
                if not len(missing):
                    return solution
                if len(missing) > ADDED_MAX:
                    missing = missing[np.argpartition(gain[missing], -ADDED_MAX)[-ADDED_MAX:]]
            if without is not None:
                missing = missing[missing != without]
                if not len(missing):
                    return None
            self._add(missing)

    def _run(self, what: str) -> Any:
        """Give HiGHS's solution, None when there is none."""
        for cold in (False, True):
            if cold:
                self._highs.clearSolver()
            self._highs.run()
            status = self._highs.getModelStatus()
            if status == self._optimal:
                return self._highs.getSolution()
            if status in self._infeasible and (cold or not self._held.all()):
                return None
        raise InvariantError(f"The linear program for {what} ended as {status.name}")

    def _add(self, columns: Any) -> None:
        starts, at, values = _sparse(self._pool[:, columns])
        count = len(columns)
        self._highs.addCols(
            count,
            np.zeros(count),
            np.zeros(count),
            np.full(count, np.inf),
            len(values),
            starts[:-1],
            at,
            values,
        )
        self._active.extend(int(column) for column in columns)
        self._held[columns] = True

    def _limit(self, column: int | None, high: float) -> None:
        place = self._width + self._active.index(int(column or 0))
        self._highs.changeColBounds(place, 0.0, high)


def _sparse(matrix: Figures) -> tuple[Any, Any, Figures]:
    """Give starts, row numbers and values of the entries that aren't zero, by column."""
    stored = matrix.T != 0
    at_column, at_row = np.nonzero(stored)
    starts = np.concatenate([[0], stored.sum(axis=1).cumsum()]).astype("i4")
    return starts, at_row.astype("i4"), matrix.T[at_column, at_row]

"""Who makes what out of what: inputs, good outputs and bad outputs of units over years.

The one form in which figures enter the frontier models, so that every refusal (a negative output,
a gap, a zero that a model divides by) is made here, once, and names unit, year and column.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.strategy.panel import Figures, Panel, name_cells
from conurb.strategy.warning import StrategyWarning

COMPARED_PER_MEASURE_MIN = 3
"""Units per input and output below which most units look efficient (Cooper, Seiford and Tone
2007, Data Envelopment Analysis, 2nd ed.: n >= max(m s, 3 (m + s)))."""


@dataclass(frozen=True, slots=True)
class Production:
    """Inputs [N x T x m], good outputs [N x T x g] and bad outputs [N x T x b], none negative.

    `names` are the names of the m + g + b columns in that order. There is at least one input and
    one good output; bad outputs may be none (b = 0).
    """

    units: tuple[str, ...]
    years: tuple[int, ...]
    inputs: Figures
    goods: Figures
    bads: Figures
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        n, t = len(self.units), len(self.years)
        for kind, figures in (("inputs", self.inputs), ("goods", self.goods), ("bads", self.bads)):
            if figures.ndim != 3 or figures.shape[:2] != (n, t):
                raise InputError(f"{kind} has shape {figures.shape}, not ({n}, {t}, columns)")
        if not self.inputs.shape[2] or not self.goods.shape[2]:
            raise InputError("Production needs at least one input and one good output")
        if len(self.names) != self.stacked.shape[2]:
            raise InputError(f"{len(self.names)} names for {self.stacked.shape[2]} columns")
        for column, name in enumerate(self.names):
            figures = self.stacked[:, :, column]
            for wrong, what in (
                (~np.isfinite(figures), "has no figure"),
                (figures < 0, "is negative"),
            ):
                if wrong.any():
                    where = name_cells(self.units, self.years, wrong)
                    raise InputError(f"{name!r} {what} for {where}; a frontier can't be drawn")

    @classmethod
    def from_arrays(
        cls,
        units: Sequence[str],
        *,
        inputs: ArrayLike,
        goods: ArrayLike,
        bads: ArrayLike | None = None,
        years: Sequence[int] = (0,),
    ) -> Self:
        """Make it from arrays [N x columns] of one year, or [N x T x columns]."""
        given = [np.asarray(inputs, dtype=np.float64), np.asarray(goods, dtype=np.float64)]
        given.append(
            np.empty((*given[0].shape[:-1], 0))
            if bads is None
            else np.asarray(bads, dtype=np.float64)
        )
        cubes = [figures[:, None, :] if figures.ndim == 2 else figures for figures in given]
        names = tuple(
            f"{kind} {i + 1}"
            for kind, figures in zip(("input", "good", "bad"), cubes, strict=True)
            for i in range(figures.shape[-1])
        )
        return cls(tuple(units), tuple(years), cubes[0], cubes[1], cubes[2], names)

    @classmethod
    def from_panel(
        cls,
        panel: Panel,
        *,
        inputs: Sequence[str],
        goods: Sequence[str],
        bads: Sequence[str] = (),
    ) -> Self:
        """Make it from named columns of a panel; InputError names a cell without a figure."""
        columns = [*inputs, *goods, *bads]
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise InputError(f"Columns have more than one role: {twice}")
        empty = np.empty((*panel.shape, 0))
        cubes = [panel.stack(names) if names else empty for names in (inputs, goods, bads)]
        return cls(panel.units, panel.years, cubes[0], cubes[1], cubes[2], tuple(columns))

    @property
    def stacked(self) -> Figures:
        """Give inputs, goods and bads side by side [N x T x (m + g + b)]."""
        return np.concatenate([self.inputs, self.goods, self.bads], axis=2)

    @property
    def widths(self) -> tuple[int, int, int]:
        """Give (m, g, b)."""
        return self.inputs.shape[2], self.goods.shape[2], self.bads.shape[2]

    def check_positive(self, model: str) -> None:
        """Refuse zeros, for a model that divides by each figure of the unit it measures."""
        for column, name in enumerate(self.names):
            zero = self.stacked[:, :, column] <= 0
            if zero.any():
                where = name_cells(self.units, self.years, zero)
                raise InputError(f"{name!r} is zero for {where}; {model} divides by it")

    def warn_when_few(self, compared: int) -> None:
        """Warn when there are too few units for the number of columns to tell them apart."""
        m, g, b = self.widths
        wanted = max(m * (g + b), COMPARED_PER_MEASURE_MIN * (m + g + b))
        if compared < wanted:
            warnings.warn(
                f"{compared} observations on the frontier's side for {m} inputs and {g + b} "
                f"outputs: under {wanted}, most look efficient only because few compare",
                StrategyWarning,
                stacklevel=3,
            )

"""Columns made of columns: logarithms, ratios, figures at constant prices.

Each gives the panel with one more column, whose cells say in their origin how they were made and
of what. A gap stays a gap; a figure that the transform can't take is an error that names its cell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from conurb.errors import InputError
from conurb.strategy.linear import Flags
from conurb.strategy.panel.origin import Origin
from conurb.strategy.panel.table import Figures, Panel, name_cells


def log(panel: Panel, column: str, *, name: str | None = None) -> Panel:
    """Add the natural logarithm of a column, as `ln column` unless named."""
    figures = panel.get(column)
    _check(panel, figures <= 0, f"{column!r} has no logarithm: it is zero or less")
    measure = panel.measures.get(column)
    return _added(
        panel,
        name or f"ln {column}",
        np.log(figures),
        made="ln",
        of=[column],
        measure=f"ln({measure})" if measure else None,
    )


def ratio(panel: Panel, column: str, per: str, *, name: str, factor: float = 1.0) -> Panel:
    """Add column / per x factor; the measure is that of both."""
    divisor = panel.get(per)
    _check(panel, divisor == 0, f"{column!r} can't be divided by {per!r}: it is zero")
    over, under = panel.measures.get(column), panel.measures.get(per)
    scale = "" if factor == 1.0 else f"{factor:g} "
    return _added(
        panel,
        name,
        panel.get(column) / divisor * factor,
        made=f"{column} / {per}" + ("" if factor == 1.0 else f" x {factor:g}"),
        of=[column, per],
        measure=f"{over}/{scale}{under}" if over and under and factor == 1.0 else None,
    )


def per_capita(
    panel: Panel, column: str, *, population: str = "population", name: str | None = None
) -> Panel:
    """Add a column divided by population, as `column per person` unless named."""
    _check(panel, panel.get(population) <= 0, f"{population!r} isn't above zero")
    return ratio(panel, column, population, name=name or f"{column} per person")


def deflate(panel: Panel, column: str, *, by: str, base: float = 1.0, name: str) -> Panel:
    """Add a column at constant prices: column / by x base.

    `by` is a price index that is `base` (1, or 100) in the year whose prices are kept.
    """
    index = panel.get(by)
    _check(panel, index <= 0, f"The price index {by!r} isn't above zero")
    return _added(
        panel,
        name,
        panel.get(column) / index * base,
        made=f"{column} deflated by {by}",
        of=[column, by],
        measure=panel.measures.get(column),
    )


def implied_deflator(panel: Panel, *, nominal: str, constant: str, name: str) -> Panel:
    """Add the price index that a nominal column implies beside the same at constant prices."""
    below = panel.get(constant)
    _check(panel, below <= 0, f"{constant!r} isn't above zero")
    return _added(
        panel,
        name,
        panel.get(nominal) / below,
        made=f"deflator implied by {nominal} and {constant}",
        of=[nominal, constant],
        measure=None,
    )


def chain(panel: Panel, *, value: str, index: str, base_year: int, name: str) -> Panel:
    """Add a column at the prices of a base year, from its value then and yearly growth indices.

    x_t = x_base prod index_s / 100 over the years after the base, divided likewise before it, where
    `index` says growth at constant prices (the year before = 100). Years must follow each other;
    beyond a gap of the index there is no figure.
    """
    if base_year not in panel.years:
        raise InputError(f"The base year {base_year} isn't among {list(panel.years)}")
    if any(b - a != 1 for a, b in zip(panel.years[:-1], panel.years[1:], strict=True)):
        raise InputError("Growth indices chain over years that follow each other; some are missing")
    growth = panel.get(index) / 100.0
    _check(panel, growth <= 0, f"The growth index {index!r} isn't above zero")
    start = panel.years.index(base_year)
    level = np.full(panel.shape, np.nan)
    level[:, start] = panel.get(value)[:, start]
    for t in range(start + 1, panel.shape[1]):
        level[:, t] = level[:, t - 1] * growth[:, t]
    for t in range(start - 1, -1, -1):
        level[:, t] = level[:, t + 1] / growth[:, t + 1]
    return _added(
        panel,
        name,
        level,
        made=f"{value} of {base_year} chained by {index}",
        of=[value, index],
        measure=panel.measures.get(value),
    )


def _added(
    panel: Panel,
    name: str,
    figures: Figures,
    *,
    made: str,
    of: Sequence[str],
    measure: str | None,
) -> Panel:
    """Give the panel with a computed column whose origins name what stands in the same cell."""
    if name in panel.columns:
        raise InputError(f"The panel has a column {name!r} already: give another name")
    origins = np.full(panel.shape, None, dtype=np.object_)
    for i, t in np.argwhere(~np.isnan(figures)):
        unit, year = panel.units[i], panel.years[t]
        # A chained figure has no value of its own year below it where that is a gap.
        inputs = tuple(
            panel.origin(one, unit, year) for one in of if not np.isnan(panel.get(one)[i, t])
        )
        origins[i, t] = Origin(made=made, inputs=inputs)
    return panel.with_columns(
        {name: figures}, {name: measure} if measure else None, {name: origins}
    )


def _check(panel: Panel, wrong: Flags, said: str) -> None:
    if wrong.any():
        raise InputError(f"{said} for {name_cells(panel.units, panel.years, wrong)}")

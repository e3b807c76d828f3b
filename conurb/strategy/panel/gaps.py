"""What is missing or flagged in a panel, and what is done about it: nothing, unless asked.

A panel never fills a gap by itself. Here are the ways to ask: leave out what isn't complete, take
out what is flagged, interpolate inside of a series; the last is marked in every cell's origin.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.linear import Flags
from conurb.strategy.panel.origin import Origin
from conurb.strategy.panel.table import Origins, Panel, name_cells
from conurb.strategy.warning import StrategyWarning

Side: TypeAlias = Literal["units", "years"]

KINDS: Final = ("boundary", "revision", "error", "suspect")
"""The kinds of breaks that a region pack flags (`conurb.regions.figures`)."""
INTERPOLATED: Final = "interpolated"
"""How the origin of an interpolated figure begins to say how it was made."""


def gaps(panel: Panel, columns: Sequence[str] | None = None) -> dict[str, list[tuple[str, int]]]:
    """Give the (unit, year) without a figure by column; of columns without gaps nothing."""
    found = {}
    for name in panel.columns if columns is None else columns:
        missing = np.argwhere(np.isnan(panel.get(name)))
        if len(missing):
            found[name] = [(panel.units[i], panel.years[t]) for i, t in missing]
    return found


def is_balanced(panel: Panel, columns: Sequence[str] | None = None) -> bool:
    """Say whether every unit has every one of the columns in every year."""
    return not gaps(panel, columns)


def balance(panel: Panel, columns: Sequence[str], *, drop: Side) -> Panel:
    """Give the panel without the units (or years) that lack a figure of the columns.

    Warns of those left out, by name. Raises InputError when nothing would be left.
    """
    if drop not in ("units", "years"):
        raise InputError(f"drop is {drop!r}; allowed are 'units' and 'years'")
    stacked = np.isnan(np.stack([panel.get(name) for name in columns]))
    lines = np.moveaxis(stacked, 1 if drop == "units" else 2, 0)
    gone = [bool(line.any()) for line in lines]
    if all(gone):
        raise InputError(f"Every one of the {drop} lacks a figure of {list(columns)}")
    if not any(gone):
        return panel
    names = panel.units if drop == "units" else panel.years
    out = [str(name) for name, flag in zip(names, gone, strict=True) if flag]
    warnings.warn(
        f"Left out because figures of {list(columns)} are missing: {', '.join(out)}",
        StrategyWarning,
        stacklevel=2,
    )
    if drop == "units":
        return panel.select(units=[n for n, f in zip(panel.units, gone, strict=True) if not f])
    return panel.select(years=[y for y, f in zip(panel.years, gone, strict=True) if not f])


def without_flagged(
    panel: Panel, columns: Sequence[str], *, kinds: Sequence[str] = ("error",)
) -> Panel:
    """Give the panel with flagged figures of some kinds taken out of columns: they become gaps.

    A figure of a boundary that changed is right for its year; one flagged as an error isn't.
    Raises InputError for a kind that doesn't exist.
    """
    unknown = sorted(set(kinds) - set(KINDS))
    if unknown:
        raise InputError(f"There is no kind of break {unknown[0]!r}; there are {KINDS}")
    figures, origins = {}, {}
    for name in columns:
        values = panel.get(name).copy()
        if name in panel.origins:
            cells = panel.origins[name].copy()
            for (unit, year), breaks in panel.flagged(name).items():
                said = [part for one in breaks for part in one.split("; ")]
                if any(one.split(":", 1)[0] in kinds for one in said):
                    i, t = panel.place(unit, year)
                    values[i, t], cells[i, t] = np.nan, None
            origins[name] = cells
        figures[name] = values
    return panel.with_columns(figures, _measures(panel, columns), origins)


def interpolate(panel: Panel, columns: Sequence[str], *, years_max: int) -> Panel:
    """Give the panel with gaps of up to `years_max` years filled by the straight line across them.

    Only inside of a series: nothing is carried beyond the first or last figure. Every figure filled
    says so in its origin (`interpolated`), and a warning counts and names them.
    """
    if years_max < 1:
        raise InputError(f"years_max is {years_max}; a gap is at least one year long")
    figures, origins = {}, {}
    said = []
    for name in columns:
        values = panel.get(name).copy()
        cells = panel.origins[name].copy() if name in panel.origins else _empty(panel)
        filled = np.zeros(panel.shape, dtype=bool)
        for i, unit in enumerate(panel.units):
            known = np.flatnonzero(~np.isnan(values[i]))
            for left, right in pairwise(known):
                before, after = panel.years[left], panel.years[right]
                if right - left > 1 and after - before - 1 <= years_max:
                    inside = np.arange(left + 1, right)
                    years = np.array(panel.years)[inside]
                    share = (years - before) / (after - before)
                    values[i, inside] = values[i, left] * (1 - share) + values[i, right] * share
                    origin = Origin(
                        made=f"{INTERPOLATED} between {before} and {after}",
                        inputs=(panel.origin(name, unit, before), panel.origin(name, unit, after)),
                    )
                    for t in inside:
                        cells[i, t] = origin
                    filled[i, inside] = True
        figures[name], origins[name] = values, cells
        if filled.any():
            said.append(
                f"{filled.sum()} of {name} ({name_cells(panel.units, panel.years, filled)})"
            )
    if said:
        warnings.warn(
            f"Interpolated, not observed: {'; '.join(said)}", StrategyWarning, stacklevel=2
        )
    return panel.with_columns(figures, _measures(panel, columns), origins)


def interpolated(panel: Panel, column: str) -> Flags:
    """Say which cells [N x T] of a column were interpolated, or made of figures that were."""
    panel.get(column)
    flags = np.zeros(panel.shape, dtype=bool)
    if column in panel.origins:
        for (i, t), origin in np.ndenumerate(panel.origins[column]):
            flags[i, t] = isinstance(origin, Origin) and _is_interpolated(origin)
    return flags


def _is_interpolated(origin: Origin) -> bool:
    if origin.made is not None and origin.made.startswith(INTERPOLATED):
        return True
    return any(_is_interpolated(one) for one in origin.inputs)


def _empty(panel: Panel) -> Origins:
    return np.full(panel.shape, None, dtype=np.object_)


def _measures(panel: Panel, columns: Sequence[str]) -> dict[str, str]:
    return {name: panel.measures[name] for name in columns if name in panel.measures}

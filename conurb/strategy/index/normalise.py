"""Normalisation: figures of one indicator onto one scale on which more is better.

All take figures [N x T] with NaN where there is none, and give the same shape. `across` says over
which figures ends, means and ranks are taken: the whole panel, or each year. Source: OECD and JRC
(2008), Handbook on Constructing Composite Indicators, section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from conurb.errors import InputError
from conurb.strategy.index.method import Across, Normalisation
from conurb.strategy.index.tree import Indicator
from conurb.strategy.panel import Figures


def normalise(
    figures: Figures,
    indicator: Indicator,
    *,
    method: Normalisation,
    across: Across,
    years: Sequence[int],
) -> Figures:
    """Bring an indicator's figures [N x T] onto the scale of a normalisation, more being better.

    An indicator that is better near its target counts by its distance from it, less being better.
    Raises InputError where the figures can't be told apart, or break what the method needs.
    """
    values, cost = figures, indicator.direction == "cost"
    if indicator.direction == "near":
        values, cost = np.abs(figures - float(indicator.target or 0.0)), True
    if method == "target":
        return _to_target(values, indicator)
    if method == "min-max" and indicator.bounds is not None:
        return _within_bounds(figures, indicator)
    scale = _SCALES[method]
    signed = -values if cost else values
    if across == "panel":
        return signed if np.isnan(signed).all() else scale(signed, repr(indicator.id))
    columns = [
        column if np.isnan(column).all() else scale(column, f"{indicator.id!r} in {year}")
        for year, column in zip(years, signed.T, strict=True)
    ]
    return np.stack(columns, axis=1)


def min_max(block: Figures, name: str) -> Figures:
    """Give (x - min) / (max - min), 0 to 1."""
    low, high = np.nanmin(block), np.nanmax(block)
    _check_varies(low < high, name)
    return np.asarray((block - low) / (high - low))


def z_score(block: Figures, name: str) -> Figures:
    """Give (x - mean) / sd, the sd being that of the whole (divided by n)."""
    _check_varies(np.nanmin(block) < np.nanmax(block), name)
    return np.asarray((block - np.nanmean(block)) / np.nanstd(block))


def rank_share(block: Figures, name: str) -> Figures:
    """Give the share of the other figures that are below, ties counting half: 0 worst, 1 best."""
    there = ~np.isnan(block)
    values = block[there]
    _check_varies(len(np.unique(values)) > 1, name)
    ordered = np.sort(values)
    below = np.searchsorted(ordered, values, "left")
    upto = np.searchsorted(ordered, values, "right")
    shares = np.full(block.shape, np.nan)
    shares[there] = (below + (upto - below - 1) / 2) / (len(values) - 1)
    return shares


_SCALES: dict[str, Callable[[Figures, str], Figures]] = {
    "min-max": min_max,
    "z": z_score,
    "rank": rank_share,
}


def _within_bounds(figures: Figures, indicator: Indicator) -> Figures:
    """Give where figures stand between fixed ends; one outside of them is an error."""
    if indicator.direction == "near":
        raise InputError(f"Indicator {indicator.id!r} is better near a target: bounds don't fit it")
    low, high = indicator.bounds or (0.0, 1.0)
    outside = (figures < low) | (figures > high)
    if outside.any():
        raise InputError(
            f"Indicator {indicator.id!r} has {figures[outside][0]:g}, outside of its bounds "
            f"{low:g} to {high:g}"
        )
    shares = (figures - low) / (high - low)
    return 1.0 - shares if indicator.direction == "cost" else shares


def _to_target(values: Figures, indicator: Indicator) -> Figures:
    """Give how much of the target is reached, up to 1: x / target, of a cost target / x."""
    target = indicator.target
    if indicator.direction == "near":
        raise InputError(
            f"Indicator {indicator.id!r} is better near its target: take min-max, z or rank"
        )
    if target is None or target <= 0:
        raise InputError(
            f"Indicator {indicator.id!r} has target {target}: distance to target needs one "
            "above zero"
        )
    if (values < 0).any() or (indicator.direction == "cost" and (values == 0).any()):
        raise InputError(
            f"Indicator {indicator.id!r} has figures of zero or less: distance to target is a ratio"
        )
    reached = target / values if indicator.direction == "cost" else values / target
    return np.minimum(reached, 1.0)


def _check_varies(varies: bool | np.bool_, name: str) -> None:
    if not varies:
        raise InputError(
            f"Indicator {name} is the same wherever it is compared: it can't rank, leave it out"
        )

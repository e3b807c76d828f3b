"""Why emissions changed: Kaya's identity, split exactly by logarithmic means (LMDI-I).

A total V = sum_s x_1s x_2s ... x_ns (s: sectors; one, where there are none) changes from 0 to T by

    additive:        V_T - V_0 = sum_k D_k,   D_k = sum_s L(v_s,T, v_s,0) ln(x_ks,T / x_ks,0)
    multiplicative:  V_T / V_0 = prod_k F_k,
                     F_k = exp( sum_s L(v_s,T, v_s,0) / L(V_T, V_0) ln(x_ks,T / x_ks,0) )

with L(a, b) = (a - b) / (ln a - ln b), L(a, a) = a. There is no residual. Sources: Ang 2004, Energy
Policy 32:1131-1139; Ang 2005, Energy Policy 33:867-871. Kaya 1990:

    CO2 = population x GDP/population x energy/GDP x CO2/energy
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.green.sbm import check_choice
from conurb.strategy.panel import Figures, Panel, name_cells

Base: TypeAlias = Literal["previous", "first"]


@dataclass(frozen=True, slots=True)
class Decomposition:
    """What each factor did to the total, [N x (T - 1)] by factor name.

    `additive` sum to `change` (in the total's unit), `multiplicative` multiply to `ratio`. With
    base "previous" column t is from years[t] to years[t + 1], with "first" from years[0].
    """

    units: tuple[str, ...]
    years: tuple[int, ...]
    base: Base
    change: Figures
    ratio: Figures
    additive: Mapping[str, Figures]
    multiplicative: Mapping[str, Figures]


def log_mean(a: Figures, b: Figures) -> Figures:
    """Give L(a, b) of positive figures, elementwise; exact also where they are almost equal."""
    # (a - b) / ln(a / b) loses its digits near a = b; there L = sqrt(ab) (1 + x^2 / 24 + ...).
    x = np.log(a / b)
    near = np.abs(x) < 1e-3
    safe = np.where(near, 1.0, x)
    series = np.sqrt(a * b) * (1 + x**2 / 24 + x**4 / 1920)
    return np.where(near, series, (a - b) / safe)


def lmdi(
    factors: Mapping[str, Figures],
    *,
    units: tuple[str, ...],
    years: tuple[int, ...],
    base: Base = "previous",
) -> Decomposition:
    """Split the change of sum_s prod_k factors into what each factor did.

    Each factor is [N x T], or [N x T x S] by sector. Raises InputError for figures that aren't
    positive (a sector that begins or ends has no logarithm: merge it) or are missing.
    """
    check_choice("base", base, ("previous", "first"))
    if len(years) < 2:
        raise InputError(f"A change needs two years or more, not {list(years)}")
    cubes = {name: np.asarray(x, dtype=np.float64) for name, x in factors.items()}
    cubes = {name: x[:, :, None] if x.ndim == 2 else x for name, x in cubes.items()}
    sectors = max((x.shape[2] for x in cubes.values() if x.ndim == 3), default=0)
    for name, x in cubes.items():
        if x.shape not in ((len(units), len(years), 1), (len(units), len(years), sectors)):
            raise InputError(f"Factor {name!r} has shape {x.shape} in a panel of "
                             f"({len(units)}, {len(years)}) with {sectors} sectors")  # fmt: skip
        wrong = ~(x > 0).all(axis=2) | ~np.isfinite(x).all(axis=2)
        if wrong.any():
            where = name_cells(units, years, wrong)
            raise InputError(f"Factor {name!r} isn't a positive figure for {where}")
    parts = np.prod(np.stack([np.broadcast_to(x, (len(units), len(years), sectors))
                              for x in cubes.values()]), axis=0)  # fmt: skip
    start = slice(None, -1) if base == "previous" else slice(0, 1)
    totals = parts.sum(axis=2)
    weights = log_mean(parts[:, 1:], parts[:, start])
    whole = log_mean(totals[:, 1:], totals[:, start])
    additive = {
        name: (weights * np.log(x[:, 1:] / x[:, start])).sum(axis=2) for name, x in cubes.items()
    }
    return Decomposition(
        units,
        years,
        base,
        totals[:, 1:] - totals[:, start],
        totals[:, 1:] / totals[:, start],
        additive,
        {name: np.exp(effect / whole) for name, effect in additive.items()},
    )


def kaya(
    panel: Panel,
    *,
    carbon: str,
    population: str,
    gdp: str,
    energy: str | None = None,
    base: Base = "previous",
) -> Decomposition:
    """Split the change of emissions into population, affluence, and intensity.

    With `energy` the intensity is split into energy per GDP and carbon per energy; without, it is
    carbon per GDP, which says less and never stands in for the two. GDP in constant prices. Raises
    InputError for gaps and figures that aren't positive.
    """
    c, p, g = (_positive(panel, name) for name in (carbon, population, gdp))
    factors = {"population": p, "GDP per person": g / p}
    if energy is None:
        factors["carbon per GDP"] = c / g
    else:
        e = _positive(panel, energy)
        factors |= {"energy per GDP": e / g, "carbon per energy": c / e}
    return lmdi(factors, units=panel.units, years=panel.years, base=base)


def _positive(panel: Panel, name: str) -> Figures:
    figures = panel.get_complete(name)
    if (figures <= 0).any():
        where = name_cells(panel.units, panel.years, figures <= 0)
        raise InputError(f"{name!r} isn't positive for {where}")
    return figures

"""Answers as plain rows of figures: what commands print, and what the report's CSVs hold.

Keys are the same in every language; figures are numbers, and what isn't there is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from conurb.strategy.panel import Panel
from conurb.strategy.report.around import Around
from conurb.strategy.report.carbon import Carbon
from conurb.strategy.report.linking import Linking
from conurb.strategy.report.page import Data
from conurb.strategy.report.policy import Policy
from conurb.strategy.report.standing import Standing

Row: TypeAlias = dict[str, Any]


def as_data(rows: Sequence[Mapping[str, Any]]) -> Data:
    """Make a table of rows that share their keys."""
    columns = tuple(rows[0]) if rows else ()
    return Data(columns, tuple(tuple(row[name] for name in columns) for row in rows))


def plain(value: float | None) -> float | None:
    """Give a figure, None where there is none."""
    return None if value is None or not math.isfinite(value) else float(value)


def standing_rows(standing: Standing, other: Standing | None = None) -> list[Row]:
    """Give the ranks of the year with their ranges, the first first."""
    scores, near, free = standing.scores, standing.near, standing.free
    theirs = {} if other is None else dict(zip(other.near.units, other.near.rank, strict=True))
    t = scores.panel.years.index(standing.year)
    at = {unit: i for i, unit in enumerate(scores.panel.units)}
    return [
        {
            "rank": int(near.rank[i]),
            "city": near.units[i],
            "year": standing.year,
            "score": float(scores.score[at[near.units[i]], t]),
            "rank_low": int(near.low[i]),
            "rank_high": int(near.high[i]),
            "rank_low_any_weights": int(free.low[i]),
            "rank_high_any_weights": int(free.high[i]),
            **({} if other is None else {"rank_other": plain(theirs.get(near.units[i]))}),
            **{
                one.id: plain(scores.branch_score(one.id)[at[near.units[i]], t])
                for one in scores.definition.root.children
            },
        }
        for i in np.argsort(near.rank, kind="stable")
    ]


def carbon_rows(carbon: Carbon) -> list[Row]:
    """Give intensity, its change and the last span's decoupling by city, the most intense first."""
    last = carbon.decoupling.elasticity[:, -1]
    return [
        {
            "city": carbon.panel.units[i],
            "year": carbon.year,
            "t_co2_per_10k_cny": float(carbon.intensity[i]),
            "change_per_year": float(carbon.change[i]),
            "since": carbon.since,
            "elasticity": plain(float(last[i])),
            "state": carbon.decoupling.states[i][-1].value,
            "span": carbon.spans[-1],
        }
        for i in np.argsort(-carbon.intensity, kind="stable")
    ]


def policy_rows(policy: Policy) -> list[Row]:
    """Give every method's row of the battery, in its order."""
    return [
        {
            "method": row.method,
            "estimate": plain(row.estimate),
            "standard_error": plain(row.standard_error),
            "low": plain(row.low),
            "high": plain(row.high),
            "p": plain(row.p_value),
            "units": row.n_units or None,
            "observations": row.n_observations or None,
            "notes": "; ".join(row.notes),
        }
        for row in policy.battery.rows
    ]


def main_rows(policies: Sequence[Policy]) -> list[Row]:
    """Give the main estimate of each outcome with its reading."""
    return [
        {
            "outcome": one.outcome,
            "treatment": one.treatment.name,
            "method": one.main.method,
            "estimate": one.main.estimate,
            "standard_error": plain(one.main.standard_error),
            "low": plain(one.main.low),
            "high": plain(one.main.high),
            "p": plain(one.main.p_value),
            "placebo_p": plain(one.placebo_p),
            "pretrend_p": plain(one.pretrend_p),
            "units": one.main.n_units,
            "reading": one.reading,
        }
        for one in policies
    ]


def moran_rows(around: Around) -> list[Row]:
    """Give Moran's I by year."""
    return [
        {
            "outcome": name,
            "year": year,
            "moran": one.value,
            "expected": one.expected,
            "z": one.z,
            "p": one.p,
        }
        for name, found in (
            (around.outcome, around.moran),
            (around.other or "", around.moran_other),
        )
        for year, one in found.items()
    ]


def local_rows(around: Around) -> list[Row]:
    """Give local Moran's I of the last year by city."""
    local = around.local
    return [
        {
            "city": unit,
            "year": around.local_year,
            "quadrant": local.quadrant[i],
            "local_moran": float(local.value[i]),
            "p": float(local.p[i]),
            "p_adjusted": float(local.p_adjusted[i]),
        }
        for i, unit in enumerate(local.units)
    ]


def impact_rows(around: Around) -> list[Row]:
    """Give the impacts of the Durbin model and the treatment's, with standard errors."""
    rows: list[Row] = []
    if around.impacts is not None:
        found = around.impacts
        for k, name in enumerate(found.names):
            for kind in ("direct", "indirect", "total"):
                effect = getattr(found, kind)
                rows.append(
                    {
                        "model": "SDM",
                        "regressor": name,
                        "kind": kind,
                        "value": float(effect.value[k]),
                        "standard_error": float(effect.error[k]),
                        "p": float(effect.p[k]),
                    }
                )
    if around.choice is not None:
        sdm = around.choice.sdm
        rows.append(
            {
                "model": "SDM",
                "regressor": "lambda",
                "kind": "spatial lag",
                "value": sdm.spatial,
                "standard_error": float(sdm.errors[-2]),
                "p": float(sdm.p[-1]),
            }
        )
    if around.did is not None:
        own = float(around.did.fit.coefficients[0])
        pairs = [("own", own, float(np.sqrt(around.did.fit.covariance[0, 0])))]
        pairs += [
            (name, float(value), float(error))
            for name, value, error in zip(
                around.did.names, around.did.indirect, around.did.indirect_error, strict=True
            )
        ]
        rows += [
            {
                "model": "spatial DID",
                "regressor": "treatment",
                "kind": kind,
                "value": value,
                "standard_error": error,
                "p": None,
            }
            for kind, value, error in pairs
        ]
    return rows


def choice_rows(around: Around) -> list[Row]:
    """Give the tests between spatial models."""
    if around.choice is None:
        return []
    return [
        {"test": one.name, "statistic": one.statistic, "freedom": one.freedom, "p": one.p}
        for one in (*around.choice.lm, *around.choice.lr)
    ]


def linking_rows(linking: Linking) -> list[Row]:
    """Give how each city is linked, the most linked first."""
    found, reached, central = linking.linkage, linking.reached, linking.centralities
    group = {u: k for k, units in enumerate(linking.communities.groups, 1) for u in units}
    return [
        {
            "city": found.units[i],
            "year": linking.year,
            "strength": float(found.strength[i]),
            "rank": int(found.strength_rank[i]),
            "core_rank": plain(float(found.core_rank[i])),
            "share_of_core": plain(float(reached.of_core[i])),
            "gap": float(found.gap[i]),
            "gap_rank": int(found.gap_rank[i]),
            "poor": found.units[i] in found.poor_total,
            "poor_for_size": found.units[i] in found.poor_for_size,
            "betweenness": float(central.betweenness[i]),
            "eigenvector": float(central.eigenvector[i]),
            "class": linking.classes.classes[i],
            "community": group[found.units[i]],
        }
        for i in np.argsort(found.strength_rank, kind="stable")
    ]


def link_rows(linking: Linking) -> list[Row]:
    """Give every pair of cities with its strength, the strongest first."""
    count = len(linking.links.units)
    return [
        {"from": a, "to": b, "strength": strength}
        for a, b, strength in linking.strongest(count * (count - 1) // 2)
    ]


def role_rows(linking: Linking) -> list[Row]:
    """Give the plan's roles with the classes by GDP and by links."""
    return [
        {"city": unit, "role": role, "by_gdp": by_gdp, "by_links": by_links}
        for (unit, role, by_gdp), (_, _, by_links) in zip(
            linking.by_size.rows, linking.by_links.rows, strict=True
        )
    ]


def industry_rows(linking: Linking) -> list[Row]:
    """Give location quotients and the city most alike, the most special first."""
    made = linking.structure
    rows = []
    for i in np.argsort(-made.krugman, kind="stable"):
        others = np.where(np.arange(len(made.units)) == i, -1.0, made.similarity[i])
        rows.append(
            {
                "city": made.units[i],
                **{f"lq_{s}": float(made.quotients[i, k]) for k, s in enumerate(made.sectors)},
                "krugman": float(made.krugman[i]),
                "most_alike": made.units[int(np.argmax(others))],
                "similarity": float(others.max()),
            }
        )
    return rows


def panel_rows(panel: Panel, columns: Mapping[str, np.ndarray[Any, Any]]) -> list[Row]:
    """Give figures [N x T] by name as long rows."""
    return [
        {
            "unit": unit,
            "year": year,
            **{name: plain(float(one[i, t])) for name, one in columns.items()},
        }
        for i, unit in enumerate(panel.units)
        for t, year in enumerate(panel.years)
    ]

"""Write an estimate's data and script into a folder, for Stata or R."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.strategy.export.plan import FIRST, STATUS, UNIT, UNIT_NUMBER, YEAR, Plan
from conurb.strategy.export.r import write_script
from conurb.strategy.export.stata import write_do_file
from conurb.strategy.panel import Panel
from conurb.strategy.panel.files import stata_names, write_csv, write_stata
from conurb.strategy.report.policy import Policy

Program: TypeAlias = Literal["stata", "r"]

PROGRAMS: Final = ("stata", "r")
ESTIMATES: Final = "conurb-estimates.csv"


def write_export(
    panel: Panel,
    policy: Policy,
    folder: Path | str,
    *,
    to: Program,
    covariates: Sequence[str] = (),
) -> list[Path]:
    """Write data, script and our own estimates into a folder; give the files written.

    The data holds the outcome, the covariates, the first treated year (0: never) and the status.
    Raises InputError for another program, NotFoundError for a column that the panel hasn't.
    """
    if to not in PROGRAMS:
        raise InputError(f"to is {to!r}; allowed are {list(PROGRAMS)}")
    columns = tuple(dict.fromkeys((policy.outcome, *covariates)))
    first = np.array([float(policy.treatment.first.get(unit, 0)) for unit in panel.units])
    figures = {
        **{name: panel.get(name) for name in columns},
        FIRST: np.repeat(first[:, None], len(panel.years), axis=1),
        STATUS: policy.treatment.status(panel),
    }
    if to == "r":
        numbers = np.arange(1.0, len(panel.units) + 1)
        figures[UNIT_NUMBER] = np.repeat(numbers[:, None], len(panel.years), axis=1)
    names = stata_names([UNIT, YEAR, UNIT_NUMBER, *columns, FIRST, STATUS])
    named = {names[name]: values for name, values in figures.items()}
    full = dict(zip((names[name] for name in figures), figures, strict=True))
    # Stata keeps our full names in its labels; CSV has the short ones alone.
    chosen = figures if to == "stata" else named
    measures = {
        name: panel.measures[name if to == "stata" else full[name]]
        for name in chosen
        if (name if to == "stata" else full[name]) in panel.measures
    }
    data = Panel(panel.units, panel.years, chosen, measures)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    data_path = target / ("panel.dta" if to == "stata" else "panel.csv")
    plan = _plan(policy, data_path.name, names, columns, panel)
    if to == "stata":
        write_stata(data, data_path, unit=UNIT, time=YEAR)
        script = target / "main-estimate.do"
        script.write_text(write_do_file(plan), encoding="utf-8")
    else:
        write_csv(data, data_path, unit=UNIT, time=YEAR)
        script = target / "main-estimate.R"
        script.write_text(write_script(plan), encoding="utf-8")
    estimates = target / ESTIMATES
    estimates.write_text(policy.battery.to_csv(), encoding="utf-8")
    return [data_path, script, estimates]


def _plan(
    policy: Policy, data: str, names: dict[str, str], columns: tuple[str, ...], panel: Panel
) -> Plan:
    rows = {row.method: row for row in policy.battery.rows}
    gaps = any(bool(np.isnan(panel.get(name)).any()) for name in columns)
    return Plan(
        data=data,
        title=f"{policy.treatment.name}: effect on {policy.outcome}, "
        f"{panel.years[0]} to {panel.years[-1]}",
        names=names,
        outcome=policy.outcome,
        covariates=columns[1:],
        main=policy.main,
        twfe=rows.get("TWFE"),
        gaps=gaps,
        never=set(panel.units) > set(policy.treatment.first),
    )

"""Exports: the data as it was, and scripts whose names are those of the data.

Neither Stata nor R is here: scripts are held by their structure, data is read back.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conurb.errors import InputError
from conurb.strategy.effect.table import Settings
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.export.write import write_export
from conurb.strategy.panel import Panel
from conurb.strategy.panel.files import read_stata
from conurb.strategy.report.policy import Policy, study_policy

FEW = Settings(draws=19, bootstrap_draws=19, synthetic_draws=5, factors=(), bends=())
N, YEARS = 20, tuple(range(2001, 2011))


def study(*, gap: bool = False, never: bool = True) -> tuple[Panel, Policy]:
    rng = np.random.default_rng(4)
    y = rng.normal(size=(N, len(YEARS)))
    if gap:
        y[3, 2] = np.nan
    units = tuple(f"城市{i}" for i in range(N))
    columns = {"ln CO2 per GDP": y, "ln GDP": rng.normal(size=y.shape)}
    panel = Panel(units, YEARS, columns, {"ln GDP": "ln(CNY)"})
    first = dict.fromkeys(units[:6], 2004) | dict.fromkeys(units[6 : 12 if never else N], 2007)
    who = Treatment(first, "pilot")
    return panel, study_policy(panel, "ln CO2 per GDP", who, years=None, settings=FEW)


def test_stata_gets_the_panel_with_who_is_treated_since_when(tmp_path: Path) -> None:
    panel, policy = study()
    write_export(panel, policy, tmp_path, to="stata", covariates=["ln GDP"])
    frame = pd.read_stata(tmp_path / "panel.dta")
    assert len(frame) == N * len(YEARS)
    assert set(frame.loc[frame.unit == "城市0", "first_treated"]) == {2004}
    assert set(frame.loc[frame.unit == "城市19", "first_treated"]) == {0}
    expected = (frame.first_treated > 0) & (frame.year >= frame.first_treated)
    assert (frame.treated == expected).all()
    back = read_stata(tmp_path / "panel.dta", unit="unit", time="year")
    np.testing.assert_array_equal(back.get("ln CO2 per GDP"), panel.get("ln CO2 per GDP"))
    assert back.measures["ln GDP"] == "ln(CNY)"


def test_the_do_file_repeats_the_estimate_with_names_of_the_data(tmp_path: Path) -> None:
    panel, policy = study()
    write_export(panel, policy, tmp_path, to="stata", covariates=["ln GDP"])
    text = (tmp_path / "main-estimate.do").read_text("utf-8")
    names = set(pd.read_stata(tmp_path / "panel.dta").columns)
    assert 'use "panel.dta", clear' in text
    assert "xtset unit_id year" in text
    [two_way] = re.findall(r"^reghdfe (.*), absorb\((.*)\) vce\(cluster (.*)\)$", text, re.M)
    assert set(" ".join(two_way).split()) <= names
    assert two_way[0] == "ln_CO2_per_GDP treated ln_GDP"
    [staggered] = re.findall(r"^csdid (.*)$", text, re.M)
    assert "ivar(unit_id) time(year) gvar(first_treated) method(dripw)" in staggered
    assert "notyet" not in staggered
    assert f"{policy.main.estimate:.7f}" in text


def test_the_r_script_repeats_the_estimate_with_names_of_the_data(tmp_path: Path) -> None:
    panel, policy = study()
    write_export(panel, policy, tmp_path, to="r", covariates=["ln GDP"])
    text = (tmp_path / "main-estimate.R").read_text("utf-8")
    with (tmp_path / "panel.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for name in re.findall(r'(?:yname|tname|idname|gname) = "(\w+)"', text):
        assert name in rows[0]
    assert "feols(ln_CO2_per_GDP ~ treated + ln_GDP | unit + year" in text
    assert 'control_group = "nevertreated"' in text
    code = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert code.count("(") == code.count(")")
    assert float(rows[0]["ln_CO2_per_GDP"]) == panel.get("ln CO2 per GDP")[0, 0]
    assert {row["unit_id"] for row in rows[: len(YEARS)]} == {"1.0"}


def test_without_never_treated_the_not_yet_treated_are_compared(tmp_path: Path) -> None:
    panel, policy = study(never=False)
    write_export(panel, policy, tmp_path / "s", to="stata")
    write_export(panel, policy, tmp_path / "r", to="r")
    assert re.search(r"^csdid .* notyet$", (tmp_path / "s" / "main-estimate.do").read_text(), re.M)
    assert '"notyettreated"' in (tmp_path / "r" / "main-estimate.R").read_text()


def test_gaps_are_said_in_both(tmp_path: Path) -> None:
    panel, policy = study(gap=True)
    write_export(panel, policy, tmp_path / "s", to="stata")
    write_export(panel, policy, tmp_path / "r", to="r")
    assert "gaps" in (tmp_path / "s" / "main-estimate.do").read_text()
    script = (tmp_path / "r" / "main-estimate.R").read_text()
    assert "allow_unbalanced_panel = TRUE" in script


def test_our_own_estimates_go_beside_them(tmp_path: Path) -> None:
    panel, policy = study()
    files = write_export(panel, policy, tmp_path, to="r")
    assert [one.name for one in files] == ["panel.csv", "main-estimate.R", "conurb-estimates.csv"]
    assert files[2].read_text("utf-8") == policy.battery.to_csv()


def test_another_program_is_refused(tmp_path: Path) -> None:
    panel, policy = study()
    with pytest.raises(InputError, match="spss"):
        write_export(panel, policy, tmp_path, to="spss")  # type: ignore[arg-type]

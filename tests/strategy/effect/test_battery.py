"""The battery: every method has a row, with a number or with the reason why not."""

from __future__ import annotations

import csv
import io
import math
import warnings

import numpy as np
import pytest

from conurb.strategy.effect.battery import battery
from conurb.strategy.effect.table import COLUMNS, Battery, Settings
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning
from tests.strategy.effect.designs import made_up

QUICK = Settings(draws=99, bootstrap_draws=99, synthetic_draws=10, alternatives=("other",))
METHODS = (
    "TWFE",
    "wild cluster bootstrap",
    "joint pre-trend test",
    "never treated, doubly robust: simple",
    "not yet treated, doubly robust: dynamic",
    "group",
    "imputation",
    "Sun-Abraham",
    "synthetic DID",
    "PSM-DID, nearest",
    "PSM-DID, kernel",
    "Bacon decomposition",
    "HonestDiD",
    "placebo in space, TWFE",
    "placebo in space, Callaway-Sant'Anna",
    "placebo in space and time",
    "placebo in time, 2 early",
    "leave one out",
    "winsorised",
    "TWFE, other",
)


def run(panel: Panel, treatment: Treatment, **given: object) -> Battery:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        return battery(
            panel,
            "y",
            treatment,
            generator=np.random.default_rng(0),
            settings=QUICK,
            **given,  # type: ignore[arg-type]
        )


@pytest.fixture(scope="module")
def whole() -> Battery:
    panel, treatment = made_up()
    return run(panel.with_columns({"other": 2 * panel.get("y")}), treatment, covariates=["x"])


def test_every_method_has_a_row(whole: Battery) -> None:
    names = [row.method for row in whole.rows]
    for method in METHODS:
        assert any(method in name for name in names), method


def test_every_estimate_of_a_constant_effect_is_near_it(whole: Battery) -> None:
    off = ("placebo in time", "HonestDiD", "other", "pre-trend")
    for row in whole.rows:
        if not any(word in row.method for word in off):
            assert row.estimate == pytest.approx(0.5, abs=0.15), row.method
    assert next(r for r in whole.rows if r.method == "TWFE, other").estimate == pytest.approx(
        2 * whole.rows[0].estimate
    )


def test_the_table_reads_back_and_says_which_library_made_it(whole: Battery) -> None:
    read = list(csv.DictReader(io.StringIO(whole.to_csv())))
    assert tuple(read[0]) == COLUMNS
    assert len(read) == len(whole.rows)
    for line, row in zip(read, whole.rows, strict=True):
        assert line["method"] == row.method
        empty = math.isnan(row.estimate)
        assert (line["estimate"] == "") if empty else float(line["estimate"]) == row.estimate
        assert row.made_by.startswith("conurb ")


def test_one_seed_gives_one_table() -> None:
    panel, treatment = made_up()
    panel = panel.with_columns({"other": panel.get("x")})
    assert run(panel, treatment).to_csv() == run(panel, treatment).to_csv()


def test_what_cannot_be_computed_stays_in_the_table_with_the_reason() -> None:
    panel, treatment = made_up(sizes=((2004, 10), (2007, 10)))
    found = run(panel.with_columns({"other": panel.get("y")}), treatment)
    reasons = {r.method: r.notes[0] for r in found.rows if math.isnan(r.estimate) and r.notes}
    assert "never treated" in reasons["synthetic DID"]
    assert "covariates" in reasons["PSM-DID, nearest"]
    assert reasons["Callaway-Sant'Anna, never treated"].startswith("not computable")
    assert any("no unit is never treated" in text for text in found.warnings)


def test_a_small_cohort_is_tested_by_randomisation() -> None:
    panel, treatment = made_up(sizes=((2004, 1), (2006, 10), (None, 25)))
    found = run(panel.with_columns({"other": panel.get("y")}), treatment)
    (small,) = found.small_cohorts
    assert small.exact
    assert small.p_value == pytest.approx(1 / 26)
    assert "u000" in small.method


def test_gaps_add_a_row_that_compares_by_pairs() -> None:
    panel, treatment = made_up()
    y = panel.get("y").copy()
    y[4, 2] = np.nan
    found = run(panel.with_columns({"y": y, "other": y}), treatment)
    assert any("by pairs" in row.method for row in found.rows)

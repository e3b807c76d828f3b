"""Wrong designs end in an error or a warning that says what and where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from conurb.errors import InputError
from conurb.strategy.effect import callaway, placebo
from conurb.strategy.effect.callaway import group_times
from conurb.strategy.effect.imputation import impute
from conurb.strategy.effect.matching import match
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.sunab import sun_abraham
from conurb.strategy.effect.synthetic import synthetic
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.effect.twfe import event_study, twfe
from conurb.strategy.effect.twoperiod import OverlapError
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning
from tests.strategy.effect.designs import made_up, study_of


def test_a_treatment_that_switches_off_names_the_unit_and_the_year() -> None:
    panel, _ = made_up()
    status = panel.get("status").copy()
    status[2, 7] = 0
    broken = panel.with_columns({"status": status})
    with pytest.raises(InputError, match=r"u002 switches off in 2007"):
        Treatment.from_status(broken, "status")


def test_a_status_and_a_column_of_first_years_give_the_same_table() -> None:
    panel, treatment = made_up()
    first = np.array([treatment.first.get(u, 0) for u in panel.units], dtype=float)
    columns = {"first": np.repeat(first[:, None], 10, axis=1)}
    by_column = Treatment.from_column(panel.with_columns(columns), "first")
    assert Treatment.from_status(panel, "status").first == treatment.first == by_column.first
    np.testing.assert_array_equal(treatment.status(panel), panel.get("status"))


def test_a_status_that_is_neither_on_nor_off_names_the_cell() -> None:
    panel, _ = made_up()
    status = panel.get("status").copy()
    status[1, 3] = 0.5
    with pytest.raises(InputError, match=r"u001 2003 is 0\.5"):
        Treatment.from_status(panel.with_columns({"status": status}), "status")


def test_a_first_year_that_changes_over_years_names_the_unit() -> None:
    panel, _ = made_up()
    first = np.full(panel.shape, 2004.0)
    first[5, 2] = 2005
    with pytest.raises(InputError, match="u005 changes over the years"):
        Treatment.from_column(panel.with_columns({"first": first}), "first")


def test_a_file_gives_the_table_and_two_years_for_one_unit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "pilots.csv"
    path.write_text("city,since\nHangzhou,2010\nHefei,\nNingbo,2013\n")
    assert Treatment.from_csv(path, unit="city", first="since").cohorts() == {
        2010: ("Hangzhou",),
        2013: ("Ningbo",),
    }
    path.write_text("city,since\nHangzhou,2010\nHangzhou,2013\n")
    with pytest.raises(InputError, match="Hangzhou has two first treated years: 2010 and 2013"):
        Treatment.from_csv(path, unit="city", first="since")


def test_treated_units_that_the_panel_has_not_are_named() -> None:
    panel, _ = made_up()
    with pytest.raises(InputError, match="Atlantis"):
        Study.of(panel, "y", Treatment({"Atlantis": 2004}))


def test_all_units_treated_at_once_are_refused() -> None:
    panel, treatment = made_up(sizes=((2004, 10),))
    with pytest.raises(InputError, match="All 10 units begin treatment at once, in 2004"):
        Study.of(panel, "y", treatment)


def test_nobody_treated_within_the_years_is_refused() -> None:
    panel, _ = made_up()
    with pytest.raises(InputError, match=r"No unit of 52 begins treatment within 2000\.\.2009"):
        Study.of(panel, "y", Treatment({"u000": 2030}))


def test_units_treated_from_the_first_year_are_left_out_by_name() -> None:
    panel, treatment = made_up()
    early = Treatment({**treatment.first, "u051": 1999})
    with pytest.warns(StrategyWarning, match=r"treated from the first year \(2000\) on: u051"):
        study = Study.of(panel, "y", early)
    assert "u051" not in study.units


def test_a_cohort_of_one_is_warned_of_by_name() -> None:
    panel, treatment = made_up(sizes=((2004, 1), (2006, 8), (None, 10)))
    with pytest.warns(StrategyWarning, match=r"cohort 2004 has 1 unit \(u000\)"):
        Study.of(panel, "y", treatment)


def test_one_cohort_only_is_warned_of() -> None:
    panel, treatment = made_up(sizes=((2004, 8), (None, 10)))
    with pytest.warns(StrategyWarning, match=r"one cohort only \(2004\)"):
        Study.of(panel, "y", treatment)


def test_without_never_treated_the_comparison_must_be_asked_for() -> None:
    panel, treatment = made_up(sizes=((2004, 8), (2007, 10)))
    with pytest.warns(StrategyWarning, match="no unit is never treated"):
        study = Study.of(panel, "y", treatment)
    with pytest.raises(InputError, match="comparison='not yet'"):
        group_times(study)
    found = callaway.simple(group_times(study, comparison="not yet")).overall
    assert found.estimate == pytest.approx(0.5, abs=0.2)
    assert sun_abraham(study).overall.estimate == pytest.approx(found.estimate, abs=1e-9)


@pytest.mark.filterwarnings("ignore::conurb.strategy.warning.StrategyWarning")
@pytest.mark.parametrize("fit", [twfe, event_study, group_times, sun_abraham, match])
def test_collinear_covariates_are_named(fit: Callable[[Study], object]) -> None:
    panel, treatment = made_up()
    panel = panel.with_columns({"double": 2 * panel.get("x")})
    study = Study.of(panel, "y", treatment, covariates=["x", "double"])
    with pytest.raises(InputError, match="'double' is explained by the others"):
        fit(study)


def test_a_covariate_that_never_changes_is_named_by_two_way_effects() -> None:
    panel, treatment = made_up()
    fixed = np.repeat(panel.get("x")[:, :1], 10, axis=1)
    study = study_of(panel.with_columns({"fixed": fixed}), treatment, covariates=("fixed",))
    with pytest.raises(InputError, match="'fixed' doesn't vary beyond unit and year effects"):
        twfe(study)


def test_covariates_that_separate_the_groups_are_warned_of_by_cohort_and_year() -> None:
    panel, treatment = made_up()
    x = (
        panel.get("x")
        + 100 * np.array([treatment.first.get(u) == 2004 for u in panel.units])[:, None]
    )
    study = study_of(panel.with_columns({"x": x}), treatment, covariates=("x",))
    with pytest.warns(StrategyWarning, match=r"isn't estimated for \(2004, 2001\)"):
        effects = group_times(study)
    assert effects.find(2004, 2005) is None
    assert effects.find(2006, 2007) is not None
    assert "without ATT of" in callaway.simple(effects).overall.notes[-1]
    with pytest.raises(OverlapError, match="Cohort 2004"):
        match(study)


def test_units_with_gaps_are_left_out_by_name_where_balance_is_needed() -> None:
    panel, treatment = made_up()
    y = panel.get("y").copy()
    y[7, 3] = np.nan
    study = study_of(panel.with_columns({"y": y}), treatment)
    with pytest.warns(StrategyWarning, match=r"1 of 52 units \(u007\)"):
        effects = group_times(study)
    assert len(effects.study.units) == 51
    assert len(group_times(study, pairwise=True).study.units) == 52


def test_units_without_any_figure_are_left_out_by_name() -> None:
    panel, treatment = made_up()
    y = panel.get("y").copy()
    y[7] = np.nan
    with pytest.warns(StrategyWarning, match="no figure in any year: u007"):
        study = Study.of(panel.with_columns({"y": y}), "y", treatment)
    assert len(study.units) == 51


def test_clusters_that_change_over_years_are_refused() -> None:
    panel, treatment = made_up()
    with pytest.raises(InputError, match="must be constant by unit; that of u000 changes"):
        Study.of(panel, "y", treatment, clusters="x")


def test_estimators_without_covariates_say_so() -> None:
    study = study_of(*made_up(), covariates=("x",))
    for fit in (impute, synthetic):
        with pytest.raises(InputError, match="takes no covariates"):
            fit(study)


def test_the_placebo_variance_needs_more_comparison_units_than_treated() -> None:
    study = study_of(*made_up(sizes=((2004, 8), (None, 8))))
    with pytest.raises(InputError, match=r"more never treated units \(8\) than treated"):
        synthetic(study, generator=np.random.default_rng(0))


def test_a_cohort_without_two_years_before_has_no_synthetic_comparison() -> None:
    study = study_of(*made_up(sizes=((2001, 8), (None, 12))))
    with pytest.raises(InputError, match=r"\[2001\] have fewer than two years before"):
        synthetic(study, variance="jackknife")


def test_a_treated_unit_without_a_match_is_named() -> None:
    panel, treatment = made_up()
    study = study_of(panel, treatment, covariates=("x",))
    found = match(study, caliper=0.01)
    assert found.unmatched
    assert set(found.unmatched) <= set(treatment.first)
    assert found.unmatched[0] in found.overall.notes[-1]


def test_a_shift_before_the_first_year_is_warned_of() -> None:
    study = study_of(*made_up(sizes=((2002, 8), (None, 12))))
    with pytest.warns(StrategyWarning, match="no placebo 5 years early"):
        found = placebo.in_time(study, (1, 5))
    assert [one.years for one in found] == [1]


def test_a_unit_without_untreated_figures_cannot_be_imputed_and_is_named() -> None:
    study = study_of(*made_up())
    outcome = study.outcome.copy()
    outcome[0, :4] = np.nan
    with pytest.warns(StrategyWarning, match="no untreated year with a figure: u000"):
        found = impute(replace(study, outcome=outcome))
    assert found.overall.estimate == pytest.approx(0.5, abs=0.1)


def test_an_outcome_that_is_not_there_is_named() -> None:
    panel, treatment = made_up()
    with pytest.raises(Exception, match="no column 'z'"):
        Study.of(panel, "z", treatment)


def test_rows_without_the_columns_asked_for_are_refused() -> None:
    with pytest.raises(InputError, match="Row 1 lacks"):
        Treatment.from_rows([{"city": "Hefei"}], unit="city", first="since")


def test_a_year_that_is_not_whole_is_refused() -> None:
    panel = Panel(("a",), (2000,), {"f": np.array([[2000.5]])})
    with pytest.raises(InputError, match=r"a is 2000\.5, not a whole year"):
        Treatment.from_column(panel, "f")

"""Mediation: a known chain is found, its algebra is exact, and nothing is dressed up.

Exact algebra to 1e-10. The made-up chain: treatment adds 2 to the mediator, the mediator 0.5 each
to the outcome, treatment 1 directly; so half of the effect of 2 runs through the mediator.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from conurb.errors import InputError
from conurb.strategy.mechanism.channels import CHANNELS, Finding, run_channels
from conurb.strategy.mechanism.mediation import Mediation, mediate
from conurb.strategy.mechanism.roles import ROLES, SHIPPED, Lacking, Roles
from conurb.strategy.panel import Figures, Panel
from conurb.strategy.warning import StrategyWarning

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def chain(seed: int = 0, *, direct: float = 1.0, through: float = 0.5) -> tuple[Panel, Figures]:
    rng = np.random.default_rng(seed)
    n, t = 60, 10
    status = np.zeros((n, t))
    status[:15, 4:] = 1
    status[15:30, 6:] = 1
    mediator = rng.normal(size=(n, 1)) + 2 * status + 0.5 * rng.normal(size=(n, t))
    outcome = rng.normal(size=(n, 1)) + np.arange(t) / t + direct * status + through * mediator
    outcome = outcome + 0.3 * rng.normal(size=(n, t))
    units = tuple(f"u{i}" for i in range(n))
    return Panel(units, tuple(range(2000, 2000 + t)), {"y": outcome, "m": mediator}), status


def run(panel: Panel, status: Figures, draws: int = 100) -> Mediation:
    return mediate(
        panel,
        outcome="y",
        mediator="m",
        status=status,
        generator=np.random.default_rng(0),
        draws=draws,
    )


def test_half_of_the_effect_runs_through_the_mediator() -> None:
    found = run(*chain())
    assert found.total.coefficient == pytest.approx(2, abs=0.2)
    assert found.on_mediator.coefficient == pytest.approx(2, abs=0.2)
    assert found.of_mediator.coefficient == pytest.approx(0.5, abs=0.1)
    assert found.share[0] == pytest.approx(0.5, abs=0.1)
    assert found.share[1] < 0.5 < found.share[2]
    assert found.indirect[1] < 1 < found.indirect[2]
    assert found.sobel_p < 1e-6


def test_total_is_direct_and_indirect_exactly() -> None:
    found = run(*chain())
    indirect = found.on_mediator.coefficient * found.of_mediator.coefficient
    assert indirect == pytest.approx(found.indirect[0], abs=1e-12)
    assert found.total.coefficient == pytest.approx(found.direct.coefficient + indirect, abs=1e-10)


def test_a_mediator_that_does_nothing_has_an_interval_around_zero() -> None:
    found = run(*chain(through=0.0))
    assert found.indirect[1] < 0 < found.indirect[2]
    assert found.share[0] == pytest.approx(0, abs=0.2)


def test_a_share_of_no_effect_is_not_given() -> None:
    found = run(*chain(direct=-1.0))
    assert abs(found.total.coefficient) < 0.2
    assert math.isnan(found.share[0])
    assert "can't be told from zero" in found.notes[0]


def test_one_seed_gives_one_interval() -> None:
    assert run(*chain()) == run(*chain())


def test_cells_without_a_figure_are_in_none_of_the_regressions() -> None:
    panel, status = chain()
    m = panel.get("m").copy()
    m[3, 4] = np.nan
    m[5] = np.nan
    with pytest.warns(StrategyWarning, match="1 of 60 units never have both"):
        found = run(panel.with_columns({"m": m}), status)
    assert found.n_observations == 600 - 11
    indirect = found.on_mediator.coefficient * found.of_mediator.coefficient
    assert found.total.coefficient == pytest.approx(found.direct.coefficient + indirect, abs=1e-10)


def test_a_mediator_that_is_the_treatment_is_refused_by_name() -> None:
    panel, status = chain()
    with pytest.raises(InputError, match="'m' is explained by the others"):
        run(panel.with_columns({"m": status}), status)


def test_too_few_treated_units_for_a_bootstrap_are_refused() -> None:
    panel, _ = chain()
    status = np.zeros(panel.shape)
    status[0, 5:] = 1
    with pytest.raises(InputError, match="too few treated units"):
        run(panel, status)


def test_a_status_that_is_not_zero_or_one_is_refused() -> None:
    panel, status = chain()
    with pytest.raises(InputError, match="0 or 1"):
        run(panel, status / 2)


def sectors(panel: Panel, status: Figures) -> Panel:
    rng = np.random.default_rng(1)
    base = np.exp(rng.normal(size=(*panel.shape, 3)) * 0.1)
    base[..., 2] *= 1 + 0.5 * status
    return panel.with_columns({f"va{k + 1}": base[..., k] for k in range(3)})


def test_channels_without_columns_say_what_they_lack_and_the_others_run() -> None:
    panel, status = chain()
    roles = Roles(sectors(panel, status), {f"value added {k}": f"va{k}" for k in (1, 2, 3)})
    found = run_channels(
        roles, outcome="y", status=status, generator=np.random.default_rng(0), draws=50
    )
    by_name = {one.mediator: one for one in found}
    assert set(by_name) == {name for mediators in CHANNELS.values() for name in mediators}
    assert by_name["patents per head"].answer == Lacking(
        "patents per head", ("patents", "population")
    )
    assert str(by_name["energy intensity"]).endswith("not computable: lacks energy, output")
    share = by_name["tertiary share"].answer
    assert isinstance(share, Mediation)
    assert share.on_mediator.coefficient > 0
    assert share.on_mediator.p_value < 1e-6


def test_the_users_columns_carry_the_innovation_and_energy_channels() -> None:
    panel, status = chain()
    rng = np.random.default_rng(2)
    given = {
        "p": np.round(np.exp(2 + status + 0.1 * rng.normal(size=panel.shape))),
        "n": np.full(panel.shape, 100.0),
        "e": np.exp(-0.5 * status + 0.1 * rng.normal(size=panel.shape)),
        "g": np.exp(0.1 * rng.normal(size=panel.shape)),
    }
    columns = {"patents": "p", "population": "n", "energy": "e", "output": "g"}
    found = run_channels(
        Roles(panel.with_columns(given), columns),
        outcome="y",
        status=status,
        generator=np.random.default_rng(0),
        draws=50,
    )
    answers = {one.mediator: one.answer for one in found}
    energy, patents = answers["energy intensity"], answers["patents per head"]
    assert isinstance(energy, Mediation)
    assert isinstance(patents, Mediation)
    assert energy.on_mediator.coefficient == pytest.approx(-0.5, abs=0.05)
    assert patents.on_mediator.coefficient > 0.05


def test_a_figure_that_a_logarithm_cannot_take_names_the_cell() -> None:
    panel, status = chain()
    energy = np.ones(panel.shape)
    energy[4, 2] = 0
    roles = Roles(
        panel.with_columns({"e": energy, "g": np.ones(panel.shape)}), {"energy": "e", "output": "g"}
    )
    found = run_channels(
        roles, outcome="y", status=status, generator=np.random.default_rng(0), draws=50
    )
    (energy_finding,) = [one for one in found if one.channel == "energy"]
    assert energy_finding == Finding(
        "energy", "energy intensity", "not computable: energy isn't positive for u4 2002"
    )


def test_the_shipped_figures_carry_the_industry_channel_only() -> None:
    path = DATA / "city_panel" / "china_city_year.csv"
    if not path.exists():
        pytest.skip("shared data isn't here: city_panel/china_city_year.csv")
    panel = Panel.from_csv(path, unit="adcode", time="year")
    assert set(SHIPPED) <= set(ROLES)
    roles = Roles(panel, SHIPPED)
    lacking = {
        name
        for mediators in CHANNELS.values()
        for name, make in mediators.items()
        if isinstance(make(roles), Lacking)
    }
    assert lacking == {"patents per head", "energy intensity", "rationalisation"}

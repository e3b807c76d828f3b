"""Industrial indices: their ends, their order, and what they lack."""

from __future__ import annotations

import numpy as np
import pytest

from conurb.errors import InputError, NotFoundError
from conurb.strategy.mechanism import upgrading
from conurb.strategy.mechanism.roles import Lacking, Roles
from conurb.strategy.panel import Figures, Panel


def sectors(*shares: float) -> Figures:
    return np.array([[shares]], dtype=float)


def panel(**columns: float) -> Panel:
    return Panel(("a", "b"), (2000,), {k: np.array([[v], [v]]) for k, v in columns.items()})


FULL = {f"va{k}": v for k, v in ((1, 2.0), (2, 5.0), (3, 3.0))} | {
    f"l{k}": v for k, v in ((1, 4.0), (2, 3.0), (3, 3.0))
}
ALL = {f"value added {k}": f"va{k}" for k in (1, 2, 3)} | {
    f"employment {k}": f"l{k}" for k in (1, 2, 3)
}


def test_the_share_and_the_ratio_are_what_they_say() -> None:
    figures = sectors(2, 5, 3)
    assert upgrading.tertiary_share(figures)[0, 0] == pytest.approx(0.3)
    assert upgrading.tertiary_to_secondary(figures)[0, 0] == pytest.approx(0.6)
    assert upgrading.hierarchy(figures)[0, 0] == pytest.approx(0.2 + 2 * 0.5 + 3 * 0.3)


@pytest.mark.parametrize(
    ("shares", "value"),
    [
        # Angles to the three axes: 0 to the only sector's own, a right angle to the others.
        ((1, 0, 0), np.pi / 2 * (2 + 1)),
        ((0, 1, 0), np.pi / 2 * (3 + 1)),
        ((0, 0, 1), np.pi / 2 * (3 + 2)),
    ],
)
def test_advancement_rises_from_primary_to_tertiary(
    shares: tuple[float, ...], value: float
) -> None:
    assert upgrading.advancement(sectors(*shares))[0, 0] == pytest.approx(value)


def test_rationalisation_is_zero_in_balance_and_theil_otherwise() -> None:
    assert upgrading.rationalisation(sectors(2, 3, 5), sectors(4, 6, 10))[0, 0] == pytest.approx(0)
    theil = 0.2 * np.log(0.2 / 0.4) + 0.5 * np.log(0.5 / 0.3) + 0.3 * np.log(0.3 / 0.3)
    found = upgrading.rationalisation(sectors(2, 5, 3), sectors(4, 3, 3))[0, 0]
    assert found == pytest.approx(theil)
    assert upgrading.rationalisation(sectors(0, 5, 5), sectors(0, 1, 1))[0, 0] == pytest.approx(0)


@pytest.mark.parametrize("name", upgrading.INDICES)
def test_indices_do_not_depend_on_the_unit_of_measure(name: str) -> None:
    one = upgrading.compute(name, Roles(panel(**FULL), ALL))
    other = upgrading.compute(name, Roles(panel(**{k: 1e4 * v for k, v in FULL.items()}), ALL))
    assert not isinstance(one, Lacking)
    np.testing.assert_allclose(one, other)


def test_a_missing_figure_stays_missing() -> None:
    figures = sectors(2, np.nan, 3)
    assert np.isnan(upgrading.advancement(figures)[0, 0])
    assert np.isnan(upgrading.rationalisation(figures, sectors(1, 1, 1))[0, 0])


def test_an_index_without_its_columns_says_which_roles_it_lacks() -> None:
    few = Roles(panel(**FULL), {k: v for k, v in ALL.items() if not k.startswith("employment")})
    found = upgrading.compute("rationalisation", few)
    assert str(found) == "not computable: lacks employment 1, employment 2, employment 3"
    assert not isinstance(upgrading.compute("advancement", few), Lacking)


def test_a_column_without_any_figure_is_lacking_too() -> None:
    empty = Roles(panel(**{**FULL, "l2": np.nan}), ALL)
    assert upgrading.compute("rationalisation", empty) == Lacking(
        "rationalisation", ("employment 2",)
    )


def test_wrong_figures_are_refused_with_their_place() -> None:
    with pytest.raises(InputError, match=r"value added 2 is negative for a 2000"):
        upgrading.compute("hierarchy", Roles(panel(**{**FULL, "va2": -1.0}), ALL))
    with pytest.raises(InputError, match="All sectors are zero"):
        upgrading.hierarchy(sectors(0, 0, 0))
    with pytest.raises(InputError, match="nobody employed"):
        upgrading.rationalisation(sectors(1, 1, 1), sectors(1, 0, 1))
    with pytest.raises(InputError, match="No index 'x'"):
        upgrading.compute("x", Roles(panel(**FULL), ALL))


def test_roles_and_columns_that_do_not_exist_are_refused() -> None:
    with pytest.raises(InputError, match="No role 'robots'"):
        Roles(panel(**FULL), {"robots": "va1"})
    with pytest.raises(NotFoundError, match="Column 'va9' for the role 'value added 1'"):
        Roles(panel(**FULL), {"value added 1": "va9"})

"""Spatial DID and rings: effects put into made-up panels are found, wrong designs refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from conurb.errors import InputError
from conurb.strategy.panel import Panel
from conurb.strategy.sphere import great_circle_km
from conurb.strategy.spillover.did import ring_did, rings, spatial_did
from conurb.strategy.spillover.weights import Weights
from conurb.strategy.warning import StrategyWarning
from tests.strategy.spillover.reference import made_up_weights

N, T, START = 60, 8, 4


def treated_panel(weights: Weights, *, noise: float = 0.0, split: bool = False) -> Panel:
    rng = np.random.default_rng(3)
    treatment = np.zeros((N, T))
    treatment[rng.choice(N, 15, replace=False), START:] = 1
    near = weights.lag(treatment)
    spill = near * np.where(treatment == 1, 0.2, 0.6) if split else 0.6 * near
    x = rng.normal(size=(N, T))
    y = (
        rng.normal(size=(N, 1))
        + rng.normal(size=(1, T))
        + 1.5 * treatment
        + spill
        - 0.7 * x
        + noise * rng.normal(size=(N, T))
    )
    return Panel(weights.units, tuple(range(2000, 2000 + T)), {"y": y, "d": treatment, "x": x})


def test_own_and_neighbours_effects_are_found_exactly_without_noise() -> None:
    weights = made_up_weights(N, 1)
    got = spatial_did(
        treated_panel(weights), outcome="y", treatment="d", weights=weights, covariates=["x"]
    )
    np.testing.assert_allclose(got.fit.coefficients, [1.5, 0.6, -0.7], atol=1e-9)
    share = got.exposure[got.exposure > 0].mean()
    np.testing.assert_allclose(got.indirect, [0.6 * share], atol=1e-9)


def test_spillover_may_differ_for_who_is_treated() -> None:
    weights = made_up_weights(N, 1)
    panel = treated_panel(weights, split=True)
    got = spatial_did(
        panel, outcome="y", treatment="d", weights=weights, covariates=["x"], split=True
    )
    np.testing.assert_allclose(got.fit.coefficients, [1.5, 0.2, 0.6, -0.7], atol=1e-9)


def test_rings_hold_who_is_near_and_not_treated() -> None:
    treated = np.array([[0.0, 1], [0, 0], [0, 0], [0, 0]])
    km = np.abs(np.subtract.outer([0.0, 40, 100, 900], [0.0, 40, 100, 900]))
    dummies, names = rings(treated, distance_km=km, edges_km=[50, 150])
    assert names == ("0 to 50 km", "50 to 150 km")
    assert dummies[:, 0].sum() == 0
    np.testing.assert_array_equal(dummies[:, 1], [[0, 0], [1, 0], [0, 1], [0, 0]])


def test_effects_that_fade_with_distance_are_found() -> None:
    rng = np.random.default_rng(5)
    points = np.column_stack([rng.uniform(115, 122, N), rng.uniform(27, 34, N)])
    km = great_circle_km(points)
    treatment = np.zeros((N, T))
    treatment[:4, START:] = 1
    dummies, _ = rings(treatment, distance_km=km, edges_km=[100, 200])
    y = rng.normal(size=(N, 1)) + rng.normal(size=(1, T)) + treatment
    y = y + dummies @ np.array([0.5, 0.2])
    panel = Panel(tuple(f"u{i}" for i in range(N)), tuple(range(T)), {"y": y, "d": treatment})
    got = ring_did(panel, outcome="y", treatment="d", distance_km=km, edges_km=[100, 200])
    np.testing.assert_allclose(got.fit.coefficients, [1.0, 0.5, 0.2], atol=1e-9)
    assert got.exposed == tuple(dummies.sum(axis=(0, 1)))


def test_clustered_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    weights = made_up_weights(N, 1)
    base = treated_panel(weights)
    rng = np.random.default_rng(7)
    inside = []
    for _ in range(200):
        walk = rng.normal(size=(N, T)).cumsum(axis=1)
        noisy = base.with_columns({"y": base.get("y") + walk})
        got = spatial_did(noisy, outcome="y", treatment="d", weights=weights, covariates=["x"])
        error = np.sqrt(np.diag(got.fit.covariance))
        inside.append(np.abs(got.fit.coefficients - [1.5, 0.6, -0.7]) < 1.96 * error)
    share = np.mean(inside, axis=0)
    assert (share > 0.88).all(), share
    assert (share < 0.99).all(), share


def test_treatments_that_cannot_be_compared_are_refused_by_name() -> None:
    weights = made_up_weights(N, 1)
    panel = treated_panel(weights)

    def run(d: np.ndarray) -> object:
        changed = panel.with_columns({"d": d})
        return spatial_did(changed, outcome="y", treatment="d", weights=weights)

    d = panel.get("d").copy()
    unit = int(np.argmax(d[:, -1]))
    off = d.copy()
    off[unit, -1] = 0
    with pytest.raises(InputError, match=f"switches off in u{unit} 2007"):
        run(off)
    half = d.copy()
    half[unit, -1] = 0.5
    with pytest.raises(InputError, match="must be 0 or 1"):
        run(half)
    with pytest.raises(InputError, match="Nobody is treated"):
        run(np.zeros_like(d))
    everybody = d.copy()
    everybody[:, -1] = 1
    with pytest.raises(InputError, match="Everybody is treated in the end"):
        run(everybody)


def test_staggered_and_always_treated_units_are_warned_of() -> None:
    weights = made_up_weights(N, 1)
    panel = treated_panel(weights)
    d = panel.get("d").copy()
    first, second = np.flatnonzero(d[:, -1])[:2]
    d[first, 0:] = 1
    d[second, 2:] = 1
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        spatial_did(panel.with_columns({"d": d}), outcome="y", treatment="d", weights=weights)
    texts = [str(one.message) for one in seen if one.category is StrategyWarning]
    assert any(f"u{first} (1 in all) are treated from the first year" in text for text in texts)
    assert any("Treatment starts in [2002, 2004]" in text for text in texts)


def test_rings_without_anybody_are_refused() -> None:
    weights = made_up_weights(N, 1)
    panel = treated_panel(weights)
    far = np.full((N, N), 500.0)
    with pytest.raises(InputError, match="No untreated unit is ever 0 to 50 km"):
        ring_did(panel, outcome="y", treatment="d", distance_km=far, edges_km=[50, 600])
    with pytest.raises(InputError, match="nobody is left to compare with"):
        ring_did(panel, outcome="y", treatment="d", distance_km=far, edges_km=[600])
    with pytest.raises(InputError, match="ascend"):
        ring_did(panel, outcome="y", treatment="d", distance_km=far, edges_km=[100, 50])

"""Scores: by hand, by property, and on the figures of the Delta."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conurb.errors import InputError, NotFoundError
from conurb.regions.pack import read_pack
from conurb.strategy.index.contributions import compare, contributions, parts
from conurb.strategy.index.definition import read_definition
from conurb.strategy.index.method import Method
from conurb.strategy.index.score import Scores, score
from conurb.strategy.panel import Panel
from conurb.strategy.panel.objects import read_pack_panel
from conurb.strategy.warning import StrategyWarning
from tests.strategy.index.trees import leaf, panel, tree

NAN = np.nan
METHODS = [
    Method(normalisation=n, weighting=w, aggregation=a, across=c)
    for n in ("min-max", "rank")
    for w in ("given", "equal", "entropy", "critic")
    for a in ("arithmetic", "geometric", "topsis")
    for c in ("panel", "year")
]


def random_panel(seed: int, n: int = 8, t: int = 3) -> Panel:
    rng = np.random.default_rng(seed)
    return panel(**{name: rng.uniform(1, 9, size=(n, t)) for name in "xyz"})


def three(weight: float | None = 1.0) -> Any:
    return tree([leaf("x", weight=weight), leaf("y", "cost", weight)], [leaf("z", weight=weight)])


@pytest.fixture(scope="module")
def delta() -> Panel:
    return read_pack_panel(read_pack("yrd")).select(years=range(2011, 2018))


@pytest.fixture(scope="module")
def green(delta: Panel) -> Scores:
    with pytest.warns(StrategyWarning, match="flagged as breaks"):
        return score(delta, read_definition("green-development"))


def test_a_score_is_the_weighted_mean_down_the_tree() -> None:
    # d0 = (x, y) with weights 3:1, d1 = z; dimensions 1:1. x: 0, 1; y (cost): 1, 0; z: 0, 1.
    made = tree([leaf("x", weight=3.0), leaf("y", "cost", 1.0)], [leaf("z")])
    found = score(panel(x=[[1], [2]], y=[[1], [2]], z=[[1], [2]]), made)
    np.testing.assert_allclose(found.weights[0], [0.375, 0.125, 0.5])
    np.testing.assert_allclose(found.score[:, 0], [0.125, 0.875])
    np.testing.assert_allclose(found.branch_score("d0")[:, 0], [0.25, 0.75])
    np.testing.assert_allclose(found.weight_of("d0"), [0.5])
    np.testing.assert_array_equal(found.ranks()[:, 0], [2, 1])


def test_equal_ones_share_the_better_rank() -> None:
    found = score(panel(x=[[1], [2], [2], [0]]), tree([leaf("x")]))
    np.testing.assert_array_equal(found.ranks()[:, 0], [3, 1, 1, 4])


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_scores_lie_between_zero_and_one_and_weights_sum_to_one(method: Method) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        found = score(random_panel(1), three(), method)
    assert ((found.score >= 0) & (found.score <= 1)).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.effective.sum(axis=2), 1.0)
    np.testing.assert_allclose(found.coverage, 1.0)


@pytest.mark.parametrize("method", METHODS, ids=str)
def test_parts_sum_to_the_score(method: Method) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        found = score(random_panel(2), three(), method)
    total = parts(found).sum(axis=2)
    if method.aggregation == "geometric":
        total = np.exp(total)
    np.testing.assert_allclose(total, found.score, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.001, 1000.0), st.floats(-50, 50))
def test_units_of_measure_and_order_of_cities_do_not_matter(
    seed: int, factor: float, shift: float
) -> None:
    given = random_panel(seed)
    base = score(given, three(), Method(weighting="critic")).score
    rescaled = given.with_columns({"x": given.get("x") * factor + shift})
    np.testing.assert_allclose(
        score(rescaled, three(), Method(weighting="critic")).score, base, atol=1e-6
    )
    turned = given.select(units=given.units[::-1])
    np.testing.assert_allclose(
        score(turned, three(), Method(weighting="critic")).score, base[::-1], atol=1e-9
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["arithmetic", "topsis"]))
def test_who_is_better_in_everything_scores_higher(seed: int, aggregation: Any) -> None:
    given = random_panel(seed)
    better = given.with_columns(
        {
            name: np.vstack(
                [given.get(name)[1] + (0.5 if name != "y" else -0.5), given.get(name)[1:]]
            )
            for name in "xyz"
        }
    )
    found = score(better, three(), Method(aggregation=aggregation)).score
    assert (found[0] > found[1]).all()


def test_panel_wide_scores_of_a_year_do_not_depend_on_its_own_ends_alone() -> None:
    # In the second year everything has doubled: panel-wide that shows, by year it doesn't.
    given = panel(x=[[1, 2], [2, 4], [3, 6]])
    wide = score(given, tree([leaf("x")])).score
    yearly = score(given, tree([leaf("x")]), Method(across="year")).score
    assert (wide[:, 1] > wide[:, 0]).all()
    np.testing.assert_allclose(yearly[:, 1], yearly[:, 0])


def test_missing_figures_are_refused_left_or_reweighed_as_asked() -> None:
    given = panel(x=[[1], [2], [3]], y=[[1], [NAN], [3]], z=[[1], [2], [3]])
    with pytest.raises(InputError, match="y: b 2000"):
        score(given, three())
    left = score(given, three(), Method(missing="leave"))
    assert np.isnan(left.score[1, 0])
    assert np.isnan(left.ranks()[1, 0])
    # x = 0.5 with weight 1/4, z = 0.5 with weight 1/2: y's quarter is shared out among them.
    shared = score(given, three(), Method(missing="reweigh"))
    np.testing.assert_allclose(shared.score[1, 0], 0.5)
    np.testing.assert_allclose(shared.effective[1, 0], [1 / 3, 0, 2 / 3])
    np.testing.assert_allclose(shared.coverage[:, 0], [1, 0.75, 1])
    strict = score(given, three(), Method(missing="reweigh", coverage_min=0.8))
    assert np.isnan(strict.score[1, 0])


def test_ahp_weighs_each_branch_and_names_one_without_judgements() -> None:
    judged: dict[str, Any] = {"toy": [[1, 3], [1 / 3, 1]], "d0": [[1, 1], [1, 1]]}
    found = score(random_panel(3), three(None), Method(weighting="ahp", judgements=judged))
    np.testing.assert_allclose(found.weights[0], [0.375, 0.375, 0.25])
    with pytest.raises(InputError, match="no judgements among the children of 'd0'"):
        score(random_panel(3), three(), Method(weighting="ahp", judgements={"toy": judged["toy"]}))
    with pytest.raises(InputError, match="are of 3, it has 2 children"):
        score(
            random_panel(3),
            three(),
            Method(weighting="ahp", judgements={**judged, "d0": np.ones((3, 3)).tolist()}),
        )


def test_a_zero_under_a_geometric_mean_is_warned_of_by_name() -> None:
    with pytest.warns(StrategyWarning, match="zero for a 2000"):
        score(panel(x=[[1], [2]]), tree([leaf("x")]), Method(aggregation="geometric"))


def test_weights_that_are_not_known_are_the_users_or_equal_by_name() -> None:
    with pytest.raises(InputError, match=r"no weights for \['d0'\].*with_weights"):
        score(random_panel(4), tree([leaf("x")], [leaf("y")], weights=[None, 1.0]))
    unknown = tree([leaf("x")], [leaf("y")], weights=[None, None])
    equal = score(random_panel(4), unknown, Method(weighting="equal"))
    assert "equal weights among siblings by the user's choice" in equal.labels[-1]
    mine = score(random_panel(4), unknown.with_weights({"d0": 3, "d1": 1}))
    np.testing.assert_allclose(mine.weights[0], [0.75, 0.25])
    assert mine.labels == ()


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"normalisation": "log"}, "normalisation is 'log'; allowed are"),
        ({"aggregation": "geometric", "normalisation": "z"}, "z has negative ones"),
        ({"coverage_min": 0.0}, "coverage_min is 0.0"),
        ({"judgements": {"toy": [[1.0]]}}, "Judgements are for AHP"),
    ],
)
def test_choices_that_do_not_exist_are_refused(said: Any, error: str) -> None:
    with pytest.raises(InputError, match=error):
        Method(**said)


def test_columns_that_the_panel_lacks_are_named() -> None:
    with pytest.raises(NotFoundError, match=r"toy reads \['labour'\], which the panel hasn't"):
        score(random_panel(5), tree([leaf("labour")]))


def test_a_divisor_of_zero_is_named_with_its_cell() -> None:
    bad = read_definition("green-development")
    given = {name: np.ones((2, 1)) for one in bad.leaves for name in (one.column, one.per) if name}
    given["area"] = np.array([[1.0], [0.0]])
    with pytest.raises(InputError, match="'area' is not above zero for b 2000"):
        score(panel(**given), bad)


def test_the_same_inputs_give_the_same_digest_and_others_another() -> None:
    first, again = score(random_panel(6), three()), score(random_panel(6), three())
    assert first.digest == again.digest
    others = [
        score(random_panel(7), three()),
        score(random_panel(6), three(), Method(weighting="equal")),
        score(random_panel(6), three().with_weights({"x": 2.0})),
    ]
    assert len({first.digest, *(one.digest for one in others)}) == 4


def test_a_contribution_leads_to_the_cells_that_it_was_read_from(green: Scores) -> None:
    found = {one.indicator: one for one in contributions(green, "tongling", 2016)}
    assert sum(one.part for one in found.values()) == pytest.approx(
        green.score[green.panel.place("tongling", 2016)]
    )
    person = found["carbon-per-person"]
    assert person.path == ("carbon",)
    co2, population = person.cells
    assert co2.object == population.object == "urn:ngsi-ld:City:tongling:tongling"
    assert co2.dataset == "urn:ngsi-ld:dataset:edgar-v8:prefecture"
    assert population.time == "2016-12-31T15:59:59Z"
    assert population.breaks()[0].startswith("boundary: Zongyang")


def test_gaps_to_a_benchmark_sum_to_the_difference_of_scores(green: Scores) -> None:
    gaps = compare(green, "tongling", "hangzhou", 2017)
    i, t = green.panel.place("tongling", 2017)
    j, _ = green.panel.place("hangzhou", 2017)
    assert sum(one.part for one in gaps) == pytest.approx(green.score[i, t] - green.score[j, t])
    assert gaps[0].indicator == "services-share"
    assert gaps[0].figure < gaps[0].other_figure


def test_a_score_that_is_not_there_cannot_be_taken_apart() -> None:
    given = panel(x=[[1], [2], [NAN]])
    found = score(given, tree([leaf("x")]), Method(missing="leave"))
    with pytest.raises(InputError, match="c has no score in 2000"):
        contributions(found, "c", 2000)
    with pytest.raises(NotFoundError, match="no unit 'z'"):
        contributions(found, "z", 2000)


def test_the_delta_in_2017_as_the_page_says(green: Scores) -> None:
    ranks = green.ranks()[:, -1]
    order = [green.panel.units[i] for i in np.argsort(ranks)]
    assert order[:4] == ["shanghai", "wuxi", "nanjing", "hangzhou"]
    assert order[-3:] == ["chizhou", "tongling", "huainan"]
    assert green.score[green.panel.units.index("shanghai"), -1] == pytest.approx(0.886, abs=5e-4)

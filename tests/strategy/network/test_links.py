"""Links and what is read from them, against networkx, brute force and answers by hand."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conurb.errors import InputError, NotFoundError
from conurb.strategy.network.centrality import centralities, eigenvector, to_graph
from conurb.strategy.network.classes import check_roles, classify
from conurb.strategy.network.communities import communities, modularity
from conurb.strategy.network.links import Links, from_flows, geometric_mass, gravity
from conurb.strategy.network.radiation import (
    breaking_point,
    linkage,
    radiation,
    strongest_partner,
)
from conurb.strategy.network.trains import read_trains
from conurb.strategy.panel import Figures

SEEDS = st.integers(0, 10**6)
INF = np.inf


def random_links(seed: int, n: int = 9, share: float = 0.6) -> Links:
    rng = np.random.default_rng(seed)
    matrix = rng.uniform(0.1, 5, (n, n)) * (rng.random((n, n)) < share)
    matrix = np.triu(matrix, 1)
    return Links(tuple("abcdefghijklmnop"[:n]), matrix + matrix.T, "random")


def chain() -> Links:
    """a - b - c, the first link twice as strong."""
    return Links(("a", "b", "c"), np.array([[0, 2, 0], [2, 0, 1], [0, 1, 0.0]]), "chain")


def test_gravity_by_hand() -> None:
    apart = np.array([[0, 2, 10], [2, 0, INF], [10, INF, 0.0]])
    found = gravity(("a", "b", "c"), mass=[2, 3, 5], apart=apart, constant=10)
    np.testing.assert_allclose(found.matrix, [[0, 15, 1], [15, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(found.strength(), [16, 15, 1])
    assert found.is_symmetric
    half = gravity(("a", "b", "c"), mass=[2, 3, 5], apart=apart, power=1)
    assert half.matrix[0, 1] == 3.0
    np.testing.assert_allclose(geometric_mass([2, 8], [8, 2]), [4, 4])


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.floats(0.01, 100), st.floats(0.01, 100))
def test_units_of_mass_and_distance_only_scale_gravity(seed: int, m: float, d: float) -> None:
    rng = np.random.default_rng(seed)
    mass, points = rng.uniform(1, 9, 6), rng.uniform(size=(6, 2))
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    base = gravity(tuple("abcdef"), mass=mass, apart=apart)
    other = gravity(tuple("abcdef"), mass=mass * m, apart=apart * d)
    np.testing.assert_allclose(other.matrix, base.matrix * m**2 / d**2, rtol=1e-9)


@pytest.mark.parametrize(
    ("mass", "apart", "said"),
    [
        ([1, -1], [[0, 1], [1, 0]], "The mass of b is -1"),
        ([1, np.nan], [[0, 1], [1, 0]], "The mass of b is nan"),
        ([1, 1], [[0, 0], [0, 0]], "a and b are 0 apart"),
        ([1, 1, 1], [[0, 1], [1, 0]], r"masses of shape \(3,\)"),
    ],
)
def test_masses_and_distances_that_cannot_be_are_refused(mass: Any, apart: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        gravity(("a", "b"), mass=mass, apart=apart)


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ([[0, -1], [0, 0]], "from a to b is negative"),
        ([[1, 0], [0, 0]], "of a unit with itself"),
        ([[0, np.nan], [0, 0]], "not finite"),
        ([[0]], "shape"),
    ],
)
def test_links_that_cannot_be_are_refused(matrix: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Links(("a", "b"), np.array(matrix, dtype=float), "wrong")


def test_flows_are_summed_by_pair_and_direction() -> None:
    flows = [("a", "b", 2.0), ("a", "b", 1.0), ("b", "a", 1.0), ("b", "b", 9.0)]
    found = from_flows(("a", "b", "c"), flows, kind="calls", measure="calls")
    np.testing.assert_allclose(found.matrix, [[0, 3, 0], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(found.strength(), [2, 2, 0])
    assert found.isolated == ("c",)
    with pytest.raises(NotFoundError, match="from a to z: there is no 'z'"):
        from_flows(("a", "b"), [("a", "z", 1.0)], kind="", measure="")
    with pytest.raises(InputError, match="from a to b is -1"):
        from_flows(("a", "b"), [("a", "b", -1.0)], kind="", measure="")


def test_centralities_of_a_chain_by_hand() -> None:
    found = centralities(chain())
    np.testing.assert_allclose(found.strength, [2, 3, 1])
    np.testing.assert_allclose(found.degree, [0.5, 1, 0.5])
    np.testing.assert_allclose(found.betweenness, [0, 1, 0])
    # Distances are 1/2 and 1: closeness of a is 2 / (1/2 + 3/2), of b 2 / (3/2), of c 2 / (5/2).
    np.testing.assert_allclose(found.closeness, [1, 4 / 3, 0.8])
    # [[0,2,0],[2,0,1],[0,1,0]] has the eigenvalue sqrt(5) with the vector (2, sqrt 5, 1).
    np.testing.assert_allclose(found.eigenvector, np.array([2, 5**0.5, 1]) / 10**0.5)


@pytest.mark.parametrize("seed", range(5))
def test_the_eigenvector_is_that_of_networkx(seed: int) -> None:
    links = random_links(seed)
    theirs = nx.eigenvector_centrality_numpy(to_graph(links), weight="weight")
    np.testing.assert_allclose(
        eigenvector(links.symmetric()), [theirs[i] for i in range(9)], rtol=1e-7, atol=1e-12
    )


def test_nothing_linked_has_no_centre() -> None:
    empty = Links(("a", "b"), np.zeros((2, 2)), "nothing")
    for ask in (
        centralities,
        lambda one: communities(one, seed=1),
        lambda one: radiation(one, "a"),
    ):
        with pytest.raises(InputError, match=r"No unit is linked|has no link"):
            ask(empty)


def spread_within(x: Figures, cuts: tuple[int, ...]) -> float:
    parts = np.split(np.sort(x), list(cuts))
    return float(sum(((part - part.mean()) ** 2).sum() for part in parts))


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(5, 9), st.integers(2, 4))
def test_natural_breaks_are_the_best_of_all_divisions(seed: int, n: int, k: int) -> None:
    x = np.random.default_rng(seed).lognormal(size=n)
    found = classify([str(i) for i in range(n)], x, names=[f"class {i}" for i in range(k)])
    best = min(spread_within(x, cuts) for cuts in combinations(range(1, n), k - 1))
    total = float(((x - x.mean()) ** 2).sum())
    assert found.fit == pytest.approx(1 - best / total, abs=1e-9)
    ordered = [found.classes[i] for i in np.argsort(-x)]
    assert ordered == sorted(ordered)


def test_equal_figures_never_fall_into_two_classes() -> None:
    found = classify(tuple("abcdef"), [9, 5, 5, 5, 5, 1], names=("high", "middle", "low"))
    assert found.members("middle") == ("b", "c", "d", "e")
    assert found.breaks == (9.0, 5.0, 1.0)
    assert found.fit == 1.0
    with pytest.raises(InputError, match="3 different figures can't fill 4 classes"):
        classify(tuple("abcdef"), [9, 5, 5, 5, 5, 1])


def test_roles_of_a_plan_are_held_against_classes() -> None:
    found = classify(tuple("abcd"), [9, 5, 4, 1], names=("core", "node", "other"))
    check = check_roles(
        found, {"centre": ["a"], "hub": ["d"]}, same={"centre": "core", "hub": "node"}
    )
    assert check.rows == (("a", "centre", "core"), ("d", "hub", "other"))
    assert (check.agreeing, check.compared, check.below) == (1, 2, ("d",))
    assert check.beyond == ("b", "c")
    with pytest.raises(NotFoundError, match="names 'z', which has no class"):
        check_roles(found, {"centre": ["z"]}, same={"centre": "core"})
    with pytest.raises(InputError, match="the role 'centre'"):
        check_roles(found, {"centre": ["a"]}, same={})


def test_what_radiates_from_the_core_is_shared_among_the_others() -> None:
    found = radiation(chain(), "b")
    np.testing.assert_allclose(found.of_core, [2 / 3, np.nan, 1 / 3])
    np.testing.assert_allclose(found.of_own, [1, np.nan, 1])
    np.testing.assert_array_equal(found.rank, [1, np.nan, 2])
    assert strongest_partner(chain()) == {"a": "b", "b": "a", "c": "b"}
    with pytest.raises(NotFoundError, match="don't know 'z'"):
        radiation(chain(), "z")


def test_the_breaking_point_by_hand() -> None:
    assert breaking_point(mass=4, other_mass=1, apart=30) == pytest.approx(20)
    assert breaking_point(mass=1, other_mass=1, apart=30) == pytest.approx(15)
    with pytest.raises(InputError, match="must be positive"):
        breaking_point(mass=0, other_mass=1, apart=30)


def test_who_is_linked_as_its_size_lets_expect_has_no_gap() -> None:
    # On a ring of equal distances to all, strength follows mass; d alone has half of its links.
    n = 6
    mass = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    matrix = np.ones((n, n)) - np.eye(n)
    matrix[3] /= 2
    matrix[:, 3] /= 2
    found = linkage(Links(tuple("abcdef"), matrix, "ring"), core="a", mass=mass)
    assert found.poor_total == found.poor_core == found.poor_for_size == ("d",)
    assert found.gap[3] == found.gap.min() < 0
    assert found.strength_rank[3] == 6
    with pytest.raises(InputError, match="share is 0"):
        linkage(Links(tuple("abcdef"), matrix, "ring"), core="a", mass=mass, share=0)
    with pytest.raises(InputError, match="one positive mass per unit"):
        linkage(Links(tuple("abcdef"), matrix, "ring"), core="a", mass=mass - 1)


def test_a_unit_without_any_link_is_the_worst_linked() -> None:
    matrix = np.ones((5, 5)) - np.eye(5)
    matrix[4] = matrix[:, 4] = 0
    found = linkage(Links(tuple("abcde"), matrix, "islands"), core="a", mass=np.arange(1.0, 6.0))
    assert found.gap[4] == -INF
    assert found.poor_total == found.poor_for_size == ("e",)


def test_two_cliques_with_a_bridge_are_two_communities() -> None:
    matrix = np.zeros((6, 6))
    matrix[:3, :3] = matrix[3:, 3:] = 1
    np.fill_diagonal(matrix, 0)
    matrix[2, 3] = matrix[3, 2] = 0.1
    found = communities(Links(tuple("abcdef"), matrix, "cliques"), seed=1)
    assert found.groups == (("a", "b", "c"), ("d", "e", "f"))
    # By hand: L = 3 of m = 6.1 in each, k = 6.1 of 12.2: Q = 2 (3 / 6.1 - 1/4).
    assert found.modularity == pytest.approx(2 * (3 / 6.1 - 0.25))


@pytest.mark.parametrize("seed", range(5))
def test_modularity_is_that_of_networkx(seed: int) -> None:
    links = random_links(seed)
    groups = [("a", "c", "e"), ("b", "d"), ("f", "g", "h", "i")]
    numbered = [{links.units.index(name) for name in group} for group in groups]
    theirs = nx.community.modularity(to_graph(links), numbered, weight="weight", resolution=1.3)
    assert modularity(links, groups, resolution=1.3) == pytest.approx(theirs, rel=1e-9)
    assert communities(links, seed=seed).groups == communities(links, seed=seed).groups


def test_a_division_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="c is in no group"):
        modularity(chain(), [("a", "b")])
    with pytest.raises(InputError, match="a is in two groups"):
        modularity(chain(), [("a", "b"), ("a", "c")])


def timetable(tmp_path: Path, *stops: tuple[str, str, str]) -> Path:
    route = [{"city": city, "arrival": a, "departure": d} for city, a, d in stops]
    path = tmp_path / "trains.json"
    path.write_text(json.dumps({"G1": {"service": "x", "route": route}}))
    return path


CITIES = {"A": "a", "B": "b", "C": "c", "X": "x"}


def test_every_pair_of_stops_is_a_link_in_the_direction_of_the_train(tmp_path: Path) -> None:
    path = timetable(
        tmp_path,
        ("A", "-", "23:00"),
        ("B", "23:30", "23:32"),
        ("Q", "24:00", "24:01"),
        ("C", "25:00", "-"),
    )
    found = read_trains(path, CITIES, source="a test")
    assert (found.services, found.covered, found.uncovered) == (1, ("a", "b", "c"), ("x",))
    np.testing.assert_allclose(found.links.matrix, [[0, 1, 1], [0, 0, 1], [0, 0, 0]])
    np.testing.assert_allclose(
        found.minutes, [[np.nan, 30, 120], [np.nan, np.nan, 88], [np.nan, np.nan, np.nan]]
    )


@pytest.mark.parametrize(
    ("stops", "said"),
    [
        ([("A", "-", "10:00"), ("B", "09:00", "-")], "Train G1 leaves a at minute 600"),
        ([("A", "-", "ten"), ("B", "11:00", "-")], "Train G1 has the time 'ten'"),
        ([("A", "-", "10:00"), ("Q", "11:00", "-")], r"stops in \['a'\] of the cities"),
    ],
)
def test_a_timetable_that_cannot_be_is_refused_by_train(
    tmp_path: Path, stops: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        read_trains(timetable(tmp_path, *stops), CITIES, source="a test")


def test_a_timetable_that_is_not_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "trains.json").write_text("train,city")
    with pytest.raises(InputError, match=r"trains\.json is not JSON"):
        read_trains(tmp_path / "trains.json", CITIES, source="a test")


def test_a_train_without_a_route_is_named(tmp_path: Path) -> None:
    (tmp_path / "trains.json").write_text('{"G2": {"service": "x"}}')
    with pytest.raises(InputError, match="Train G2 has no route"):
        read_trains(tmp_path / "trains.json", CITIES, source="a test")

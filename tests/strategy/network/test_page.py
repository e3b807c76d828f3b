"""The page on the network: its examples run, and its results are what they give."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from conurb.strategy.network.classes import classify
from conurb.strategy.network.links import gravity
from conurb.strategy.network.radiation import Linkage
from conurb.strategy.network.ranksize import rank_size
from conurb.strategy.warning import StrategyWarning

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "strategy" / "network.md").read_text("utf-8")
TIMETABLE = ROOT.parent / "shared" / "data" / "rail" / "thaddywu_schedulers.json"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
NAMED = ("zhoushan", "chizhou", "tongling")


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        exec(BLOCKS[0], found)
    return found


@pytest.fixture(scope="module")
def by_train(names: dict[str, Any]) -> dict[str, Any]:
    if not TIMETABLE.is_file():
        pytest.skip("the timetable among the shared data isn't here")
    found = {**names, "timetable": TIMETABLE}
    exec(BLOCKS[1], found)
    return found


def listed(text: str) -> list[str]:
    return re.findall(r"[a-z]+(?:-[a-z]+)*", text)


def test_the_table_of_the_named_cities_is_what_the_example_gives(names: dict[str, Any]) -> None:
    found: Linkage = names["linked"]
    rows = re.findall(
        r"^\| (\w+) \| (\d+) of 41 \| (\d+) of 41 \| (\d+) of 40 \| (0\.\d\d) \| (\d+) of 41 \|$",
        PAGE,
        re.M,
    )
    assert tuple(row[0] for row in rows) == NAMED
    for city, size, links, core, gap, rank in rows:
        i = found.units.index(city)
        assert (names["mass"] > names["mass"][i]).sum() + 1 == int(size)
        assert found.strength_rank[i] == int(links)
        assert found.core_rank[i] == int(core)
        assert found.gap[i] == pytest.approx(float(gap), abs=5e-3)
        assert found.gap_rank[i] == int(rank)


def test_the_lists_of_the_poorly_linked_are_those_of_the_page(names: dict[str, Any]) -> None:
    found: Linkage = names["linked"]
    said = re.search(r"least linked cities of the region \((.*?)\)", PAGE, re.S)
    other = re.search(r"from each other: (.*?)\.$", PAGE, re.S | re.M)
    assert said is not None
    assert other is not None
    assert listed(said[1]) == list(found.poor_total)
    assert listed(other[1]) == list(found.poor_for_size)
    assert set(NAMED) & set(found.poor_core) == {"chizhou", "tongling"}


@pytest.mark.parametrize(("by", "made"), [("GDP", "by_size"), ("gravity", "by_links")])
def test_roles_agree_as_the_page_says(names: dict[str, Any], by: str, made: str) -> None:
    row = re.search(rf"^\| {by} \| (\d) of 7 \| (.*?) \| (.*?) \|$", PAGE, re.M)
    assert row is not None
    found = names[made]
    assert (found.agreeing, found.compared) == (int(row[1]), 7)
    assert set(found.above) == set(listed(row[2]))
    assert set(found.below) == set(listed(row[3]))


def test_communities_sizes_and_industries_are_those_of_the_page(names: dict[str, Any]) -> None:
    groups = names["groups"]
    assert groups.modularity == pytest.approx(0.32, abs=5e-3)
    around = {"shanghai", "suzhou-jiangsu", "wuxi", "changzhou", "nantong", "jiaxing", "huzhou"}
    assert around in [set(group) for group in groups.groups]
    assert {"yangzhou", "zhenjiang", "taizhou-jiangsu"} in [set(group) for group in groups.groups]
    assert len(groups.groups) == 4
    of_core = names["reached"].of_core
    assert np.nanmax(of_core) == pytest.approx(0.34, abs=5e-3)
    sizes, money = names["sizes"], rank_size(names["panel"].units, names["gdp"])
    assert (round(sizes.exponent, 2), round(sizes.error, 2)) == (1.31, 0.29)
    assert (round(money.exponent, 2), round(money.error, 2)) == (1.00, 0.22)
    assert (round(sizes.top_share, 3), round(money.top_share, 3)) == (0.106, 0.161)
    made = names["made"]
    assert len(made.alike()) == 813
    assert np.median(made.similarity[np.triu_indices(41, 1)]) == pytest.approx(0.990, abs=5e-4)
    assert made.krugman.max() == pytest.approx(0.42, abs=5e-3)
    assert made.units[int(np.argmax(made.krugman))] == "shanghai"


def test_coupling_is_what_the_page_says(names: dict[str, Any]) -> None:
    found = dict(names)
    exec(BLOCKS[2], found)
    degrees, panel = found["coupled"].coordination, found["green"].panel
    np.testing.assert_allclose(degrees.mean(axis=0)[[0, -1]], [0.798, 0.788], atol=5e-4)
    order = np.argsort(-degrees[:, -1])
    assert [panel.units[i] for i in order[:3]] == ["wuxi", "shanghai", "hangzhou"]
    assert [panel.units[i] for i in order[-2:]] == ["chizhou", "huainan"]
    ends = degrees[order, -1][[0, 1, 2, -2, -1]]
    np.testing.assert_allclose(ends, [0.905, 0.880, 0.873, 0.663, 0.552], atol=5e-4)
    levels = np.reshape(found["coupled"].levels(), degrees.shape)[order, -1]
    assert (levels[0], levels[-1]) == ("quality coordination", "barely coordinated")
    carbon = found["green"].branch_score("carbon").mean(axis=0)
    growth = panel.get("gdpIndex").mean(axis=0)
    assert carbon[-1] > carbon[0]
    assert growth[-1] < growth[0]


def test_what_trains_say_is_what_the_page_says(by_train: dict[str, Any]) -> None:
    trains, found = by_train["trains"], by_train["by_train"]
    assert len(trains.covered) == 24
    assert {"zhoushan", "chizhou", "wuxi"} <= set(trains.uncovered)
    i, shanghai = trains.covered.index("tongling"), trains.covered.index("shanghai")
    assert (found.strength_rank[i], found.core_rank[i], found.gap_rank[i]) == (19, 17, 9)
    assert found.core_strength[i] == 17
    rides = trains.minutes[:, shanghai]
    assert rides[i] == 190
    assert (rides < rides[i]).sum() + 1 == 21
    classes = classify(trains.covered, trains.links.strength())
    assert classes.members("core") == ("shanghai", "nanjing", "hangzhou")
    assert set(classes.members("sub-core")) == {"suzhou-jiangsu", "changzhou", "hefei", "xuzhou"}


def test_gravity_and_trains_agree_as_far_as_the_page_says(by_train: dict[str, Any]) -> None:
    trains, panel = by_train["trains"], by_train["panel"]
    rows = [panel.units.index(unit) for unit in trains.covered]
    pull = gravity(
        trains.covered, mass=by_train["mass"][rows], apart=by_train["km"][np.ix_(rows, rows)]
    )
    pairs = np.triu_indices(24, 1)
    found = spearmanr(pull.matrix[pairs], trains.links.symmetric()[pairs])[0]
    assert found == pytest.approx(0.58, abs=5e-3)

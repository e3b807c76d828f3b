"""The page on indices: its example runs, and its results are what the example gives."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from conurb.strategy.index.definition import list_definitions, read_definition
from conurb.strategy.index.method import Method
from conurb.strategy.index.score import ranks, score
from conurb.strategy.warning import StrategyWarning

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "strategy" / "index.md").read_text("utf-8")
CHOICES = {
    "CRITIC": Method(weighting="critic"),
    "TOPSIS": Method(aggregation="topsis"),
    "z": Method(normalisation="z"),
    "rank": Method(normalisation="rank"),
    "geometric": Method(aggregation="geometric"),
    "entropy": Method(weighting="entropy"),
    "by year": Method(across="year"),
}


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S):
            exec(block, found)
    return found


def test_the_table_of_the_delta_is_what_the_example_gives(names: dict[str, Any]) -> None:
    scores, moved, free = names["scores"], names["moved"], names["free"]
    rows = re.findall(
        r"^\| (\d+) \| ([a-z-]+) \| (0\.\d+) \| (\d+)-(\d+) \| (\d+)-(\d+) \|$", PAGE, re.M
    )
    assert len(rows) == 13
    for rank, city, value, *ends in rows:
        i = moved.units.index(city)
        assert moved.rank[i] == int(rank)
        assert scores.score[i, -1] == pytest.approx(float(value), abs=5e-4)
        found = (moved.low[i], moved.high[i], free.low[i], free.high[i])
        # Ends of ranges are draws: the next release of numpy may move them by one.
        np.testing.assert_allclose(found, [int(one) for one in ends], atol=1)


def test_the_sentences_about_the_delta_hold(names: dict[str, Any]) -> None:
    free, scores = names["free"], names["scores"]
    assert float((free.high - free.low).mean()) == pytest.approx(14.5, abs=0.1)
    np.testing.assert_allclose(scores.score.mean(axis=0)[[0, -1]], [0.567, 0.643], atol=5e-4)


def test_the_table_of_choices_is_what_they_give(names: dict[str, Any]) -> None:
    panel, definition = names["panel"], names["definition"]
    base = names["scores"].ranks()[:, -1]
    rows = re.findall(r"^\| ([\w ]+) \| (0\.\d+) \| ([a-z, -]+) \| ([a-z-]+), (\d+)", PAGE, re.M)
    assert {row[0] for row in rows} == set(CHOICES)
    for choice, correlation, first, widest, moves in rows:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StrategyWarning)
            found = score(panel, definition, CHOICES[choice]).ranks()[:, -1]
        assert spearmanr(found, base)[0] == pytest.approx(float(correlation), abs=5e-4)
        assert [panel.units[i] for i in np.argsort(found)[:3]] == first.split(", ")
        assert np.abs(found - base).max() == int(moves)
        assert np.abs(found - base)[panel.units.index(widest)] == int(moves)


def test_ceads_beside_edgar_as_the_page_says(names: dict[str, Any]) -> None:
    panel = names["panel"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        other = score(panel, read_definition("green-development-ceads"), Method(missing="leave"))
    known = ~np.isnan(other.score[:, -1])
    assert {panel.units[i] for i in np.flatnonzero(~known)} == {"chizhou", "luan"}
    theirs = other.ranks()[known, -1]
    ours = ranks(names["scores"].score[known, -1:])[:, 0]
    assert spearmanr(ours, theirs)[0] == pytest.approx(0.964, abs=5e-4)
    zhoushan = [panel.units[i] for i in np.flatnonzero(known)].index("zhoushan")
    assert (ours[zhoushan], theirs[zhoushan]) == (6, 15)


def test_every_definition_that_ships_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", PAGE, re.M)) >= set(list_definitions())

"""Indicators as objects: whose they are, what they say; publishing twice changes nothing."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

import conurb
from conurb.client.connection import Connection
from conurb.errors import NotFoundError
from conurb.regions.pack import read_pack
from conurb.strategy.index.definition import read_definition
from conurb.strategy.index.score import Scores, score
from conurb.strategy.panel.objects import read_pack_panel
from conurb.strategy.results import indicator_id, indicators_of, publish

PACK = read_pack("yrd")


@cache
def scores(years: range = range(2015, 2018)) -> Scores:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        panel = read_pack_panel(PACK).select(years=years)
        return score(panel, read_definition("green-development"))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Connection]:
    with conurb.connect(str(tmp_path / "region.db")) as connection:
        yield connection


def test_an_indicator_refers_to_its_city_and_says_how_it_was_made(node: Connection) -> None:
    made = scores()
    done = publish(node, made, PACK)
    assert (done.indicators, done.written) == (41, 41)
    wuxi = node.get(
        indicator_id("yrd", "green-development", "wuxi"), type="KeyPerformanceIndicator"
    )
    assert wuxi["refCity"]["object"] == "urn:ngsi-ld:City:wuxi:wuxi"
    assert wuxi["inputHash"]["value"] == made.digest
    assert wuxi["definitionVersion"]["value"] == made.definition.version
    assert wuxi["calculationMethod"]["value"] == "automatic"
    assert wuxi["note"]["value"] == list(made.labels)
    i = made.panel.units.index("wuxi")
    assert wuxi["kpiValue"]["value"] == pytest.approx(made.score[i, -1], abs=1e-9)
    assert wuxi["kpiValue"]["observedAt"] == "2017-12-31T15:59:59Z"
    assert wuxi["rank"]["value"] == made.ranks()[i, -1]


def test_its_history_has_a_value_per_period(node: Connection) -> None:
    made = scores()
    publish(node, made, PACK)
    history = node.history(indicator_id("yrd", "green-development", "hefei"), ["kpiValue"])
    values = {one["period"]["value"]: one["value"] for one in history["kpiValue"]}
    i = made.panel.units.index("hefei")
    expected = dict(zip(("2015", "2016", "2017"), made.score[i], strict=True))
    assert values == pytest.approx(expected, abs=1e-9)


def test_nothing_is_written_onto_a_city(node: Connection) -> None:
    node.put([{"id": "urn:ngsi-ld:City:wuxi:wuxi", "type": "City", "population": {
        "type": "Property", "value": 7_000_000}}])  # fmt: skip
    before = node.get("urn:ngsi-ld:City:wuxi:wuxi", options="sysAttrs")
    publish(node, scores(), PACK)
    assert node.get("urn:ngsi-ld:City:wuxi:wuxi", options="sysAttrs") == before
    assert node.count("City") == 1


def test_publishing_again_writes_nothing_and_other_figures_write_again(node: Connection) -> None:
    publish(node, scores(), PACK)
    name = indicator_id("yrd", "green-development", "wuxi")
    before = node.history(name)
    assert publish(node, scores(), PACK).written == 0
    assert node.history(name) == before
    more = scores(range(2014, 2018))
    assert publish(node, more, PACK).written == 41
    assert len(node.history(name, ["kpiValue"])["kpiValue"]) == 4
    assert node.get(name)["inputHash"]["value"] == more.digest


def test_a_new_version_of_the_definition_is_written(node: Connection) -> None:
    made = scores()
    publish(node, made, PACK)
    newer = replace(made, definition=replace(made.definition, version="2"))
    assert publish(node, newer, PACK).written == 41


def test_one_map_gets_a_layer_by_year_for_each_definition(node: Connection) -> None:
    made = scores()
    publish(node, made, PACK)
    publish(node, replace(made, definition=replace(made.definition, id="other")), PACK)
    listed = node.request("GET", "/map/layers").json()["layers"]
    layers = {one["id"]: one for one in listed if one["type"] == "KeyPerformanceIndicator"}
    assert set(layers) == {"indicator-green-development", "indicator-other"}
    layer = layers["indicator-green-development"]
    assert layer["form"] == "choropleth"
    assert layer["q"] == 'definition=="green-development"'
    [indicator] = layer["indicators"]
    assert indicator["years"] == [2015, 2016, 2017]
    assert set(indicator["label"]) == {"en", "zh"}
    drawn = node.request("GET", layer["items"], params={"limit": "100", "q": layer["q"]}).json()
    assert len(drawn["features"]) == 41
    assert all(one["geometry"] is not None for one in drawn["features"])


def test_scores_of_a_city_that_the_region_hasnt_are_refused() -> None:
    made = scores()
    panel = made.panel
    strange = replace(panel, units=("atlantis", *panel.units[1:]))
    with pytest.raises(NotFoundError, match="atlantis"):
        indicators_of(replace(made, panel=strange), PACK)

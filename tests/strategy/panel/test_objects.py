"""A panel from objects: the same from a pack and from a node, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conurb import connect
from conurb.client.connection import Connection
from conurb.config import Settings
from conurb.errors import InputError, NotFoundError, TooComplexQueryError
from conurb.regions.objects import city_id, figure_history
from conurb.regions.pack import read_pack
from conurb.strategy.panel import Panel
from conurb.strategy.panel.objects import panel_of_evolutions, read_objects, read_pack_panel
from conurb.strategy.warning import StrategyWarning

CITIES = ("hefei", "tongling", "zhoushan")
COLUMNS = ("co2@ceads", "co2@edgar-v8", "gdpIndex", "population")


def instance(value: Any, period: Any = "2015", **more: Any) -> dict[str, Any]:
    said = {"type": "Property", "value": value, "observedAt": "2015-12-31T15:59:59Z", **more}
    return said if period is None else {**said, "period": {"type": "Property", "value": period}}


def city(name: str, owner: str = "a", **attributes: Any) -> dict[str, Any]:
    return {"id": f"urn:ngsi-ld:City:{owner}:{name}", "type": "City", **attributes}


def fill(node: Connection) -> None:
    """Put figures of three cities into a node, and of one outside as a node of statistics would."""
    pack = read_pack("yrd")
    for name, figures in groupby(pack.iter_figures(), key=lambda one: one.city):
        if name in CITIES:
            history = figure_history(figures, pack.definition.timezone, str)
            document = {"id": city_id(name), "type": "City", **history}
            node.request("POST", "/ngsi-ld/v1/temporal/entities", body=document)
    outside = {
        "id": "urn:ngsi-ld:CityFigure:statistics:beijing",
        "type": "CityFigure",
        "population": [instance(21_705_000, "2015", unitCode="IE")],
    }
    node.request("POST", "/ngsi-ld/v1/temporal/entities", body=outside)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    with connect(str(tmp_path_factory.mktemp("node") / "node.sqlite")) as opened:
        fill(opened)
        yield opened


def test_objects_and_the_pack_that_they_come_from_give_one_panel(node: Connection) -> None:
    from_node = read_objects(node, columns=COLUMNS)
    from_pack = read_pack_panel(read_pack("yrd"), columns=COLUMNS).select(units=CITIES)
    assert from_node.units == CITIES
    assert from_node.years == tuple(range(2000, 2024))
    assert dict(from_node.measures) == dict(from_pack.measures)
    for name in COLUMNS:
        np.testing.assert_array_equal(from_node.get(name), from_pack.get(name))
        assert (from_node.origins[name] == from_pack.origins[name]).all()


def test_a_cell_knows_object_attribute_time_source_and_break(node: Connection) -> None:
    panel = read_objects(node, columns=["co2@ceads"])
    origin = panel.origin("co2@ceads", "hefei", 2011)
    assert origin.object == "urn:ngsi-ld:City:hefei:hefei"
    assert (origin.attribute, origin.dataset) == ("co2", "urn:ngsi-ld:dataset:ceads:prefecture")
    assert origin.time == "2011-12-31T15:59:59Z"
    assert origin.source is not None
    assert origin.source.startswith("CEADs")
    assert origin.series_break is not None
    assert origin.series_break.startswith("boundary: Chaohu")
    assert set(panel.flagged("co2@ceads")) == {
        ("hefei", 2011), ("tongling", 2015), ("tongling", 2016),
    }  # fmt: skip


def test_cities_outside_of_the_region_come_by_the_same_path(node: Connection) -> None:
    panel = read_objects(node, "City,CityFigure", columns=["population"], years=[2015])
    assert set(panel.units) == {*CITIES, "beijing"}
    assert panel.get("population")[panel.units.index("beijing"), 0] == 21_705_000


class Counting:
    """A reader that notes what the panel asked for."""

    def __init__(self, documents: Sequence[dict[str, Any]]) -> None:
        self.documents = documents
        self.asked: tuple[str, tuple[str, ...], dict[str, str]] | None = None

    def iter_histories(
        self, type: str, attributes: Sequence[str] = (), **params: str
    ) -> Iterator[dict[str, Any]]:
        self.asked = (type, tuple(attributes), params)
        return iter(self.documents)


def test_a_reader_is_asked_for_the_attributes_of_the_columns_only() -> None:
    reader = Counting([city("wuxi", gdp=[instance(1), instance(2, "2016")])])
    panel = read_objects(reader, columns=["gdp"], scopeQ="/yrd/#")
    assert reader.asked == ("City", ("gdp",), {"scopeQ": "/yrd/#"})
    np.testing.assert_array_equal(panel.get("gdp"), [[1.0, 2.0]])


def test_several_sources_of_one_figure_are_several_columns() -> None:
    sources = [
        instance(1, datasetId="urn:ngsi-ld:dataset:a:prefecture"),
        instance(2, datasetId="urn:ngsi-ld:dataset:b:county"),
    ]
    panel = panel_of_evolutions([city("wuxi", gdp=sources)])
    assert set(panel.columns) == {"gdp@a", "gdp@b:county"}
    with pytest.raises(NotFoundError, match=r"'gdp'; there are \['gdp@a', 'gdp@b:county'\]"):
        panel_of_evolutions([city("wuxi", gdp=sources)], columns=["gdp"])


def test_what_has_no_period_of_a_year_is_left_out_and_counted() -> None:
    document = city("wuxi", gdp=[instance(1), instance(2, None), instance(3, "2015-03")])
    with pytest.warns(StrategyWarning, match="period isn't a year: 2 of gdp"):
        panel = panel_of_evolutions([document])
    np.testing.assert_array_equal(panel.get("gdp"), [[1.0]])


@pytest.mark.parametrize(
    ("instances", "said"),
    [
        ([instance(1), instance(2)], "wuxi has two figures of gdp for 2015: 1 and 2"),
        ([instance("many")], "gdp of urn:ngsi-ld:City:a:wuxi for 2015 is 'many'"),
        ([instance(True)], "is True, not a number"),
        ([instance(1, unitCode="CNY"), instance(2, "2016", unitCode="USD")], "in CNY and, of wuxi"),
        ([], "no figures with the period of a year"),
    ],
)
def test_what_cannot_be_a_figure_is_refused(instances: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InputError, match=said):
        panel_of_evolutions([city("wuxi", gdp=instances)])


def test_no_objects_is_an_error() -> None:
    with pytest.raises(InputError, match="no objects"):
        panel_of_evolutions([])


def test_two_objects_of_one_local_name_keep_their_ids() -> None:
    both = [
        city("suzhou", "jiangsu", gdp=[instance(1)]),
        city("suzhou", "anhui", gdp=[instance(2)]),
    ]
    assert panel_of_evolutions(both).units == (
        "urn:ngsi-ld:City:jiangsu:suzhou", "urn:ngsi-ld:City:anhui:suzhou",
    )  # fmt: skip


def test_an_answer_that_a_node_cuts_is_asked_for_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conurb.app.Settings", partial(Settings, temporal_instances_max=60))
    with connect(str(tmp_path / "node.sqlite")) as small:
        fill(small)
        names = ["co2@edgar-v8", "co2@ceads"]
        panel: Panel = read_objects(small, columns=names)
        whole = read_pack_panel(read_pack("yrd"), columns=names).select(units=CITIES)
        for name in names:
            np.testing.assert_array_equal(panel.get(name), whole.get(name))
        with pytest.raises(TooComplexQueryError, match="longer than the node gives"):
            read_objects(small)

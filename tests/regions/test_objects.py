"""A pack becomes objects whose figures say when, in what, from whom, and what is wrong."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from conurb.model.entity import Entity, Instance
from conurb.model.geometry import check_geometry, to_shapely
from conurb.model.grid import beidou_bounds, h3_polygon
from conurb.model.scope import check_scope, is_within
from conurb.model.vocabulary import labels, platform_terms
from conurb.regions.objects import (
    CENTRE,
    city_object,
    city_scope,
    end_of_year,
    figure_history,
    region_object,
)
from conurb.regions.pack import Pack

DEFAULT = "uri.etsi.org/ngsi-ld/default-context"


def iri(term: str) -> str:
    return f"urn:x:{term}"


def city(pack: Pack, name: str) -> Entity:
    [one] = [city for city in pack.cities if city.id == name]
    return city_object(pack, one, iri)


def figures(pack: Pack, name: str, attribute: str) -> list[Instance]:
    chosen = [one for one in pack.iter_figures() if one.city == name]
    return figure_history(chosen, pack.definition.timezone, iri)[iri(attribute)]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC", "Europe/London"])
def test_a_figure_is_of_the_last_second_of_its_year_wherever_the_region_is(zone: str) -> None:
    assert end_of_year(2015, ZoneInfo(zone)).startswith("2015-12-31T")
    assert end_of_year(2015, ZoneInfo("Asia/Shanghai")) == "2015-12-31T15:59:59.000000Z"


def test_a_city_is_an_object_of_its_own_node(yrd: Pack) -> None:
    entity = city(yrd, "suzhou-jiangsu")
    assert entity.id == "urn:ngsi-ld:City:suzhou-jiangsu:suzhou-jiangsu"
    assert entity.types == (iri("City"),)
    assert entity.scope == ("/yrd/suzhou_jiangsu",)
    assert entity.attrs[iri("name")][0]["languageMap"] == {"zh": "苏州市", "en": "Suzhou"}
    assert entity.attrs[iri("isPartOf")][0]["object"] == "urn:ngsi-ld:Region:yrd:yrd"
    assert entity.attrs[iri("memberOf")][0]["value"] == ["plan-2016", "centre-2019"]
    assert entity.attrs[iri("lowCarbonPilotYear")][0]["value"] == 2013


def test_a_citys_place_is_its_boundary_and_its_centre_a_dataset(yrd: Pack) -> None:
    boundary, centre = city(yrd, "zhoushan").attrs[iri("location")]
    assert boundary["value"]["type"] == "MultiPolygon"
    assert "datasetId" not in boundary
    assert (centre["datasetId"], centre["value"]["type"]) == (CENTRE, "Point")


def test_a_centre_says_which_source_it_is_from_or_that_it_is_estimated(yrd: Pack) -> None:
    wuxi = city(yrd, "wuxi").attrs[iri("location")][1]
    assert "Natural Earth" in wuxi[iri("source")][0]["value"]
    zhoushan = city(yrd, "zhoushan").attrs[iri("location")][1]
    assert zhoushan[iri("note")][0]["value"].startswith("derived")
    without = replace(yrd, definition=replace(yrd.definition, centres=()))
    assert "estimated" in city(without, "wuxi").attrs[iri("location")][1][iri("source")][0]["value"]


def test_every_scope_of_the_pack_can_be_stated_and_asked_for(yrd: Pack) -> None:
    scopes = [scope for one in yrd.cities for scope in city_object(yrd, one, iri).scope]
    assert len(set(scopes)) == 41
    assert [check_scope(scope) for scope in scopes] == scopes
    assert all(is_within(scope, *region_object(yrd, iri).scope) for scope in scopes)


def test_a_name_that_no_scope_may_hold_is_written_so_that_it_may() -> None:
    assert city_scope("3-cities", "a.b") == check_scope("/r3_cities/a_b")


def test_every_geometry_is_one_that_a_node_takes(yrd: Pack) -> None:
    objects = [city_object(yrd, one, iri) for one in yrd.cities]
    for entity in [*objects, region_object(yrd, iri)]:
        for instance in entity.attrs[iri("location")]:
            check_geometry(instance["value"])


def test_a_region_has_its_cities_as_parts(yrd: Pack) -> None:
    region = region_object(yrd, iri)
    assert region.id == "urn:ngsi-ld:Region:yrd:yrd"
    [parts] = region.attrs[iri("hasPart")]
    assert len(parts["objectList"]) == 41
    groups = region.attrs[iri("groups")][0]["json"]
    assert [len(group["cities"]) for group in groups] == [26, 27]


def test_co2_has_24_years_of_one_source_and_fewer_of_the_other(yrd: Pack) -> None:
    instances = figures(yrd, "hefei", "co2")
    by_source: dict[str, list[Instance]] = {}
    for instance in instances:
        by_source.setdefault(instance["datasetId"], []).append(instance)
    edgar = by_source["urn:ngsi-ld:dataset:edgar-v8:prefecture"]
    assert len(edgar) == 24
    assert "urn:ngsi-ld:dataset:ceads:prefecture" in by_source
    first = edgar[0]
    assert (first["value"], first["unitCode"]) == (23_657_624, "TNE")
    assert first[iri("period")][0]["value"] == "2000"
    assert "EDGAR" in first[iri("source")][0]["value"]
    assert [one["observedAt"] for one in edgar] == sorted(one["observedAt"] for one in edgar)


def test_a_break_is_said_on_the_figure_and_on_no_other(yrd: Pack) -> None:
    broken = {
        instance["observedAt"][:4]: instance[iri("seriesBreak")][0]["value"]
        for instance in figures(yrd, "hefei", "population")
        if iri("seriesBreak") in instance
    }
    assert list(broken) == ["2011"]
    assert broken["2011"].startswith("boundary: Chaohu")


def test_an_attribute_has_default_instances_or_named_ones_but_not_both(yrd: Pack) -> None:
    assert yrd.sources is not None
    datasets: dict[str, list[str | None]] = {}
    for column in yrd.sources.columns:
        datasets.setdefault(column.attribute, []).append(column.dataset)
    for attribute, named in datasets.items():
        assert named == [None] or None not in named, attribute
        assert len(set(named)) == len(named)


def test_every_term_of_a_pack_is_one_of_the_platforms(yrd: Pack) -> None:
    used: set[str] = set()

    def noted(term: str) -> str:
        used.add(term)
        return iri(term)

    for one in yrd.cities:
        city_object(yrd, one, noted)
    region_object(yrd, noted)
    figure_history(yrd.iter_figures(), yrd.definition.timezone, noted)
    core = {"location"}
    assert used - set(labels()) == set()
    assert [term for term in used - core if DEFAULT in platform_terms().expand(term)] == []


def test_a_citys_centre_lies_in_the_cells_that_it_names(yrd: Pack) -> None:
    for one in yrd.cities:
        attrs = city_object(yrd, one, iri).attrs
        west, south, east, north = beidou_bounds(attrs[iri("beidouGrid")][0]["value"])
        assert west <= one.centre[0] <= east
        assert south <= one.centre[1] <= north
        cell = to_shapely(h3_polygon(attrs[iri("h3")][0]["value"]))
        assert cell.contains(to_shapely(attrs[iri("location")][1]["value"]))

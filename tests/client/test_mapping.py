"""A row becomes an object as the mapping says, or an error that names its column."""

from pathlib import Path
from typing import Any

import pytest

from conurb.client.mapping import Column, ColumnMapping, RowMapper, check_mapping, read_mapping
from conurb.errors import InputError

HEADER = ["station", "lon", "lat", "hour", "PM2.5", "note", "code"]
ROW = {
    "station": "A 1",
    "lon": "120.3",
    "lat": "31.5",
    "hour": "2018-02-20 07:00",
    "PM2.5": "35.5",
    "note": "",
    "code": "0510",
}
MAPPING = ColumnMapping(
    type="AirQualityObserved",
    id="urn:ngsi-ld:AirQualityObserved:wuxi:{station}",
    time="hour",
    timezone="Asia/Shanghai",
    longitude="lon",
    latitude="lat",
    attributes=(Column("pm25", "PM2.5", unit="GQ"), Column("code", "code"), Column("note", "note")),
)


def test_a_row_becomes_an_entity_with_units_time_and_place() -> None:
    entity = RowMapper(MAPPING, HEADER).entity(ROW)
    assert entity == {
        "id": "urn:ngsi-ld:AirQualityObserved:wuxi:A%201",
        "type": "AirQualityObserved",
        "pm25": {
            "type": "Property",
            "value": 35.5,
            "unitCode": "GQ",
            "observedAt": "2018-02-19T23:00:00Z",
        },
        "code": {"type": "Property", "value": "0510", "observedAt": "2018-02-19T23:00:00Z"},
        "location": {
            "type": "GeoProperty",
            "value": {"type": "Point", "coordinates": [120.3, 31.5]},
        },
    }


def test_without_a_mapping_every_column_is_a_property_named_after_it() -> None:
    mapper = RowMapper(ColumnMapping(type="T"), ["id", "PM2.5 (ug)", "open"])
    entity = mapper.entity({"id": "x", "PM2.5 (ug)": "1", "open": "true"})
    assert entity["id"] == "urn:ngsi-ld:T:local:x"
    assert entity["PM2_5_ug"] == {"type": "Property", "value": 1}
    assert entity["open"] == {"type": "Property", "value": True}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lon": "east"}, "'lon': 'east' is not a number"),
        ({"lon": "nan"}, "not a number"),
        ({"station": " "}, "'station' is empty"),
        ({"hour": "yesterday"}, "column 'hour': 'yesterday'"),
        ({"hour": ""}, "column 'hour'"),
    ],
)
def test_a_wrong_cell_is_named_with_its_value(change: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        RowMapper(MAPPING, HEADER).entity({**ROW, **change})


def test_a_time_without_offset_needs_a_time_zone() -> None:
    plain = ColumnMapping(type="T", id="urn:x:{station}", time="hour")
    with pytest.raises(InputError, match="--timezone"):
        RowMapper(plain, HEADER).entity(ROW)
    assert RowMapper(plain, HEADER).entity({**ROW, "hour": "2018-02-20T07:00:00+08:00"})["code"][
        "observedAt"
    ] == ("2018-02-19T23:00:00Z")


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        (ColumnMapping(), "which type"),
        (ColumnMapping(type="T"), "which column identifies"),
        (ColumnMapping(type="T", id="urn:x:{nope}"), "no column 'nope'"),
        (ColumnMapping(type="T", id="urn:x:{station}", time="when"), "no column 'when'"),
    ],
)
def test_a_mapping_that_does_not_fit_the_table_says_what_the_table_has(
    mapping: ColumnMapping, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        RowMapper(mapping, HEADER)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"longitude": "x"}, "go together"),
        ({"timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"attributes": (Column("a", "b", kind="Thing"),)}, "kind 'Thing'"),
        ({"attributes": (Column("a", "b", kind="LanguageProperty"),)}, "language"),
        ({"attributes": (Column("a", "b", value="maybe"),)}, "value 'maybe'"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_said(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        check_mapping(ColumnMapping(type="T", **fields))


def test_a_mapping_file_is_read_and_what_is_unknown_in_it_is_named(tmp_path: Path) -> None:
    file = tmp_path / "m.toml"
    file.write_text(
        'type = "T"\nid = "urn:x:{station}"\n[attributes]\nplain = "note"\n'
        '[attributes.name_zh]\ncolumn = "note"\nkind = "LanguageProperty"\nlanguage = "zh"\n'
    )
    mapping = read_mapping(file)
    entity = RowMapper(mapping, HEADER).entity({**ROW, "note": "太湖"})
    assert entity["plain"] == {"type": "Property", "value": "太湖"}
    assert entity["name_zh"]["languageMap"] == {"zh": "太湖"}
    file.write_text('type = "T"\ncolour = "red"\n')
    with pytest.raises(InputError, match="colour not known; allowed: attributes"):
        read_mapping(file)
    file.write_text("type = ")
    with pytest.raises(InputError, match="not TOML"):
        read_mapping(file)


@pytest.mark.parametrize("text", ["1", "-2.5", "1e3", "0.1"])
def test_text_that_is_a_number_is_read_as_one(text: str) -> None:
    entity = RowMapper(ColumnMapping(type="T"), ["id", "v"]).entity({"id": "x", "v": text})
    assert entity["v"]["value"] == float(text)


@pytest.mark.parametrize("text", ["007", "1,5", "0x10", "1_000", "inf", "NaN", "2018-01-01"])
def test_text_that_only_looks_like_a_number_stays_text(text: str) -> None:
    entity = RowMapper(ColumnMapping(type="T"), ["id", "v"]).entity({"id": "x", "v": text})
    assert entity["v"]["value"] == text

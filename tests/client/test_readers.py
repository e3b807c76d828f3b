"""Files come out as entity documents; what is wrong in them comes out with its place."""

from pathlib import Path

import pytest

from conurb.client.mapping import ColumnMapping
from conurb.client.readers import Fault, Read, iter_file
from conurb.errors import InputError

BY_ID = ColumnMapping(type="T", id="urn:x:{code}")


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_csv_lines_are_read_and_wrong_ones_named_by_line(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", '\ufeffcode,v\n1,10\n2\n\n"a\nb",3\n,4\n5,6\n')
    reads = list(iter_file(path, BY_ID))
    assert [r.place for r in reads if isinstance(r, Read)] == ["line 2", "line 6", "line 8"]
    faults = {r.place: r.reason for r in reads if isinstance(r, Fault)}
    assert faults == {
        "line 3": "1 cells where the header has 2",
        "line 7": "column 'code' is empty, and the id needs it",
    }


def test_geojson_features_keep_their_geometry(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.geojson",
        '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"code":"1"},'
        '"geometry":{"type":"Point","coordinates":[120,31]}},{"type":"Thing"}]}',
    )
    first, second = iter_file(path, BY_ID)
    assert isinstance(first, Read)
    assert first.document["location"]["value"]["coordinates"] == [120, 31]
    assert second == Fault("feature 2", "is not a GeoJSON Feature")


def test_ngsi_ld_passes_as_it_is_and_arrays_of_instances_are_history(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "a.json",
        '[{"id":"urn:a","type":"T","p":{"type":"Property","value":1}},'
        '{"id":"urn:b","type":"T","p":[{"type":"Property","value":1,"observedAt":"2020-01-01T00:00:00Z"},'
        '{"type":"Property","value":2,"observedAt":"2021-01-01T00:00:00Z"}]}, 7]',
    )
    state, history, fault = iter_file(path, ColumnMapping())
    assert isinstance(state, Read)
    assert not state.temporal
    assert isinstance(history, Read)
    assert history.temporal
    assert isinstance(fault, Fault)
    assert fault.place == "entity 3"


def test_lines_of_json_are_read_one_by_one(tmp_path: Path) -> None:
    path = written(tmp_path, "a.ndjson", '{"id":"urn:a","type":"T"}\n{"id":\n\n{"id":"urn:b"}\n')
    assert [r.place for r in iter_file(path, ColumnMapping())] == ["line 1", "line 2", "line 4"]


def test_geoparquet_is_read_in_wgs84(tmp_path: Path) -> None:
    gpd = pytest.importorskip("geopandas")
    from shapely.geometry import Point

    frame = gpd.GeoDataFrame(
        {"code": ["1"], "v": [2.5]}, geometry=[Point(13358338.9, 3632749.1)], crs=3857
    )
    path = tmp_path / "a.parquet"
    frame.to_parquet(path)
    (read,) = iter_file(path, BY_ID)
    assert isinstance(read, Read)
    assert read.document["v"]["value"] == 2.5
    assert read.document["location"]["value"]["coordinates"] == pytest.approx((120, 31), abs=0.01)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.xlsx", "", "can't tell what it is"),
        ("a.csv", "", "file is empty"),
        ("a.csv", b"\xff\xfe\x00", "UTF-8 is expected"),
        ("a.json", "{", "is not JSON"),
        ("a.geojson", "{}", "FeatureCollection is expected"),
        ("a.parquet", "no", "can't be read as Parquet"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, text: str | bytes, said: str
) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(InputError, match=said):
        list(iter_file(path, BY_ID))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(iter_file(tmp_path / "gone.csv", BY_ID))

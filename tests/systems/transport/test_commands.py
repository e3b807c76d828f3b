"""`conurb transport`: what comes in, what is told of it, and dead ends without a node."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from conurb.cli.main import build
from conurb.client.connection import connect
from conurb.errors import ConurbError, InvalidRequestError
from tests.systems.transport.material import SAMPLE, needs_data
from tests.systems.transport.test_gtfs import SMALL, zipped


def run(*words: str) -> None:
    build()(["transport", *words], result_action="return_value")


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    path = tmp_path / "small.zip"
    broken = SMALL["stop_times.txt"] + "\nt,26:00:00,26:00:00,nowhere,3"
    path.write_bytes(zipped({**SMALL, "stop_times.txt": broken}).getvalue())
    return path


def test_a_feed_comes_in_and_its_faults_are_told(
    feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "node.db")
    run("import", "gtfs", str(feed), "--url", store, "--tenant", "wuxi", "--json")
    report = orjson.loads(capsys.readouterr().out)
    assert report["written"] == [{"to": "wuxi", "title": "small", "objects": 9}]
    [fault] = report["faults"]
    assert "nowhere" in fault
    assert "row left out" in fault
    with connect(store, tenant="wuxi") as connection:
        assert connection.count("GtfsStopTime") == 2
        stop = connection.get("urn:ngsi-ld:GtfsStop:wuxi:small:a", options="keyValues")
    assert stop["name"] == "Alpha"
    assert stop["location"]["coordinates"] == [121.0, 31.0]


def test_an_import_twice_is_the_same_objects(feed: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "node.db")
    for _ in range(2):
        run("import", "gtfs", str(feed), "--url", store, "--feed", "bus", "--owner", "o")
    with connect(store) as connection:
        ids = {one["id"] for one in connection.query("GtfsStop")}
    assert ids == {"urn:ngsi-ld:GtfsStop:o:bus:a", "urn:ngsi-ld:GtfsStop:o:bus:b"}


@needs_data
def test_the_sample_feed_comes_in_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "node.db")
    run("import", "gtfs", str(SAMPLE / "sample-feed-1.zip"), "--url", store, "--owner", "dta")
    said = capsys.readouterr().err
    assert "stop_times.txt:17" in said
    assert "fare_rules.txt: isn't read" in said
    with connect(store) as connection:
        assert connection.count("GtfsStopTime") == 28


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("metro", "one.geojson"), r"2 file\(s\)"),
        (("gtfs", "a.zip", "b.zip"), r"1 file\(s\)"),
        (("gtfs", "missing.zip"), "missing.zip"),
        (("roads", "missing.geojson"), "missing.geojson"),
    ],
)
def test_a_wrong_import_says_what_is_wrong(
    words: tuple[str, ...], named: str, tmp_path: Path
) -> None:
    with pytest.raises(ConurbError, match=named):
        run("import", *words, "--owner", "o", "--url", str(tmp_path / "node.db"))


def test_a_node_that_does_not_run_transport_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ConurbError, match="--with transport"):
        run("state", "--url", str(tmp_path / "node.db"))


def road(name: str, *path: list[float]) -> dict[str, object]:
    shape = {"type": "LineString", "coordinates": list(path)}
    return {"type": "Feature", "properties": {"id": name, "name": "太湖路"}, "geometry": shape}


def test_dead_ends_are_sought_in_a_file_without_a_node(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from conurb.regions.pack import read_pack
    from conurb.systems.transport.seeking import areas_of_pack

    areas = {one.name: one for one in areas_of_pack(read_pack("yrd"))}
    assert (areas["Shanghai"].population or 0) > 20_000_000
    file = tmp_path / "roads.geojson"
    # Across the border between Wuxi and Changzhou, west of Lake Tai's north shore.
    lat = 31.68
    border = _border_lon(areas["Wuxi"].shape, areas["Changzhou"].shape, lat)
    west = road("w", [border - 0.1, lat], [border - 0.004, lat])
    east = road("e", [border + 0.004, lat], [border + 0.1, lat])
    file.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": [west, east]}))
    run("deadends", "--roads", str(file), "--json")
    [gap] = orjson.loads(capsys.readouterr().out)
    assert gap["roads"] == ["e", "w"] or gap["roads"] == ["w", "e"]
    assert gap["gap_m"] == pytest.approx(757, abs=5)
    assert "太湖路" in gap["name"]
    run("deadends", "--roads", str(file), "--gap-m", "500", "--json")
    assert orjson.loads(capsys.readouterr().out) == []
    with pytest.raises(InvalidRequestError, match="--gap-m"):
        run("deadends", "--roads", str(file), "--gap-m", "0")


def _border_lon(one: object, other: object, lat: float) -> float:
    """Find where a parallel crosses the border of two areas."""
    import shapely

    line = shapely.LineString([(118.0, lat), (122.0, lat)])
    shapes = [shapely.from_geojson(orjson.dumps(dict(each)).decode()) for each in (one, other)]  # type: ignore[call-overload]
    cut = [shapely.intersection(line, each).bounds for each in shapes]
    # The western one ends where the eastern one begins.
    return float(max(cut[0][0], cut[1][0]))

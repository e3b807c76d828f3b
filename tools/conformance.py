#!/usr/bin/env python3
"""Run the public NGSI-LD conformance suite against a node of this tree, on either engine.

The suite (Robot Framework, github marek-mraz/ngsi-ld-test-suite, commit 5da9091) isn't part of
this repository: bring a clone. Every case's result is kept in docs/conformance/cases.csv; a run
fails when a case that passed before fails now, or is gone. `--update` writes the results. The
folder IOP_TP is run against five nodes, of which the first keeps its objects in the engine chosen.

    make conformance SUITE=../ngsi-ld-test-suite [STORE=sqlite|postgres|both] [UPDATE=1]

Nothing is fetched but the suite's own Python requirements: its @contexts come from the clone.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

CASES = ROOT / "docs" / "conformance" / "cases.csv"
SUITE_COMMIT = "5da9091"
FOLDERS = (
    "TP/NGSI-LD/ContextInformation",
    "TP/NGSI-LD/CommonBehaviours",
    "TP/NGSI-LD/jsonldContext",
    "TP/NGSI-LD/ContextSource",
    "TP/NGSI-LD/DistributedOperations",
)
INTEROPERABILITY = "IOP_TP"
"""The folder whose cases are about several nodes, `b1` to `b5`."""
NODES = 5
ENGINES = ("sqlite", "postgres")
FOLDER_TIMEOUT_S = 3600
TEMPORAL_INSTANCES = 30
"""Instances in one answer: the suite's README wants 40 of them to be paged, and 20 not to be."""

START_TIMEOUT_S = 60
HOSTS = (
    "notification_server_host",
    "mqtt_broker_host",
    "context_source_host",
    "context_server_host",
)
CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context"
SUITE_CONTEXTS = (
    "https://raw.githubusercontent.com/marek-mraz/ngsi-ld-test-suite/main/resources/jsonld-contexts"
)
COMPOUND = "ngsi-ld-test-suite-compound.jsonld"
OTHER_COMPOUND = (
    "https://easy-global-market.github.io/ngsild-api-data-models/ngsildTestSuite/"
    "ngsildTestSuiteV1.8-compound.jsonld"
)
STAND_INS = (
    "https://fiware.github.io/NGSI-LD_TestSuite/ldContext/testContext.jsonld",
    "https://fiware.github.io/data-models/context.jsonld",
)
"""@contexts that cases name and the clone doesn't have; any will do, so they get one of ours."""

Case = tuple[str, str, str]
"""Folder, file, name."""


def main() -> int:
    """Run, compare with what is kept, and say so."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--suite", required=True, type=Path, help="a clone of the suite")
    parser.add_argument("--store", choices=[*ENGINES, "both"], default="sqlite")
    parser.add_argument("--port", type=int, default=9090)
    parser.add_argument("--failures", action="store_true", help="say why cases failed")
    parser.add_argument("--update", action="store_true", help="write the results that are kept")
    parser.add_argument("folders", nargs="*", default=FOLDERS, help="relative to the clone")
    options = parser.parse_args()
    if not (options.suite / "TP" / "NGSI-LD").is_dir():
        parser.error(f"--suite {options.suite}: a clone of the suite is expected there")
    engines = ENGINES if options.store == "both" else (options.store,)
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        work = prepare(options.suite, Path(folder), options.port)
        robot = robot_of(work)
        results: dict[str, dict[Case, tuple[str, str]]] = {}
        for engine in engines:
            with contextlib.ExitStack() as stack:
                store = stack.enter_context(store_of(engine, Path(folder)))
                stack.enter_context(node(store, work, options.port))
                if any(one.startswith(INTEROPERABILITY) for one in options.folders):
                    for port in range(options.port + 1, options.port + NODES):
                        other = str(Path(folder) / f"{engine}-{port}")
                        stack.enter_context(node(other, work, port))
                results[engine] = run(robot, work, options.folders, options.port)
            show(engine, results[engine], failures=options.failures)
    kept = read_kept()
    worse = compare(kept, results, options.folders)
    for line in worse:
        print(line)
    if options.update:
        write_kept(kept, results, options.folders)
        print(f"written: {CASES.relative_to(ROOT)}")
        return 0
    return 1 if worse else 0


def prepare(suite: Path, folder: Path, port: int) -> Path:
    """Copy the clone, and point the copy at the node and at loopback."""
    work = folder / "suite"
    shutil.copytree(suite, work, ignore=shutil.ignore_patterns(".git"))
    variables = work / "resources" / "variables.py"
    text = variables.read_text()
    values = dict.fromkeys(HOSTS, "127.0.0.1")
    url = f"http://127.0.0.1:{port}/ngsi-ld/v1"
    for name, value in {"url": url, "temporal_api_url": url, **values}.items():
        text = re.sub(rf"(?m)^{name}\s*=.*$", f"{name} = {value!r}", text)
    variables.write_text(text)
    core = str(ROOT / "conurb" / "model" / "data" / "ngsi-ld-core-context-v1.9.jsonld")
    contexts = work / "resources" / "jsonld-contexts"
    catalogue = {f"{CORE}.jsonld": core}
    catalogue |= {f"{CORE}-v1.{minor}.jsonld": core for minor in range(3, 10)}
    catalogue |= {f"{SUITE_CONTEXTS}/{file.name}": str(file) for file in contexts.glob("*.jsonld")}
    catalogue[OTHER_COMPOUND] = str(contexts / COMPOUND)
    stand_in = work / "stand-in.jsonld"
    stand_in.write_text(json.dumps({"@context": {"standIn": "https://example.org/standIn"}}))
    catalogue |= dict.fromkeys(STAND_INS, str(stand_in))
    (work / "catalog.json").write_text(json.dumps(catalogue))
    return work


def robot_of(work: Path) -> Path:
    """Make the suite's own environment, once, and give its `robot` command."""
    venv = ROOT / ".run" / "robot"
    robot = venv / "bin" / "robot"
    if not robot.exists():
        print("Setting up the suite's environment ...", flush=True)
        uv = ROOT / ".venv" / "bin" / "uv"
        requirements = work / "requirements.txt"
        requirements.write_text(requirements.read_text().replace("-e ./", "./"))
        subprocess.run([uv, "venv", "--quiet", "--clear", venv], check=True)
        install = [uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python"]
        subprocess.run([*install, "-r", requirements.name], check=True, cwd=work)
    return robot


@contextlib.contextmanager
def store_of(engine: str, folder: Path) -> Iterator[str]:
    """Give a fresh store of the engine: a folder, or a PostgreSQL server of our own."""
    if engine == "sqlite":
        yield str(folder / "store")
        return
    from tests.services.postgres import PostgresServer, find_programs

    programs = find_programs()
    if programs is None:
        raise SystemExit("PostgreSQL with PostGIS is missing: 'make services' installs it")
    server = PostgresServer(programs)
    server.create()
    try:
        yield server.url()
    finally:
        server.remove()


@contextlib.contextmanager
def node(store: str, work: Path, port: int) -> Iterator[None]:
    """Serve a node while the suite runs."""
    command = [ROOT / ".venv" / "bin" / "conurb", "node", "serve", "--port", str(port)]
    command += ["--store", store, "--contexts", str(work / "catalog.json")]
    command += ["--fetch-contexts"]  # from the server of @contexts that the suite starts
    environment = {**os.environ, "CONURB_TEMPORAL_INSTANCES_MAX": str(TEMPORAL_INSTANCES)}
    path = work / f"node-{port}.log"
    log = path.open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", process, path)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the node answers; end with its log when it doesn't."""
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        time.sleep(0.1)
    raise SystemExit(f"the node doesn't answer:\n{log.read_text()[-2000:]}")


def run(robot: Path, work: Path, folders: list[str], port: int) -> dict[Case, tuple[str, str]]:
    """Run folders of the suite; give each case's status and message."""
    several: list[str] = []
    for number in range(NODES):
        url = f"http://127.0.0.1:{port + number}/ngsi-ld/v1"
        several += ["--variable", f"b{number + 1}_url:{url}"]
    cases: dict[Case, tuple[str, str]] = {}
    for folder in folders:
        out = work.parent / "out"
        command = [robot, "--outputdir", out, "--output", "output.xml", "--log", "NONE"]
        command += ["--report", "NONE", "--console", "none"]
        command += several if folder.startswith(INTEROPERABILITY) else []
        command.append(work / folder)
        subprocess.run(
            command,
            cwd=work,
            check=False,
            timeout=FOLDER_TIMEOUT_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for suite in ET.parse(out / "output.xml").iter("suite"):
            source = Path(suite.get("source", ""))
            for test in suite.findall("test"):
                status = test.find("status")
                place = str(source.parent.relative_to(work))
                message = " ".join((status.text or "").split())[:200]
                cases[place, source.name, test.get("name", "")] = status.get("status"), message
    return cases


def show(engine: str, cases: dict[Case, tuple[str, str]], *, failures: bool) -> None:
    """Print what passed, by folder; with `failures` also what didn't, and why."""
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for (folder, file, name), (status, message) in cases.items():
        group = "/".join(folder.split("/")[:4])
        total[group] += 1
        passed[group] += status == "PASS"
        if failures and status != "PASS":
            print(f"{engine} {file}: {name}: {message}")
    for group in sorted(total):
        print(f"{engine:9} {passed[group]:5d} / {total[group]:<5d} {group}")
    print(f"{engine:9} {passed.total():5d} / {total.total():<5d} in all", flush=True)


def read_kept() -> dict[Case, dict[str, str]]:
    """Read the results that are kept."""
    if not CASES.exists():
        return {}
    with CASES.open(newline="") as file:
        return {(row["folder"], row["file"], row["case"]): row for row in csv.DictReader(file)}


def compare(
    kept: dict[Case, dict[str, str]],
    results: dict[str, dict[Case, tuple[str, str]]],
    folders: list[str],
) -> list[str]:
    """Say which cases passed before and don't now."""
    worse = []
    for engine, cases in results.items():
        for case, row in kept.items():
            if row.get(engine) != "PASS" or not case[0].startswith(tuple(folders)):
                continue
            status, message = cases.get(case, ("GONE", ""))
            if status != "PASS":
                worse.append(f"WORSE {engine} {case[1]}: {case[2]}: {status} {message}")
    return worse


def write_kept(
    kept: dict[Case, dict[str, str]],
    results: dict[str, dict[Case, tuple[str, str]]],
    folders: list[str],
) -> None:
    """Write the results, keeping those of engines and folders that didn't run."""
    for engine, cases in results.items():
        for case in [c for c in kept if c[0].startswith(tuple(folders)) and c not in cases]:
            del kept[case]
        for case, (status, _) in cases.items():
            kept.setdefault(case, {})[engine] = status
    CASES.parent.mkdir(parents=True, exist_ok=True)
    with CASES.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["folder", "file", "case", *ENGINES])
        for case in sorted(kept):
            writer.writerow([*case, *(kept[case].get(engine, "") for engine in ENGINES)])


if __name__ == "__main__":
    sys.exit(main())

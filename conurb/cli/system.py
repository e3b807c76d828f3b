"""`conurb system`: which systems are installed and how they run, and a new one to begin with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from cyclopts import App, Parameter

from conurb.cli.asking import NodeOptions
from conurb.cli.output import err, print_json, print_table

app = App(name="system", help="List the systems that are installed, and begin a new one.")

COLUMNS: Final = ("name", "title", "package", "runs_on", "types", "error")
RUNNING: Final = ("name", "status", "detail", "read", "stored", "dead")
SHOWN_MAX: Final = 5
"""How many cities are named at which a system is degraded; --json names all."""


@app.command(name="list")
def list_all(
    *,
    running: Annotated[
        bool, Parameter(negative="", help="Ask a node which of them run there, and how.")
    ] = False,
    node: NodeOptions = NodeOptions(),
    json: Annotated[bool, Parameter(negative="", help="Print a JSON array.")] = False,
) -> None:
    """List the systems that are installed; with --running, those that run at a node.

    Example: conurb system list --running
    """
    rows = _running(node) if running else _installed()
    if json:
        print_json(rows)
    elif running:
        print_table([summed(row) for row in rows], RUNNING, empty="No system runs there.")
    else:
        print_table(rows, COLUMNS, empty="No system is installed.")


@app.command
def new(
    name: str,
    /,
    *,
    to: Annotated[Path | None, Parameter(help="Folder of the package. Default: NAME.")] = None,
) -> None:
    """Begin a new system: a package with an entry point, a system that runs, and its test.

    Example: conurb system new noise --to ./noise
    """
    from conurb.systems.scaffold import scaffold

    folder = to or Path(name)
    for path in scaffold(name, folder):
        sys.stdout.write(f"{path}\n")
    err.print(
        f"Install it: pip install -e {folder}   Switch it on: conurb node serve --with {name}"
    )


def _installed() -> list[dict[str, Any]]:
    from conurb.systems.registry import list_systems

    return [
        {
            "name": one.name,
            "title": one.system.title["en"] if one.system else None,
            "package": f"{one.package} {one.version}".strip(),
            "runs_on": sorted(one.system.runs_on) if one.system else None,
            "types": [kind.term for kind in one.system.types] if one.system else None,
            "error": one.error,
        }
        for one in list_systems()
    ]


def _running(node: NodeOptions) -> list[dict[str, Any]]:
    with node.connect() as connection:
        rows: list[dict[str, Any]] = orjson.loads(connection.request("GET", "/systems").content)
    return rows


def summed(row: dict[str, Any]) -> dict[str, Any]:
    """Add the counters of a system's parts up, those at the cities of a region included."""
    members = row.get("members", [])
    counted = [*row["parts"], *members]
    sums = {name: sum(one[name] for one in counted) for name in ("read", "stored", "dead")}
    ailing = [one["tenant"] for one in members if one["status"] != "ok"]
    if not ailing:
        return {**row, **sums}
    status = "degraded" if row["status"] == "ok" else row["status"]
    shown = ", ".join(ailing[:SHOWN_MAX]) + (" ..." if len(ailing) > SHOWN_MAX else "")
    detail = "; ".join(filter(None, [row["detail"], f"degraded at {shown}"]))
    return {**row, **sums, "status": status, "detail": detail}

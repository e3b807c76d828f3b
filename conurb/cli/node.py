"""`conurb node`: run a node, and take along what it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from conurb.cli.output import JsonFlag, err, print_json
from conurb.config import load_settings

if TYPE_CHECKING:
    from conurb.node.host import Host
    from conurb.node.transfer import Transfer

app = App(name="node", help="Run a node, and take along what it holds.")

StoreOption = Annotated[
    str | None,
    Parameter(help="Path of a SQLite file, or postgresql://...?schema=NAME. Else the settings'."),
]


@app.command
def serve(
    *,
    config: Annotated[Path | None, Parameter(help="Settings, a TOML file.")] = None,
    host: Annotated[str | None, Parameter(help="Address to listen to. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen to. Default: 8080.")] = None,
    store: Annotated[
        str | None, Parameter(help="Path of a SQLite file, or postgresql://...?schema=NAME.")
    ] = None,
    contexts: Annotated[
        Path | None, Parameter(help="Catalogue of preloaded @contexts: JSON of URL to file.")
    ] = None,
    fetch_contexts: Annotated[
        bool | None, Parameter(help="Fetch unknown @contexts from hosts on the outbound list.")
    ] = None,
    node_id: Annotated[
        str | None, Parameter(help="Permanent id of the node. Default: one that is made once.")
    ] = None,
    with_: Annotated[
        str | None,
        Parameter(name="--with", help="Systems to switch on, comma-separated; all: every one."),
    ] = None,
    replay: Annotated[
        bool | None,
        Parameter(negative="", help="Let systems replay recordings, or simulate; both say so."),
    ] = None,
    recordings: Annotated[
        Path | None, Parameter(help="Folder of the recordings to replay; implies --replay.")
    ] = None,
    insecure_open: Annotated[
        bool | None, Parameter(help="Serve beyond loopback without tokens or TLS.")
    ] = None,
) -> None:
    """Serve a node until it is stopped (Ctrl-C).

    Example: conurb node serve --port 9090 --store ./city.db
    """
    from conurb.app import serve as serve_forever

    settings = load_settings(
        config,
        overrides={
            "host": host,
            "port": port,
            "store": store,
            "contexts": contexts,
            "fetch_contexts": fetch_contexts,
            "node_id": node_id,
            "insecure_open": insecure_open,
            "systems": with_,
            "replay": True if recordings is not None else replay,
            "recordings": recordings,
        },
    )
    scheme = "http" if settings.tls_certificate is None else "https"

    async def opened(open_host: Host) -> None:
        err.print(f"Node {open_host.id!r} on {scheme}://{settings.host}:{settings.port}")

    serve_forever(settings, opened=opened)


@app.command(name="export")
def export_all(file: Path, /, *, store: StoreOption = None, json: JsonFlag = False) -> None:
    """Write everything of a node, all tenants, into one file that any engine takes in.

    State, history, journal, subscriptions, registrations and @contexts. A name that ends in .gz
    is compressed.

    Example: conurb node export city.jsonl.gz --store ./city.db
    """
    from conurb.node.transfer import export_node

    _transfer("exported", lambda count: export_node(_held(store), file, progress=count), json=json)


@app.command(name="import")
def import_all(file: Path, /, *, store: StoreOption = None, json: JsonFlag = False) -> None:
    """Take in what `export` wrote, into a store that is empty: all of it or nothing.

    Example: conurb node import city.jsonl.gz --store 'postgresql://me@host/db?schema=city'
    """
    from conurb.node.transfer import import_node

    _transfer("imported", lambda count: import_node(_shelf(store), file, progress=count), json=json)


@app.command
def backup(folder: Path, /, *, store: StoreOption = None, json: JsonFlag = False) -> None:
    """Copy a node into a folder while it is in use.

    Example: conurb node backup ./backup-2026-11-22 --store ./city.db
    """
    from conurb.node.transfer import backup_node

    _transfer("backed up", lambda count: backup_node(_held(store), folder), json=json)


@app.command
def restore(folder: Path, /, *, store: StoreOption = None, json: JsonFlag = False) -> None:
    """Take in what `backup` made, into a store that is empty, of whichever engine.

    Example: conurb node restore ./backup-2026-11-22 --store ./again.db
    """
    from conurb.node.transfer import restore_node

    _transfer(
        "restored", lambda count: restore_node(_shelf(store), folder, progress=count), json=json
    )


def _shelf(store: str | None) -> Any:
    from conurb.node.shelf import open_shelf

    return open_shelf(store or load_settings().store)


def _held(store: str | None) -> Any:
    """Give the shelf of a store that is there: what is taken along has to be something."""
    from conurb.store.engines import require_there

    require_there(store or load_settings().store)
    return _shelf(store)


def _transfer(
    done: str,
    work: Callable[[Callable[[int], None]], Coroutine[Any, Any, Transfer]],
    *,
    json: bool,
) -> None:
    with _counting(done) as count:
        transfer = asyncio.run(work(count))
    rows = sum(transfer.rows.values())
    tenants = len(transfer.rows) - 1
    what = f"{rows:,} rows, " if rows else ""
    err.print(f"{done}: {what}the default tenant and {tenants} others")
    if json:
        print_json([{"tenant": tenant, "rows": count} for tenant, count in transfer.rows.items()])


@contextmanager
def _counting(done: str) -> Iterator[Callable[[int], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.completed:,.0f} rows"), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=not err.is_terminal, transient=True) as progress:
        task = progress.add_task(done, total=None)
        yield lambda rows: progress.advance(task, rows)

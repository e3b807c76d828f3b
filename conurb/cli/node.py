"""`conurb node`: run a node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from conurb.cli.output import err
from conurb.config import load_settings

app = App(name="node", help="Run a node.")


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
    node_id: Annotated[str | None, Parameter(help="Permanent id of the node.")] = None,
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
        },
    )
    scheme = "http" if settings.tls_certificate is None else "https"
    err.print(f"Node {settings.node_id!r} on {scheme}://{settings.host}:{settings.port}")
    serve_forever(settings)

"""`conurb up`: bring a whole region up on this machine, a node per city and the region's own."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from conurb.cli.output import err
from conurb.config import Settings, load_settings
from conurb.model.vocabulary import platform_terms
from conurb.regions.bringup import Loaded, load
from conurb.regions.pack import City, Pack, read_pack

if TYPE_CHECKING:
    from conurb.node.host import Host

app = App(name="up", help="Bring a region up: a node per city, and the region's own.")

STORE_FILE: Final = "region.db"
REPLAYED_JOURNAL_S: Final = 900
"""How long the journal of a region that replays is kept: what is replayed comes without an end."""
_ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::", ""})  # noqa: S104


@app.default
def up(
    region: str = "yrd",
    /,
    *,
    port: Annotated[int | None, Parameter(help="Port to listen to. Default: 8080.")] = None,
    host: Annotated[str | None, Parameter(help="Address to listen to. Default: 127.0.0.1.")] = None,
    data: Annotated[
        Path | None, Parameter(help="Folder of the stores. Default: ~/.local/share/conurb/REGION.")
    ] = None,
    config: Annotated[Path | None, Parameter(help="Settings, a TOML file.")] = None,
    again: Annotated[
        bool, Parameter(negative="", help="Load the pack again although it is the same.")
    ] = False,
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
    """Bring a region up and serve it until it is stopped (Ctrl-C).

    The region is one that ships (yrd), or the folder of a pack that `conurb region new` built.
    Each city is a tenant; the default tenant is the region, which asks all of them.

    Example: conurb up yrd --port 8080
    """
    from conurb.app import check_address, serve

    began = time.monotonic()
    pack = read_pack(region)
    folder = (data or _data_home() / pack.definition.id).expanduser().resolve()
    settings = load_settings(
        config,
        overrides={
            "host": host,
            "port": port,
            "store": str(folder / STORE_FILE),
            "data_folder": folder,
            "node_id": pack.definition.id,
            "insecure_open": insecure_open,
            "systems": with_,
            "places": ("region",),
            "replay": True if recordings is not None else replay,
            "recordings": recordings,
        },
    )
    if settings.replay and not settings.journal_keep_s:
        settings = replace(settings, journal_keep_s=REPLAYED_JOURNAL_S)
    check_address(settings.host, settings.port)
    folder.mkdir(parents=True, exist_ok=True)
    loaded = Loaded(0, 0)

    async def opened(open_host: Host) -> None:
        nonlocal loaded
        loaded = await _load(open_host, pack, again=again)

    def listening() -> None:
        _welcome(pack, settings, folder, loaded, time.monotonic() - began)

    serve(settings, opened=opened, listening=listening)


async def _load(host: Host, pack: Pack, *, again: bool) -> Loaded:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task("Loading the cities", total=len(pack.cities))

        def done(city: City) -> None:
            progress.update(task, advance=1, description=f"Loaded {city.name['en']}")

        return await load(host, pack, platform_terms().expand, again=again, done=done)


def _welcome(
    pack: Pack, settings: Settings, folder: Path, loaded: Loaded, elapsed_s: float
) -> None:
    from conurb.http.page import is_built

    scheme = "http" if settings.tls_certificate is None else "https"
    address = "127.0.0.1" if settings.host in _ANY_ADDRESS else settings.host
    url = f"{scheme}://{f'[{address}]' if ':' in address else address}:{settings.port}"
    at = "" if settings.port == Settings().port and settings.loopback else f" --url {url}"
    names = pack.definition.name
    first = pack.cities[0].id
    state = "loaded" if loaded.written else "as it was"
    command = _command()
    tries = "".join(f"  {command} {one}{at}\n" for one in _tries(pack))
    page = "One Map" if is_built() else "what is running"
    running = ""
    if settings.systems:
        told = "; what is replayed or simulated says so" if settings.replay else ""
        running = f"  {url}/systems               the systems and how they are{told}\n"
    sys.stdout.write(
        f"{names['en']} {names['zh']} is up: {loaded.cities} cities, each a node, and the region.\n"
        f"Ready in {elapsed_s:.1f} s; the pack is {state}; the stores are in {folder}\n"
        "\n"
        f"  {url}/                      {page}\n"
        f"  {url}/ngsi-ld/v1/entities   the API (NGSI-LD); a city is a tenant: "
        f"NGSILD-Tenant: {first}\n"
        f"{running}"
        "\n"
        "Try:\n"
        f"{tries}"
        "\n"
        "Ctrl-C stops it.\n"
    )
    sys.stdout.flush()


def _tries(pack: Pack) -> tuple[str, str, str]:
    """Give three commands that answer something: of figures, where the pack has them."""
    city = pack.cities[0]
    known = {figure.column.attribute for figure in pack.iter_figures() if figure.city == city.id}
    of_city = f"urn:ngsi-ld:City:{city.id}:{city.id}"
    if {"population", "co2", "gdp", "area"} <= known:
        return (
            "object query --type City --q 'population>5000000' --pick name,population",
            f"object history {of_city} co2",
            f"object get {of_city} --tenant {city.id} --pick name,gdp,area",
        )
    x, y = city.centre
    return (
        "object query --type City --pick name,province",
        "object query --type City --georel 'near;maxDistance==50000' --geometry Point "
        f"--coordinates '[{x},{y}]' --pick name",
        f"object get {of_city} --tenant {city.id} --pick name,province,administrativeCode",
    )


def _command() -> str:
    """Give how the command was called: by name when the path finds it, else by its file."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name)
    if found is not None and Path(found).resolve() == called.resolve():
        return called.name
    path = os.path.relpath(called) if called.is_relative_to(Path.cwd()) else str(called)
    return shlex.quote(path)


def _data_home() -> Path:
    """Give where the user's data belongs (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "conurb"

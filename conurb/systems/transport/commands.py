"""`conurb transport`: bring timetables and roads in, ask the network, take feeds out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import orjson
from cyclopts import App, Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from conurb.cli.asking import NodeOptions
from conurb.cli.output import err, print_csv, print_json, print_table
from conurb.client.connection import API, Connection, batch_errors
from conurb.errors import ConflictError, InvalidRequestError, NotFoundError
from conurb.model.entity import Entity
from conurb.model.render import View, render_entity
from conurb.model.vocabulary import platform_terms
from conurb.regions.pack import Pack, read_pack
from conurb.systems.transport.deadends.find import Rules
from conurb.systems.transport.deadends.objects import gap_object, row_of
from conurb.systems.transport.deadends.roads import read_roads
from conurb.systems.transport.gtfs.objects import objects_of
from conurb.systems.transport.gtfs.reading import Feed, Problems
from conurb.systems.transport.importing import (
    Bundle,
    batches,
    metro_bundles,
    rail_bundle,
    road_objects,
    service_span,
)
from conurb.systems.transport.objects import Maker
from conurb.systems.transport.seeking import FEED, SOURCE, areas_of_pack, gaps_in, names_of

app = App(name="transport", help="Timetables, live traffic, the region's network, dead-end roads.")

Json = Annotated[bool, Parameter(negative="", help="Print JSON.")]
By = Annotated[Literal["transit", "car", "any"], Parameter(help="What one travels by.")]
Day = Annotated[str | None, Parameter(help="Day of the timetable, YYYY-MM-DD. Default: today.")]
PackName = Annotated[str, Parameter(help="The region pack that names the cities: a name or path.")]

PROBLEMS_SHOWN: Final = 20
_TERMS: Final = platform_terms()


# ── in ────────────────────────────────────────────────────────────────────────────────────────


@app.command(name="import")
def import_(
    kind: Annotated[
        Literal["gtfs", "metro", "rail", "roads"],
        Parameter(
            help="gtfs: a feed (zip or folder). metro: GeoJSON of lines and of stations. "
            "rail: JSON of trains by city. roads: GeoJSON of road lines."
        ),
    ],
    files: list[Path],
    /,
    *,
    feed: Annotated[
        str | None, Parameter(help="Name of the feed in ids. Default: the file's name.")
    ] = None,
    owner: Annotated[str | None, Parameter(help="Owner in ids. Default: the tenant.")] = None,
    pack: PackName = "yrd",
    here: Annotated[
        bool,
        Parameter(negative="", help="metro: all to the node named, not to each city's tenant."),
    ] = False,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Bring a timetable or roads into a node, as objects.

    What a feed has wrong is told with its file and line; the rest comes in. Metro files have no
    times: running speed and headway are supposed, and marked simulated.

    Example: conurb transport import gtfs feed.zip --tenant shanghai
    """
    problems = Problems()
    report = []
    for bundle in _bundles(kind, files, feed, owner, pack, node, problems):
        told = node if here or bundle.tenant is None else replace(node, tenant=bundle.tenant)
        with told.connect() as connection, _progress(bundle.title) as advance:
            count = _send(connection, bundle.objects, advance)
        report.append({"to": told.tenant, "title": bundle.title, "objects": count})
    for problem in problems.kept[:PROBLEMS_SHOWN]:
        err.print(str(problem), style="yellow", highlight=False)
    if problems.count > PROBLEMS_SHOWN:
        err.print(f"{problems.count - PROBLEMS_SHOWN:,} more faults", highlight=False)
    if json:
        print_json({"written": report, "faults": [str(one) for one in problems.kept]})
        return
    for row in report:
        err.print(f"{row['title']}: {row['objects']:,} objects", highlight=False)


def _bundles(
    kind: str,
    files: list[Path],
    feed: str | None,
    owner: str | None,
    pack: str,
    node: NodeOptions,
    problems: Problems,
) -> Iterator[Bundle]:
    """Give what the files hold, for whom."""
    owner = owner or _owner(node)
    days = service_span(date.today())
    wanted = 2 if kind == "metro" else 1
    if len(files) != wanted:
        raise InvalidRequestError(f"{kind} takes {wanted} file(s), not {len(files)}")
    name = feed or files[0].name.split(".")[0]
    if kind == "metro":
        yield from metro_bundles(files[0], files[1], read_pack(pack), days)
    elif kind == "rail":
        yield replace(rail_bundle(files[0], read_pack(pack), owner, days), tenant=node.tenant)
    elif kind == "roads":
        maker = Maker(owner, files[0].name, name)
        yield Bundle(node.tenant, name, road_objects(read_roads(files[0]), maker))
    else:
        with Feed(files[0]) as source:
            yield Bundle(node.tenant, name, objects_of(source, Maker(owner, files[0].name, name)))
            problems.kept += source.problems.kept
            problems.count += source.problems.count
            for left in source.unread():
                err.print(f"{left}: isn't read", style="yellow", highlight=False)


def _owner(node: NodeOptions) -> str:
    """Give whose objects a node holds: its tenant's, else its own."""
    if node.tenant:
        return node.tenant
    with node.connect() as connection:
        return str(connection.version()["node"])


@contextmanager
def _progress(title: str) -> Iterator[Any]:
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} objects"),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task(title, total=None)
        yield lambda count: progress.update(task, advance=count)


def _send(connection: Connection, objects: Iterable[Entity], advance: Any) -> int:
    """Write objects in batches; raise ConflictError when the node refused some."""
    count = 0
    for batch in batches(objects):
        documents = [render_entity(one, _TERMS, View()) for one in batch]
        response = connection.request(
            "POST",
            f"{API}/entityOperations/upsert",
            params={"options": "update"},
            body=documents,
        )
        errors = batch_errors(response)
        if errors:
            raise ConflictError(f"{len(errors)} objects were refused; the first: {errors[0]}")
        count += len(batch)
        advance(len(batch))
    return count


# ── questions ─────────────────────────────────────────────────────────────────────────────────


def _ask(node: NodeOptions, path: str, params: Mapping[str, Any]) -> Any:
    with node.connect() as connection:
        return orjson.loads(_get(connection, path, params))


def _get(connection: Connection, path: str, params: Mapping[str, Any]) -> bytes:
    given = {name: str(value) for name, value in params.items() if value not in (None, "")}
    try:
        content: bytes = connection.request("GET", path, params=given).content
    except NotFoundError as error:
        if "there is nothing at" in error.detail:
            raise NotFoundError(
                f"{connection.target} doesn't run transport: start it --with transport"
            ) from error
        raise
    return content


@app.command
def departures(
    stop: str,
    /,
    *,
    minutes: Annotated[int, Parameter(help="For how long from now on.")] = 60,
    limit: Annotated[int, Parameter(help="How many at most.")] = 20,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Show what leaves a stop next, planned and expected.

    Example: conurb transport departures urn:ngsi-ld:GtfsStop:shanghai:metro:310000-001
    --tenant shanghai
    """
    params = {"stop": stop, "minutes": minutes, "limit": limit}
    document = _ask(node, "/transport/departures", params)
    if json:
        print_json(document)
        return
    columns = ["line", "headSign", "planned", "expected", "delay", "status"]
    print_table(document["departures"], columns, empty="nothing leaves within that time")


@app.command
def matrix(
    *,
    by: By = "any",
    day: Day = None,
    csv: Annotated[bool, Parameter(negative="", help="Print CSV: one row per pair.")] = False,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Show the travel times between the cities of the region, in minutes.

    A number with ~ takes a road between neighbours that is only supposed.

    Example: conurb transport matrix --by transit --csv
    """
    found = _ask(node, "/transport/matrix", {"by": by, "day": day})
    if json:
        print_json(found)
        return
    names = [one.rsplit(":", 1)[-1] for one in found["cities"]]
    if csv:
        print_csv(_pairs(found, names), ["from", "to", "seconds", "estimated"])
        return
    rows = [
        {"from": name, **dict(zip(names, _minutes(found, number), strict=True))}
        for number, name in enumerate(names)
    ]
    print_table(rows, ["from", *names], empty="the node knows no cities")


def _pairs(found: Mapping[str, Any], names: list[str]) -> Iterator[dict[str, Any]]:
    for row, start in enumerate(names):
        for column, end in enumerate(names):
            if row != column:
                yield {
                    "from": start,
                    "to": end,
                    "seconds": found["seconds"][row][column],
                    "estimated": found["estimated"][row][column],
                }


def _minutes(found: Mapping[str, Any], row: int) -> list[str]:
    cells = zip(found["seconds"][row], found["estimated"][row], strict=True)
    return [
        "" if seconds is None else f"{'~' if supposed else ''}{round(seconds / 60)}"
        for seconds, supposed in cells
    ]


@app.command
def isochrone(
    lon: float,
    lat: float,
    /,
    *,
    minutes: Annotated[str, Parameter(help="Such as 15,30,60.")] = "15,30,45,60",
    by: By = "transit",
    day: Day = None,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Give what can be reached from a place within some minutes; --json prints GeoJSON.

    Example: conurb transport isochrone 121.473 31.233 --minutes 30,60
    """
    params = {"lon": lon, "lat": lat, "minutes": minutes, "by": by, "day": day}
    document = _ask(node, "/transport/isochrone", params)
    if json:
        print_json(document)
        return
    rows = [feature["properties"] for feature in reversed(document["features"])]
    print_table(rows, ["minutes", "stops"], empty="nothing")


@app.command
def state(*, node: NodeOptions = NodeOptions(), json: Json = False) -> None:
    """Show how roads, vehicles, car parks and toll stations are now.

    Example: conurb transport state --tenant shanghai
    """
    document = _ask(node, "/transport/state", {})
    if json:
        print_json(document)
        return
    rows = [{"what": name, **told} for name, told in document.items() if isinstance(told, Mapping)]
    columns = ["what", "count", "replayed", "simulated", "states", "total"]
    print_table(rows, columns, empty="nothing is known")


# ── dead ends ─────────────────────────────────────────────────────────────────────────────────


@app.command
def deadends(
    *,
    roads: Annotated[
        Path | None, Parameter(help="GeoJSON of roads to search; else what the node found.")
    ] = None,
    pack: PackName = "yrd",
    gap_m: Annotated[float, Parameter(help="How far apart two ends may be.")] = 2_000.0,
    border_m: Annotated[float, Parameter(help="How far from the border an end may be.")] = 2_000.0,
    save: Annotated[bool, Parameter(negative="", help="Write what is found to the node.")] = False,
    limit: Annotated[int, Parameter(help="How many at most.")] = 50,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """List dead-end roads at borders, the costliest first.

    With --roads the roads of a file are searched against the cities of the pack; nothing is
    asked of a node unless --save is given.

    Example: conurb transport deadends --roads roads.geojson --save
    """
    if gap_m <= 0 or border_m <= 0:
        raise InvalidRequestError("--gap-m and --border-m: more than 0 is expected")
    if roads is None:
        document = _ask(node, "/transport/deadends", {"limit": limit})
        rows = document["gaps"]
        columns = ["name", "gapLength", "detourLength", "peopleServed", "gapScore"]
    else:
        rows = _searched(roads, read_pack(pack), Rules(border_m, gap_m), save, node)[:limit]
        columns = ["name", "gap_m", "detour_m", "people", "score", "lon", "lat"]
    if json:
        print_json(rows)
        return
    print_table(rows, columns, empty="no dead ends were found")


def _searched(
    roads: Path, pack: Pack, rules: Rules, save: bool, node: NodeOptions
) -> list[dict[str, Any]]:
    areas = areas_of_pack(pack)
    with err.status("Comparing roads with borders"):
        found = gaps_in(read_roads(roads), areas, rules)
    names = names_of(areas)
    if save:
        maker = Maker(_owner(node), SOURCE, FEED)
        with node.connect() as connection:
            written = [gap_object(one, maker, names) for one in found]
            _send(connection, written, lambda _count: None)
    return [row_of(one, names) for one in found]


# ── out ───────────────────────────────────────────────────────────────────────────────────────


@app.command
def export(
    kind: Annotated[
        Literal["gtfs", "vehicle-positions", "trip-updates", "alerts", "sm", "vm", "et", "sx"],
        Parameter(help="gtfs; GTFS-Realtime by kind; SIRI by service."),
    ],
    to: Path,
    /,
    *,
    feed: Annotated[str | None, Parameter(help="One feed by name, with its own ids.")] = None,
    stop: Annotated[str | None, Parameter(help="For sm: the stop.")] = None,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Write a feed of what a node holds to a file.

    Example: conurb transport export gtfs shanghai.zip --tenant shanghai --feed metro
    """
    if kind == "gtfs":
        path = "/transport/gtfs.zip"
    elif len(kind) == 2:
        path = f"/transport/siri/{quote(kind)}"
    else:
        path = f"/transport/gtfs-rt/{quote(kind)}"
    with node.connect() as connection:
        body = _get(connection, path, {"feed": feed, "stop": stop})
    to.write_bytes(body)
    if json:
        print_json({"file": str(to), "bytes": len(body)})
    else:
        err.print(f"{to}: {len(body):,} bytes", highlight=False)

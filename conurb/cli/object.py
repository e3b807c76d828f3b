"""`conurb object`: get, query, put, delete objects, and their history."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from cyclopts import App, Parameter

from conurb.cli.asking import FormOptions, NodeOptions
from conurb.cli.output import JsonFlag, columns_of, err, print_csv, print_json, print_table
from conurb.client.connection import Connection, Document
from conurb.client.frames import HISTORY_COLUMNS, default_instance, iter_history
from conurb.client.load import reason_of
from conurb.errors import ConflictError, InvalidRequestError

app = App(name="object", help="Get, query, put and delete objects, and see their history.")

TABLE_LIMIT: Final = 100
"""Objects that a table shows unless --limit says otherwise; other forms give all."""


@app.command
def get(
    object_id: str,
    /,
    *,
    pick: Annotated[str | None, Parameter(help="Attributes to show, comma-separated.")] = None,
    node: NodeOptions = NodeOptions(),
    form: FormOptions = FormOptions(),
) -> None:
    """Get one object by its id.

    Example: conurb object get urn:ngsi-ld:City:wuxi:wuxi --json
    """
    params = {"pick": _with_identity(pick)} if pick else {}
    with node.connect() as connection:
        if form.form == "json":
            print_json([connection.get(object_id, **params)])
        elif form.form == "geojson":
            print_json(_collection([connection.get(object_id, **params)]))
        else:
            entity = connection.get(object_id, options="keyValues", **params)
            rows = [{"attribute": k, "value": default_instance(v)} for k, v in entity.items()]
            _print_rows(rows, ["attribute", "value"], form.form, empty="nothing to show")


@app.command
def query(
    *,
    type: Annotated[
        str | None, Parameter(help="Type, or a selection such as 'City|District'.")
    ] = None,
    q: Annotated[str | None, Parameter(help="Condition, such as 'population>5000000'.")] = None,
    id: Annotated[str | None, Parameter(help="Ids, comma-separated.")] = None,
    id_pattern: Annotated[str | None, Parameter(help="Regular expression that ids match.")] = None,
    georel: Annotated[
        str | None, Parameter(help="Such as 'near;maxDistance==2000' or 'within'.")
    ] = None,
    geometry: Annotated[str | None, Parameter(help="Point, Polygon ...")] = None,
    coordinates: Annotated[str | None, Parameter(help="Of the geometry, as JSON.")] = None,
    geoproperty: Annotated[str | None, Parameter(help="Default: location.")] = None,
    scope: Annotated[str | None, Parameter(help="Scope query, such as '/yrd/wuxi/#'.")] = None,
    pick: Annotated[str | None, Parameter(help="Attributes to show, comma-separated.")] = None,
    order: Annotated[
        str | None, Parameter(help="Attribute to order by, such as 'gdp;desc'.")
    ] = None,
    limit: Annotated[
        int | None, Parameter(help="At most so many. A table shows 100, other forms all.")
    ] = None,
    count: Annotated[bool, Parameter(negative="", help="Print only how many there are.")] = False,
    node: NodeOptions = NodeOptions(),
    form: FormOptions = FormOptions(),
) -> None:
    """Query objects; asked of a region, all of its cities answer.

    Example: conurb object query --type City --q 'population>5000000' --pick name,population
    """
    if limit is not None and limit < 1:
        raise InvalidRequestError(f"--limit {limit}: 1 or more is expected")
    asked = {
        "q": q,
        "id": id,
        "idPattern": id_pattern,
        "georel": georel,
        "geometry": geometry,
        "coordinates": coordinates,
        "geoproperty": geoproperty,
        "scopeQ": scope,
        "orderBy": order,
    }
    params = {name: value for name, value in asked.items() if value is not None}
    with node.connect() as connection:
        if count:
            sys.stdout.write(f"{connection.count(type, **params)}\n")
            return
        if pick:
            params["pick"] = _with_identity(pick)
        _print_objects(connection, type, params, limit, form)


def _print_objects(
    connection: Connection,
    type: str | None,
    params: dict[str, str],
    limit: int | None,
    form: FormOptions,
) -> None:
    if form.form == "json":
        print_json(connection.query(type, limit=limit, **params))
        return
    if form.form == "geojson":
        print_json(_collection(connection.query(type, limit=limit, **params)))
        return
    shown = TABLE_LIMIT if limit is None and form.form == "table" else limit
    found = connection.query(type, limit=shown, options="keyValues", **params)
    rows = [{name: default_instance(value) for name, value in one.items()} for one in found]
    columns = [name for name in columns_of(rows) if name != "@context"]
    if "pick" in params:
        picked = params["pick"].split(",")
        columns = [name for name in picked if name in columns and (name != "type")]
    _print_rows(rows, columns, form.form, empty="no object answers the query")
    if shown is not None and limit is None and len(found) == shown:
        total = connection.count(type, **{k: v for k, v in params.items() if k != "pick"})
        if total > shown:
            err.print(f"{shown} of {total:,} shown; --limit, --json or --csv give more")


def _with_identity(pick: str) -> str:
    names = [name.strip() for name in pick.split(",")]
    if "" in names:
        raise InvalidRequestError(f"--pick {pick!r}: a name is missing beside a comma")
    return ",".join(dict.fromkeys(["id", *names, "type"]))


@app.command
def put(
    file: Annotated[Path, Parameter(help="NGSI-LD JSON, one object or an array; - for stdin.")],
    /,
    *,
    node: NodeOptions = NodeOptions(),
    json: JsonFlag = False,
) -> None:
    """Create objects, or replace those that are there.

    Example: conurb object put sensor.json --tenant wuxi
    """
    data = sys.stdin.buffer.read() if str(file) == "-" else _read(file)
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"{file} is not JSON: {error}") from error
    objects = document if isinstance(document, list) else [document]
    with node.connect() as connection:
        ids = [one.get("id") if isinstance(one, dict) else None for one in objects]
        _report("put", ids, connection.put(objects), json=json)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidRequestError(f"{file}: {error.strerror}") from error


@app.command
def delete(*object_ids: str, node: NodeOptions = NodeOptions(), json: JsonFlag = False) -> None:
    """Delete objects; their history stays.

    Example: conurb object delete urn:ngsi-ld:Sensor:wuxi:17 --tenant wuxi
    """
    if not object_ids:
        raise InvalidRequestError("which objects? give their ids")
    with node.connect() as connection:
        _report("deleted", object_ids, connection.delete(*object_ids), json=json)


def _report(done: str, asked: Sequence[str | None], errors: list[Document], *, json: bool) -> None:
    reasons = {error.get("entityId"): reason_of(error) for error in errors}
    for object_id, reason in reasons.items():
        err.print(f"{object_id}: {reason}", style="red", highlight=False)
    err.print(f"{len(asked) - len(errors):,} {done}, {len(errors):,} not")
    if json:
        rows = ({"id": one, done: one not in reasons, "reason": reasons.get(one)} for one in asked)
        print_json([{name: v for name, v in row.items() if v is not None} for row in rows])
    if errors:
        raise ConflictError(f"{len(errors)} of {len(asked)} objects could not be {done}")


@app.command
def history(
    object_id: str,
    /,
    *attributes: str,
    since: Annotated[str | None, Parameter(help="From this time on, such as 2010-01-01.")] = None,
    until: Annotated[str | None, Parameter(help="Before this time.")] = None,
    last: Annotated[int | None, Parameter(help="The latest so many of each attribute.")] = None,
    node: NodeOptions = NodeOptions(),
    form: FormOptions = FormOptions(),
) -> None:
    """Show how an object's attributes changed.

    Example: conurb object history urn:ngsi-ld:City:hefei:hefei co2
    """
    params = _window(since, until)
    if last is not None:
        params["lastN"] = str(last)
    with node.connect() as connection:
        evolution = connection.history(object_id, attributes, **params)
    if form.form == "json":
        print_json([evolution])
        return
    if form.form == "geojson":
        raise InvalidRequestError("history has no GeoJSON form; --json and --csv are possible")
    rows: list[dict[str, Any]] = [
        dict(zip(HISTORY_COLUMNS, row, strict=True)) for row in iter_history(evolution)
    ]
    rows.sort(key=lambda row: (row["attribute"], row["dataset"] or "", row["time"] or ""))
    columns = list(HISTORY_COLUMNS[1:])
    if form.form == "table":
        columns = [name for name in columns if any(row[name] is not None for row in rows)]
    _print_rows(rows, columns, form.form, empty=f"{object_id} has no such history")


def _window(since: str | None, until: str | None) -> dict[str, str]:
    start, end = _moment(since), _moment(until)
    if start and end:
        return {"timerel": "between", "timeAt": start, "endTimeAt": end}
    if start:
        return {"timerel": "after", "timeAt": start}
    return {"timerel": "before", "timeAt": end} if end else {}


def _moment(text: str | None) -> str | None:
    """A bare date is midnight UTC."""
    return text if text is None or "T" in text else f"{text}T00:00:00Z"


def _print_rows(
    rows: list[dict[str, Any]], columns: list[str] | tuple[str, ...], form: str, *, empty: str
) -> None:
    if form == "csv":
        print_csv(rows, columns)
    else:
        print_table(rows, columns, empty=empty)


def _collection(entities: list[Document]) -> Document:
    """Make a GeoJSON FeatureCollection of normalized entities (clause 4.5.16)."""
    features = []
    for entity in entities:
        location = entity.get("location")
        first = location[0] if isinstance(location, list) else location
        properties = {name: value for name, value in entity.items() if name != "id"}
        geometry = first.get("value") if isinstance(first, dict) else None
        features.append(
            {
                "id": entity.get("id"),
                "type": "Feature",
                "geometry": geometry,
                "properties": properties,
            }
        )
    return {"type": "FeatureCollection", "features": features}

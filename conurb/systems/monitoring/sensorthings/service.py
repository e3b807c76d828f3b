"""The SensorThings service over HTTP: addresses, documents, errors (18-088, 9 and 10)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

import orjson

from conurb.errors import (
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    TooComplexQueryError,
)
from conurb.systems.contract import Asked, Endpoint, Response
from conurb.systems.monitoring.sensorthings.json_patch import patched
from conurb.systems.monitoring.sensorthings.kinds import DATASTREAMS, KINDS, Kind, get_kind
from conurb.systems.monitoring.sensorthings.mapping import Row, properties_of
from conurb.systems.monitoring.sensorthings.options import NONE, Expansion, Options, read_options
from conurb.systems.monitoring.sensorthings.reading import Found, Reader
from conurb.systems.monitoring.sensorthings.writing import Writer

ROOT: Final = "/sensorthings/v1.1"
CREATE_MANY: Final = "CreateObservations"
SEGMENTS_MAX: Final = 12
CONFORMANCE: Final = tuple(
    f"http://www.opengis.net/spec/iot_sensing/1.1/req/{name}"
    for name in (
        "datamodel",
        "resource-path/resource-path-to-entities",
        "request-data",
        "create-update-delete",
        "data-array/data-array",
        "create-observations-via-mqtt/observations-creation",
        "receive-updates-via-mqtt/receive-updates",
    )
)
_SEGMENT: Final = re.compile(r"(\w+)(?:\((.*)\))?")


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of an address: a set or property, with an id in parentheses or without."""

    name: str
    entity_id: str | None = None


def segments_of(path: str) -> list[Segment]:
    """Read the segments of an (encoded) address below the root.

    >>> segments_of("Things('urn:a:1')/Datastreams")
    [Segment(name='Things', entity_id='urn:a:1'), Segment(name='Datastreams', entity_id=None)]
    """
    parts = [unquote(part) for part in path.split("/") if part]
    if len(parts) > SEGMENTS_MAX:
        raise TooComplexQueryError(f"the address has {len(parts)} parts, over {SEGMENTS_MAX}")
    found: list[Segment] = []
    for part in parts:
        if part.startswith("$"):
            found.append(Segment(part))
            continue
        match = _SEGMENT.fullmatch(part)
        if match is None:
            raise NotFoundError(f"there is nothing at {part!r:.200}")
        given = match[2]
        if given is not None and len(given) > 1 and given[0] == given[-1] == "'":
            given = given[1:-1].replace("''", "'")
        found.append(Segment(match[1], given))
    return found


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address leads: to a set (of `parent` by `name`, or of all), or to one entity."""

    kind: Kind
    row: Row | None = None
    parent: Row | None = None
    name: str = ""
    rest: tuple[str, ...] = ()


async def locate(reader: Reader, path: str) -> Place:
    """Follow an address; raise NotFoundError where it leads nowhere."""
    segments = segments_of(path)
    first = segments[0]
    kind = get_kind(first.name)
    if first.entity_id is None:
        place = Place(kind)
    else:
        place = Place(kind, await reader.get(kind, first.entity_id))
    for index, segment in enumerate(segments[1:], 1):
        place = await _step(reader, place, segment)
        if place.rest:
            rest = tuple(one.name for one in segments[index:])
            return Place(place.kind, place.row, place.parent, place.name, rest)
    return place


async def _step(reader: Reader, place: Place, segment: Segment) -> Place:
    if place.row is None:
        if segment.name in ("$ref", "$count"):
            return Place(place.kind, None, place.parent, place.name, (segment.name,))
        raise NotFoundError(f"{segment.name!r:.100}: a set has no properties; name one entity")
    navigation = place.row.kind.navigations.get(segment.name)
    if navigation is None:
        known = (*place.row.kind.properties, "$ref", "$value", "id", "selfLink")
        if segment.name in known and segment.entity_id is None:
            return Place(place.kind, place.row, rest=(segment.name,))
        raise NotFoundError(f"{place.kind.plural} have no {segment.name!r:.100}")
    kind = get_kind(navigation.kind)
    if not navigation.many:
        return Place(kind, await reader.one_of(place.row, segment.name))
    if segment.entity_id is None:
        return Place(kind, None, place.row, segment.name)
    return Place(kind, await reader.get(kind, segment.entity_id))


# ── documents ─────────────────────────────────────────────────────────────────────────────────


def address(reader: Reader, row: Row) -> str:
    """Give the address of an entity."""
    return f"{reader.base}/{row.kind.plural}({_quoted(row.id)})"


def _quoted(entity_id: str) -> str:
    return "'" + quote(entity_id.replace("'", "''"), safe=":@!$&*+,;=~-._'") + "'"


async def document_of(reader: Reader, row: Row, options: Options) -> dict[str, Any]:
    """Write an entity: its id and address, its properties, its links or what they lead to."""
    own = address(reader, row)
    properties = properties_of(row, reader.spans.get(row.entity.id))
    chosen = options.select
    document: dict[str, Any] = {}
    if chosen is None or {"id", "@iot.id"} & set(chosen):
        document["@iot.id"] = row.id
    if chosen is None or "@iot.selfLink" in chosen:
        document["@iot.selfLink"] = own
    for name, value in properties.items():
        if chosen is None or name in chosen:
            document[name] = value
    expanded = {one.name: one for one in options.expand}
    for name in row.kind.navigations:
        if name in expanded:
            document |= await _expanded(reader, row, expanded[name], f"{own}/{name}")
        elif chosen is None or name in chosen:
            document[f"{name}@iot.navigationLink"] = f"{own}/{name}"
    return document


async def _expanded(reader: Reader, row: Row, one: Expansion, link: str) -> dict[str, Any]:
    found = await reader.linked(row, one.name, one.options)
    documents = await documents_of(reader, found, one.options)
    if not row.kind.navigations[one.name].many:
        return {one.name: documents[0] if documents else None}
    document: dict[str, Any] = {}
    if found.total is not None:
        document[f"{one.name}@iot.count"] = found.total
    document[one.name] = documents
    if found.more:
        query = {"$top": str(one.options.top), "$skip": str(one.options.skip + one.options.top)}
        document[f"{one.name}@iot.nextLink"] = f"{link}?{urlencode(query, safe='$')}"
    return document


async def documents_of(reader: Reader, found: Found, options: Options) -> list[dict[str, Any]]:
    """Write the entities of a page."""
    if any(row.kind is DATASTREAMS for row in found.rows):
        await reader.load_spans(found.rows)
    return [await document_of(reader, row, options) for row in found.rows]


# ── requests ──────────────────────────────────────────────────────────────────────────────────


async def root(asked: Asked) -> Response:
    """Say which sets there are, and what the service conforms to."""
    base = asked.base_url + ROOT
    sets = [{"name": name, "url": f"{base}/{name}"} for name in KINDS]
    settings: dict[str, Any] = {"conformance": list(CONFORMANCE)}
    broker = asked.site.options.get("broker")
    if isinstance(broker, str):
        settings["http://www.opengis.net/spec/iot_sensing/1.1/req/receive-updates-via-mqtt"] = {
            "endpoints": [broker.rsplit("@", 1)[-1]]
        }
    return give({"value": sets, "serverSettings": settings})


async def read(asked: Asked) -> Response:
    """Answer a GET: an entity, a set, a property, links alone."""
    reader = _reader(asked)
    place = await locate(reader, asked.args["path"])
    if place.row is not None:
        return await _read_one(reader, place, asked)
    return await _read_set(reader, place, asked)


async def _read_one(reader: Reader, place: Place, asked: Asked) -> Response:
    row = place.row
    assert row is not None  # noqa: S101 - says it to the type checker
    if not place.rest:
        options = read_options(row.kind, asked.params)
        [document] = await documents_of(reader, Found([row]), options)
        return give(document)
    if place.rest == ("$ref",):
        return give({"@iot.selfLink": address(reader, row)})
    [document] = await documents_of(reader, Found([row]), NONE)
    name, *rest = place.rest
    value: Any = document.get({"id": "@iot.id", "selfLink": "@iot.selfLink"}.get(name, name))
    for step in rest:
        if step == "$value":
            plain = value if isinstance(value, str) else orjson.dumps(value).decode()
            return Response(plain.encode(), media="text/plain; charset=utf-8")
        value = value.get(step) if isinstance(value, dict) else None
        name = step
    if value is None:
        raise NotFoundError(f"{row.id} has no {'/'.join(place.rest)}")
    return give({name: value})


async def _read_set(reader: Reader, place: Place, asked: Asked) -> Response:
    options = read_options(place.kind, asked.params)
    if place.rest == ("$count",):
        options = Options(filter=options.filter, top=0, count=True)
    found = await _find(reader, place, options)
    if place.rest == ("$count",):
        return Response(str(found.total).encode(), media="text/plain")
    document: dict[str, Any] = {}
    if found.total is not None:
        document["@iot.count"] = found.total
    if place.rest == ("$ref",):
        document["value"] = [{"@iot.selfLink": address(reader, row)} for row in found.rows]
        return give(document)
    if found.more and found.rows:
        document["@iot.nextLink"] = _next(asked, options)
    documents = await documents_of(reader, found, options)
    if asked.params.get("$resultFormat") == "dataArray":
        return give(document | _arrays(reader, found, documents))
    document["value"] = documents
    return give(document)


async def _find(reader: Reader, place: Place, options: Options) -> Found:
    if place.parent is None:
        return await reader.all(place.kind, options)
    return await reader.linked(place.parent, place.name, options)


def _next(asked: Asked, options: Options) -> str:
    following = {**asked.params, "$skip": str(options.skip + options.top)}
    following["$top"] = str(options.top)
    return f"{asked.base_url}{_own_path(asked)}?{urlencode(following, safe='$', quote_via=quote)}"


def _own_path(asked: Asked) -> str:
    return f"{ROOT}/{asked.args['path']}"


def _arrays(reader: Reader, found: Found, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """Write observations as arrays by datastream (18-088, data array extension)."""
    components = ["id", "phenomenonTime", "resultTime", "result"]
    groups: dict[str, list[list[Any]]] = {}
    for row, one in zip(found.rows, documents, strict=True):
        cells = [row.id, one["phenomenonTime"], one["resultTime"], one["result"]]
        groups.setdefault(row.entity.id, []).append(cells)
    return {
        "value": [
            {
                "Datastream@iot.navigationLink": f"{reader.base}/Datastreams({_quoted(name)})",
                "components": components,
                "dataArray@iot.count": len(rows),
                "dataArray": rows,
            }
            for name, rows in groups.items()
        ]
    }


async def create(asked: Asked) -> Response:
    """Answer a POST: create an entity, with what is given inside of it."""
    reader = _reader(asked)
    writer = Writer(asked.site, asked.caller, reader)
    if asked.args["path"].rstrip("/") == CREATE_MANY:
        ids = await writer.create_many(_json(asked))
        await writer.commit()
        links = [f"{reader.base}/Observations({_quoted(one)})" for one in ids]
        return give(links, status=201)
    place = await locate(reader, asked.args["path"])
    if place.row is not None or place.rest:
        raise MethodNotAllowedError("POST creates in a set; address one")
    entity_id = await writer.create(place.kind, _json(asked), place.parent)
    await writer.commit()
    link = f"{reader.base}/{place.kind.plural}({_quoted(entity_id)})"
    return Response(status=201, headers={"location": link})


async def update(asked: Asked) -> Response:
    """Answer a PATCH or PUT: change an entity. A PATCH may be a JSON Patch (RFC 6902)."""
    reader = _reader(asked)
    row = await _one(reader, asked)
    given = _json(asked)
    if isinstance(given, list):
        [before] = await documents_of(reader, Found([row]), NONE)
        given = patched(row.kind, before, given)
    writer = Writer(asked.site, asked.caller, reader)
    await writer.update(row, given, whole=asked.method == "PUT")
    await writer.commit()
    return Response(status=200)


async def delete(asked: Asked) -> Response:
    """Answer a DELETE: delete an entity and what can't be without it."""
    reader = _reader(asked)
    writer = Writer(asked.site, asked.caller, reader)
    await writer.delete(await _one(reader, asked))
    await writer.commit()
    return Response(status=200)


async def _one(reader: Reader, asked: Asked) -> Row:
    place = await locate(reader, asked.args["path"])
    if place.row is None or place.rest:
        raise MethodNotAllowedError(f"{asked.method} is for one entity; address one by its id")
    return place.row


def _reader(asked: Asked) -> Reader:
    return Reader(asked.site, asked.caller, asked.base_url + ROOT)


def _json(asked: Asked) -> Any:
    try:
        return orjson.loads(asked.body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"the body is not JSON: {error}") from error


def give(document: Any, *, status: int = 200) -> Response:
    """Answer with a JSON document."""
    return Response(orjson.dumps(document), status=status)


def failed(status: int, detail: str) -> Response:
    """Write an error as FROST and its clients know it."""
    return give({"code": status, "type": "error", "message": detail}, status=status)


def endpoints() -> tuple[Endpoint, ...]:
    """Give the operations of the service."""
    path = ROOT + "/{path*}"
    parts: Mapping[str, Any] = {"failed": failed}
    write: Mapping[str, Any] = {**parts, "right": "write", "consumes": ("application/json",)}
    return (
        Endpoint("GET", ROOT, "root", "SensorThings: the sets there are", root, **parts),
        Endpoint("GET", path, "read", "SensorThings: an entity or a set", read, **parts),
        Endpoint("POST", path, "create", "SensorThings: create an entity", create, **write),
        Endpoint("PATCH", path, "update", "SensorThings: change an entity", update, **write),
        Endpoint("PUT", path, "replace", "SensorThings: put an entity anew", update, **write),
        Endpoint(
            "DELETE",
            path,
            "delete",
            "SensorThings: delete an entity",
            delete,
            right="write",
            failed=failed,
        ),
    )

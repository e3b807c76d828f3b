"""What the HTTP interface of the warnings system does; `interface` is the table of its paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from conurb.errors import BadRequestDataError, ConflictError, ForbiddenError, NotFoundError
from conurb.model.operations.entity import UpsertEntity
from conurb.model.query.tree import Condition
from conurb.node.guard import guard
from conurb.regions.objects import city_id
from conurb.systems.contract import OWN, Asked, Response
from conurb.systems.warnings import desk
from conurb.systems.warnings.arrivals import TYPE as FORECAST
from conurb.systems.warnings.arrivals import air_told, water_told
from conurb.systems.warnings.cap.alert import MEDIA_TYPE, MsgType, Scope
from conurb.systems.warnings.cap.atom import FEED_MEDIA_TYPE, Published, write_feed
from conurb.systems.warnings.cap.edxl import Envelope, distribution_type, write_envelope
from conurb.systems.warnings.cap.read import read
from conurb.systems.warnings.cap.write import write
from conurb.systems.warnings.compose import SIMULATED_NOTE, follow, from_us
from conurb.systems.warnings.kinds import KINDS
from conurb.systems.warnings.objects import TYPE, Held, city_of, is_own
from conurb.systems.warnings.ordering import order
from conurb.systems.warnings.querying import after, compare, has, query_of, region_objects
from conurb.systems.warnings.receiving import (
    Receipt,
    cities_at,
    messages_in,
    receive,
    receive_all,
    written,
)
from conurb.systems.warnings.regional import EVENT
from conurb.systems.warnings.showing import alert_row, event_row, log_row, row_of
from conurb.systems.warnings.states import STATES

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.changes import Operation
    from conurb.model.entity import Entity

EDXL_MEDIA: Final = "application/xml"
BASE: Final = desk.BASE


def _json(document: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(document), status=status)


async def post_message(asked: Asked) -> Response:
    """Take in a CAP message, an envelope or a feed."""
    documents = messages_in(asked.body)
    accept = asked.params.get("missing") == "accept"
    if len(documents) == 1:
        receipt = await receive(documents[0], asked.site, accept_missing=accept)
        await _write(asked, receipt)
        return _json(row_of(receipt), 200 if receipt.known else 201)
    receipts, errors = await receive_all(documents, asked.site, accept_missing=accept)
    if errors and not receipts:
        raise errors[0]
    for receipt in receipts:
        await _write(asked, receipt)
    rows = [row_of(one) for one in receipts]
    return _json({"received": rows, "refused": [one.detail for one in errors]}, 201)


async def _write(asked: Asked, receipt: Receipt, act: desk.Act | None = None) -> None:
    """Write what a message leads to and, in the same transaction, the entry of the log."""
    operations: list[Operation] = list(receipt.operations)
    if not operations:
        asked.caller.require("write")
        return
    if act is not None:
        desk.check(act)
        title = {one.language[:2]: one.headline or one.event for one in receipt.message.infos}
        entry = desk.entry_of(act, asked.site, title=title, provenance=receipt.provenance)
        operations.append(UpsertEntity(entry))
    await asked.site.node.store.apply_all([guard(asked.caller, one) for one in operations])


async def issue(asked: Asked) -> Response:
    """Issue an alert from plain JSON: kind, severity, cities or a circle, texts in zh and en."""
    site, body = asked.site, dict(_body(asked))
    actor, note = _actor(asked, body), str(body.pop("note", ""))
    body.pop("actor", None)
    message = order(body, site, sender=f"{asked.caller.name}@{site.owner}")
    receipt = await receive(written(message, site), site)
    await _write(asked, receipt, desk.Act("issue", receipt.id, actor, asked.caller.name, note))
    return _json(row_of(receipt), 200 if receipt.known else 201)


async def list_alerts(asked: Asked) -> Response:
    """List alerts of the node, or of the region's members, the last first."""
    return _json([alert_row(held) for held in await _alerts(asked, asked.caller)])


async def _alerts(asked: Asked, caller: Caller) -> list[Held]:
    state = asked.params.get("state", "active")
    conditions: list[Condition] = [has("capDocument")]  # alarms of other systems have none
    if state != "all":
        if state not in STATES:
            raise BadRequestDataError(f"state: {state!r} is none of all, {', '.join(STATES)}")
        conditions.append(compare("alertState", "==", state))
    if state == "active":
        conditions.append(after("validTo", asked.site.now_us()))
    if "kind" in asked.params:
        conditions.append(compare("subCategory", "==", asked.params["kind"]))
    query = query_of(TYPE, *conditions)
    found = [Held(one) for one in await region_objects(asked.site, caller, query)]
    city = asked.params.get("city")
    if city is not None:
        wanted = city_id(city)
        released = await _released(asked, caller, wanted)
        found = [
            one
            for one in found
            if wanted in (*one.links("affects"), *one.links("releasedTo")) or one.id in released
        ]
    return sorted(found, key=lambda one: (one.text("dateIssued"), one.id), reverse=True)


async def _released(asked: Asked, caller: Caller, city: str) -> frozenset[str]:
    """Give the alerts of the regional events that were released to a city."""
    query = query_of(EVENT, compare("alertState", "==", "active"))
    events = map(Held, await region_objects(asked.site, caller, query))
    return frozenset(
        told["alert"]
        for event in events
        if city in event.links("releasedTo")
        for told in event.find("statements") or ()
    )


async def get_alert(asked: Asked) -> Response:
    """Give an alert: as JSON, or as CAP (`.cap`) or in an envelope (`.edxl`)."""
    name = asked.args["id"]
    for suffix, media in ((".cap", MEDIA_TYPE), (".edxl", EDXL_MEDIA)):
        if name.endswith(suffix):
            held = await _find(asked, name.removesuffix(suffix))
            document = _cap(held) if suffix == ".cap" else _envelope(held, asked)
            return Response(document, media)
    return _json(alert_row(await _find(asked, name)))


async def get_published(asked: Asked) -> Response:
    """Give an alert to who may read; a public one's CAP to anybody."""
    if asked.caller.may("read"):
        return await get_alert(asked)
    name = asked.args["id"]
    held = await _find(asked, name.removesuffix(".cap"), OWN) if name.endswith(".cap") else None
    if held is None or held.text("audienceScope") != Scope.PUBLIC:
        raise ForbiddenError("without a right to read, only the CAP of public alerts is given")
    return Response(_cap(held), MEDIA_TYPE)


def _cap(held: Held) -> bytes:
    """Give an alert's CAP 1.2: the message as it came, or written anew when it came as CAP 1.1."""
    document = held.document()
    return document if b"emergency:cap:1.2" in document else write(read(document))


def _envelope(held: Held, asked: Asked) -> bytes:
    message = held.message()
    cities = cities_at(asked.site)
    wanted = held.links("releasedTo") or held.links("affects")
    codes = tuple(cities.code_of(city) for city in map(city_of, wanted) if city in cities.by_id)
    envelope = Envelope(
        id=held.id,
        sender=f"warnings@{asked.site.owner}",
        sent=from_us(asked.site.now_us()),
        status=str(message.status),
        type=distribution_type(message.msg_type),
        confidentiality="Unclassified" if message.scope is Scope.PUBLIC else str(message.scope),
        city_codes=codes,
        documents=(_cap(held),),
    )
    return write_envelope(envelope)


async def feed(asked: Asked) -> Response:
    """Give the public alerts that are in force as an Atom feed with their CAP."""
    entries = []
    for held in await _alerts(asked, OWN):  # what is published is open to all
        if held.text("audienceScope") != Scope.PUBLIC or not held.text("capDocument"):
            continue
        url = f"{asked.base_url}{BASE}/alerts/{held.id}.cap"
        note = SIMULATED_NOTE if held.provenance == "simulated" else None
        entries.append(Published(held.message(), _cap(held), url, note))
    site = asked.site
    document = write_feed(
        entries,
        url=f"{asked.base_url}{BASE}/feed.atom",
        title=f"预警 Alerts: {site.owner}",
        author=f"warnings@{site.owner}",
        updated=from_us(site.now_us()),
    )
    return Response(document, FEED_MEDIA_TYPE)


async def list_events(asked: Asked) -> Response:
    """List regional events with who said what, and where they go next."""
    conditions = (
        [] if asked.params.get("state") == "all" else [compare("alertState", "==", "active")]
    )
    events = await region_objects(asked.site, asked.caller, query_of(EVENT, *conditions))
    forecasts: dict[str, list[Held]] = {}
    for entity in await region_objects(asked.site, asked.caller, query_of(FORECAST)):
        held = Held(entity)
        forecasts.setdefault(held.text("refRegionalEvent"), []).append(held)
    rows = [event_row(Held(one), forecasts.get(one.id, ())) for one in events]
    return _json(sorted(rows, key=lambda one: str(one["from"]), reverse=True))


async def forecast(asked: Asked) -> Response:
    """Forecast where air from a city, or water from a place, goes: asked for once, not kept."""
    cities, params = cities_at(asked.site), asked.params
    if "longitude" in params or "latitude" in params:
        place = [_number(params, "longitude"), _number(params, "latitude")]
        told = water_told({"type": "Point", "coordinates": place}, ())
        medium = "water"
    else:
        city = params.get("city", "")
        if city not in cities.by_id:
            raise BadRequestDataError(f"city: {city!r} is none of {', '.join(cities.by_id)}")
        medium = "air"
        told = await air_told(
            [city], cities, asked.site, simulated=params.get("simulated") == "true"
        )
    rows = [
        {
            "city": one.city,
            "expected_h": round(one.expected_s / 3600, 1),
            "earliest_h": round(one.earliest_s / 3600, 1),
            "latest_h": round(one.latest_s / 3600, 1),
            "probability": one.probability,
        }
        for one in told
    ]
    return _json({"medium": medium, "modelled": True, "arrivals": rows})


async def follow_up(asked: Asked) -> Response:
    """Acknowledge or release an alert or an event; cancel an alert of our own, or clear it."""
    held = await _find(asked, asked.args["id"])
    body = _body(asked)
    action = asked.args["action"]
    actor, account, note = _actor(asked, body), asked.caller.name, str(body.get("note") or "")
    if action == "acknowledge":
        act = desk.Act("acknowledge", held.id, actor, account, note)
    elif action == "release":
        cities = tuple(map(str, body.get("cities", ())))
        act = desk.Act("release", held.id, actor, account, note, cities)
    elif action in ("cancel", "clear"):
        _check_own(held)
        act = desk.Act("cancel" if action == "cancel" else "clear", held.id, actor, account, note)
        message = follow(
            held.message(),
            MsgType.CANCEL if action == "cancel" else MsgType.UPDATE,
            sent=from_us(asked.site.now_us()),
            note=note or None,
            all_clear=action == "clear",
        )
        receipt = await receive(
            written(message, asked.site), asked.site, provenance=held.provenance
        )
        await _write(asked, receipt, act)
        return _json(row_of(receipt), 201)
    else:
        raise NotFoundError(f"{action!r} is none of acknowledge, release, cancel, clear")
    return _json(log_row(Held(await desk.do(act, asked.site, asked.caller))), 201)


def _check_own(held: Held) -> None:
    """Raise for an event, and for an alert that somebody else sent: it is theirs to end."""
    if not held.text("capDocument"):
        raise BadRequestDataError(
            f"{held.id}: a regional event ends when its alerts do; cancel or clear those"
        )
    if not is_own(held):
        raise ConflictError(
            f"{held.id} was sent by {held.text('sender')}, who alone may cancel or clear it: "
            f"their CAP message goes to {BASE}/cap"
        )


async def show_log(asked: Asked) -> Response:
    """List what was done at the duty desk, the last first."""
    target = asked.params.get("target")
    entries = await desk.log_of(asked.site, asked.caller, target=target)
    return _json([log_row(Held(one)) for one in entries])


async def show_desk(asked: Asked) -> Response:
    """Say what a duty desk is drawn from: who asks and what they may, cities, kinds, desks."""
    return _json(
        {
            "owner": asked.site.owner,
            "caller": asked.caller.name,
            "mayAct": asked.caller.may("write"),
            "cities": [
                {"id": one.id, "name": dict(one.name), "province": dict(one.province)}
                for one in cities_at(asked.site).by_id.values()
            ],
            "kinds": [{"key": one.key, "name": {"zh": one.zh, "en": one.en}} for one in KINDS],
            "desks": dict(await desk.desks_of(asked.site)),
        }
    )


async def _find(asked: Asked, object_id: str, caller: Caller | None = None) -> Held:
    answer = await asked.site.node.consume.retrieve(caller or asked.caller, object_id)
    entity: Entity = answer.entities[0]
    if not {asked.site.expand(TYPE), asked.site.expand(EVENT)} & set(entity.types):
        raise NotFoundError(f"{object_id!r} is no alert")
    return Held(entity)


def _actor(asked: Asked, body: Mapping[str, Any]) -> str:
    return str(body.get("actor") or asked.caller.name)


def _body(asked: Asked) -> Mapping[str, Any]:
    try:
        found = orjson.loads(asked.body or b"{}")
    except orjson.JSONDecodeError as error:
        raise BadRequestDataError(f"the body is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise BadRequestDataError("the body is a JSON object")
    return found


def _number(params: Mapping[str, str], name: str) -> float:
    try:
        return float(params.get(name, ""))
    except ValueError as error:
        raise BadRequestDataError(f"{name}: {params.get(name)!r} is not a number") from error

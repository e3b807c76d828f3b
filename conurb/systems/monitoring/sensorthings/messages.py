"""SensorThings over MQTT (18-088, 14 and 15): observations come in by it, and changes go out.

The broker is the operator's own (option `broker`, `mqtt://user:password@host`). What comes in on
`v1.1/Observations` and `v1.1/Datastreams('ID')/Observations` is created as by HTTP. What changes
goes out on the same topics and on those of every set, with its `@iot.id`, by which this side knows
what it said itself.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

import orjson

from conurb.errors import BadRequestDataError, UnavailableError
from conurb.model.changes import HistoryInstance
from conurb.model.time import fixed_us, shown_us
from conurb.systems.contract import OWN, Connector, Message, MqttTopics, Site
from conurb.systems.monitoring.sensorthings.kinds import (
    DATASTREAMS,
    KINDS,
    OBSERVATIONS,
    Kind,
)
from conurb.systems.monitoring.sensorthings.mapping import NUMBER, OTHER, Row, iri
from conurb.systems.monitoring.sensorthings.options import NONE
from conurb.systems.monitoring.sensorthings.reading import Reader
from conurb.systems.monitoring.sensorthings.service import document_of, locate
from conurb.systems.monitoring.sensorthings.writing import Writer

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.store.contract import Record

ROOT: Final = "v1.1"
TOPICS: Final = (f"{ROOT}/Observations", f"{ROOT}/+/Observations")
PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
CONNECT_S: Final = 10.0


def broker_of(site: Site) -> str | None:
    """Give the broker that the operator named; None when there is none."""
    broker = site.options.get("broker")
    return broker if isinstance(broker, str) and broker else None


def connectors(site: Site) -> Sequence[Connector]:
    """Give the connector that takes observations in."""
    broker = broker_of(site)
    if broker is None:
        return ()
    return (Connector("sensorthings", MqttTopics(broker, TOPICS), receive),)


async def receive(message: Message, site: Site) -> Sequence[Operation]:
    """Create the observation that a message holds; nothing for what this side published itself."""
    document = orjson.loads(message.body)
    if not isinstance(document, dict):
        raise BadRequestDataError("the message is not an Observation: no JSON object")
    if "@iot.selfLink" in document:
        return ()
    document.setdefault("phenomenonTime", shown_us(message.at_us))
    reader = Reader(site, OWN, "")
    writer = Writer(site, OWN, reader)
    parent = None
    middle = message.topic.removeprefix(f"{ROOT}/").removesuffix("Observations").rstrip("/")
    if middle:
        place = await locate(reader, middle)
        if place.row is None or place.kind is not DATASTREAMS:
            raise BadRequestDataError(f"{message.topic!r:.200} is not the topic of a Datastream")
        parent = place.row
    await writer.create(OBSERVATIONS, document, parent)
    return writer.operations


async def publish(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    """Tell the broker what has changed: at least once, in the journal's order."""
    broker = broker_of(site)
    if broker is None:
        return ()
    reader = Reader(site, OWN, "")
    said: list[tuple[str, bytes]] = []
    for record in records:
        said += await _said(record, reader)
    if said:
        await _send(broker, said, site)
    return ()


async def _said(record: Record, reader: Reader) -> list[tuple[str, bytes]]:
    """Write the messages that a record of the journal leads to."""
    if record.after is None:
        return []
    said: list[tuple[str, bytes]] = []
    for kind in _kinds_of(record):
        row = Row(kind, record.after)
        document = orjson.dumps(await document_of(reader, row, NONE))
        said.append((f"{ROOT}/{kind.plural}", document))
        said.append((f"{ROOT}/{kind.plural}('{row.id}')", document))
    for term in (NUMBER, OTHER):
        instance = record.after.instance(iri(term))
        if iri(term) not in record.touched or instance is None or "observedAt" not in instance:
            continue
        at_us = fixed_us(instance["observedAt"])
        moment = HistoryInstance(iri(term), None, at_us, at_us, None, 0, instance)
        row = Row(OBSERVATIONS, record.after, moment)
        document = orjson.dumps(await document_of(reader, row, NONE))
        said.append((f"{ROOT}/Observations", document))
        said.append((f"{ROOT}/Datastreams('{record.after.id}')/Observations", document))
    return said


def _kinds_of(record: Record) -> list[Kind]:
    """Give the sets in which an object has changed; an observation alone changes none."""
    if record.kind == "updated" and set(record.touched) <= {iri(NUMBER), iri(OTHER)}:
        return []
    return [
        kind for kind in KINDS.values() if kind.term is not None and iri(kind.term) in record.types
    ]


async def _send(broker: str, said: Sequence[tuple[str, bytes]], site: Site) -> None:
    """Publish messages over one connection; raise UnavailableError when that can't be."""
    import aiomqtt

    site.outbound.check(broker)
    parts = urlsplit(broker)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        async with asyncio.timeout(CONNECT_S):
            _, probe = await asyncio.open_connection(host, port)
            probe.close()
        async with aiomqtt.Client(
            host,
            port,
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
            tls_context=ssl.create_default_context() if parts.scheme == "mqtts" else None,
        ) as client:
            for topic, body in said:
                await client.publish(topic, body, qos=1)
    except (aiomqtt.MqttError, OSError, TimeoutError) as error:
        raise UnavailableError(f"{host}:{port}: {error or 'no answer'}") from error


PUBLISHED: Final[tuple[str, ...]] = tuple(
    dict.fromkeys(str(kind.term) for kind in KINDS.values() if kind.term is not None)
)
"""Types whose changes are published."""

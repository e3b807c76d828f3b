"""Creates, changes and deletes entities of SensorThings: each request is one transaction.

A deep insert (a Thing with its Locations and Datastreams, a Datastream with its Sensor and
Observations) becomes operations on the objects that they are, written all or nothing. A Thing keeps
its place as its own `location` too, and so does each Datastream, so that they are on the map.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from conurb.access.caller import Caller
from conurb.errors import BadRequestDataError, ConflictError, NotFoundError, TooLargeError
from conurb.model.changes import Operation
from conurb.model.entity import Entity
from conurb.model.operations.entity import (
    AppendAttributes,
    CreateEntity,
    DeleteEntity,
    KeepAttributes,
)
from conurb.model.operations.temporal import AppendEvolution, DeleteInstance
from conurb.model.parse import parse_entity, parse_fragment, parse_temporal_fragment
from conurb.model.time import fixed, fixed_us, parse_fixed
from conurb.model.vocabulary import platform_terms
from conurb.node.guard import guard
from conurb.systems.contract import Site
from conurb.systems.monitoring.sensorthings.kinds import (
    DATASTREAMS,
    FEATURES,
    HISTORICAL_LOCATIONS,
    LINKS,
    LOCATIONS,
    OBSERVATIONS,
    OBSERVED_PROPERTIES,
    SENSORS,
    THINGS,
    Kind,
    get_kind,
)
from conurb.systems.monitoring.sensorthings.mapping import (
    Row,
    attributes_of,
    check_required,
    find_value,
    given_id,
    inherited,
    iri,
    linked_ids,
    moment_id,
    observation_of,
    properties_of,
)
from conurb.systems.monitoring.sensorthings.options import Options
from conurb.systems.monitoring.sensorthings.reading import Reader

OPERATIONS_MAX: Final = 10_000
"""How many objects and observations one request may write."""


@dataclass(slots=True)
class Writer:
    """Writes for one caller at one site."""

    site: Site
    caller: Caller
    reader: Reader
    new_id: Callable[[], str] = lambda: uuid4().hex
    operations: list[Operation] = field(default_factory=list)
    made: dict[str, Entity] = field(default_factory=dict)

    async def commit(self) -> None:
        """Write all or nothing; raise the first error."""
        if len(self.operations) > OPERATIONS_MAX:
            raise TooLargeError(
                f"{len(self.operations)} objects and observations; one request writes "
                f"{OPERATIONS_MAX} at most"
            )
        guarded = [guard(self.caller, one) for one in self.operations]
        if guarded:
            await self.site.store.apply_all(guarded)

    # ── create ────────────────────────────────────────────────────────────────────────────────

    async def create(self, kind: Kind, given: Any, parent: Row | None = None) -> str:
        """Create an entity and what is given inside of it; give its id.

        `parent` is the entity below whose address it was posted. Nothing is written before
        `commit`.
        """
        document = _object(kind, given)
        if kind is OBSERVATIONS:
            return await self._observe(document, parent)
        if kind is HISTORICAL_LOCATIONS:
            return await self._place_then(document, parent)
        check_required(kind, document)
        entity_id = given_id(document) or self._urn(kind)
        attributes = attributes_of(kind, document)
        match kind.plural:
            case "Things":
                attributes |= await self._places_of(document, parent)
            case "Datastreams":
                attributes |= await self._links_of(document, parent)
        self._create(kind, entity_id, attributes)
        await self._inside(kind, entity_id, document)
        if kind is LOCATIONS and parent is not None and parent.kind is THINGS:
            await self._move(parent.entity, [entity_id])
        return entity_id

    def _urn(self, kind: Kind) -> str:
        return self.site.urn(str(kind.term), self.new_id())

    def _create(self, kind: Kind, entity_id: str, attributes: dict[str, Any]) -> None:
        document = {"id": entity_id, "type": kind.term, **attributes}
        entity = parse_entity(document, platform_terms())
        self.made[entity_id] = entity
        self.operations.append(CreateEntity(entity))

    async def _inside(self, kind: Kind, entity_id: str, document: dict[str, Any]) -> None:
        """Create what is given inside of an entity and points back to it."""
        row = Row(kind, self.made[entity_id])
        if kind in (THINGS, SENSORS, OBSERVED_PROPERTIES):
            for one in _list(document, "Datastreams"):
                await self.create(DATASTREAMS, one, row)
        if kind is LOCATIONS:
            for one in _list(document, "Things"):
                known = isinstance(one, dict) and "@iot.id" in one
                if known and await self._exists(THINGS, str(one["@iot.id"])):
                    await self._move(await self._known(THINGS, str(one["@iot.id"])), [entity_id])
                else:
                    await self.create(THINGS, one, row)
        if kind is DATASTREAMS:
            for one in _list(document, "Observations"):
                await self.create(OBSERVATIONS, one, row)

    async def _ref(self, kind: Kind, given: Any) -> Entity:
        """Give the entity that a link names by its id, or create the one given.

        What else is said of an entity that exists is left: a link doesn't change it.
        """
        if isinstance(given, dict) and "@iot.id" in given:
            try:
                return await self._known(kind, str(given["@iot.id"]))
            except BadRequestDataError:
                if len(given) == 1:
                    raise
        return self.made[await self.create(kind, given)]

    async def _exists(self, kind: Kind, entity_id: str) -> bool:
        try:
            await self._known(kind, entity_id)
        except BadRequestDataError:
            return False
        return True

    async def _known(self, kind: Kind, entity_id: str) -> Entity:
        if entity_id in self.made:
            return self.made[entity_id]
        try:
            return (await self.reader.get(kind, entity_id)).entity
        except NotFoundError as error:
            raise BadRequestDataError(
                f"{kind.singular} {entity_id!r:.200} doesn't exist here"
            ) from error

    async def _places_of(self, document: dict[str, Any], parent: Row | None) -> dict[str, Any]:
        """Give the attributes that say where a Thing is."""
        places = [await self._ref(LOCATIONS, one) for one in _list(document, "Locations")]
        if parent is not None and parent.kind is LOCATIONS:
            places.append(parent.entity)
        return self._placed(places)

    def _placed(self, places: Sequence[Entity], at: str | None = None) -> dict[str, Any]:
        if not places:
            return {}
        now = at or fixed(self.site.now_us())
        ids = [one.id for one in places]
        attributes: dict[str, Any] = {
            "refPointOfInterest": {"type": "Relationship", "object": ids, "observedAt": now}
        }
        geometry = find_value(places[0], "location")
        if geometry is not None:
            attributes["location"] = {"type": "GeoProperty", "value": geometry, "observedAt": now}
        return attributes

    async def _links_of(self, document: dict[str, Any], parent: Row | None) -> dict[str, Any]:
        """Give the attributes that link a Datastream, and where it measures."""
        attributes: dict[str, Any] = {}
        for name, kind in (
            ("Thing", THINGS),
            ("Sensor", SENSORS),
            ("ObservedProperty", OBSERVED_PROPERTIES),
        ):
            if document.get(name) is not None:
                linked = await self._ref(kind, document[name])
            elif parent is not None and parent.kind is kind:
                linked = parent.entity
            else:
                raise BadRequestDataError(f"Datastream: {name} is missing")
            attributes[LINKS["Datastreams", name]] = {"type": "Relationship", "object": linked.id}
            if kind is THINGS:
                attributes |= inherited(linked)
            if kind is OBSERVED_PROPERTIES:
                called = find_value(linked, "name")
                attributes["controlledProperty"] = {"type": "Property", "value": called}
        return attributes

    # ── observations ──────────────────────────────────────────────────────────────────────────

    async def _observe(self, document: dict[str, Any], parent: Row | None) -> str:
        stream = await self._stream_of(document, parent)
        feature = None
        if document.get("FeatureOfInterest") is not None:
            feature = (await self._ref(FEATURES, document["FeatureOfInterest"])).id
            known = linked_ids(stream, "refPointOfInterest")
            if feature not in known:
                link = {"type": "Relationship", "object": [*known, feature]}
                self._append(stream.id, {"refPointOfInterest": link})
                stream = stream.with_attrs(
                    {**stream.attrs, **_fragment({"refPointOfInterest": link}).attrs}
                )
                self.made[stream.id] = stream
        unit = find_value(stream, "unit")
        own = feature if len(linked_ids(stream, "refPointOfInterest")) > 1 else None
        term, instance = observation_of(
            document,
            now_us=self.site.now_us(),
            unit=unit if isinstance(unit, str) else None,
            feature=own,
        )
        fragment = parse_temporal_fragment({term: [instance]}, platform_terms())
        self.operations.append(AppendEvolution(stream.id, fragment))
        [read] = fragment.attrs[iri(term)]
        return moment_id(stream.id, fixed_us(read["observedAt"]))

    async def _stream_of(self, document: dict[str, Any], parent: Row | None) -> Entity:
        if parent is not None and parent.kind is DATASTREAMS:
            return self.made.get(parent.entity.id, parent.entity)
        given = document.get("Datastream")
        if given is None:
            raise BadRequestDataError("Observation: Datastream is missing")
        return await self._ref(DATASTREAMS, given)

    async def create_many(self, given: Any) -> list[str]:
        """Create observations given as arrays (18-088, data array extension); give their ids."""
        if not isinstance(given, list):
            raise BadRequestDataError("CreateObservations: the body is not an array")
        ids: list[str] = []
        for group in given:
            document = _object(DATASTREAMS, group)
            components, rows = document.get("components"), document.get("dataArray")
            if not isinstance(components, list) or not isinstance(rows, list):
                raise BadRequestDataError("CreateObservations: components or dataArray is missing")
            stream = Row(DATASTREAMS, await self._ref(DATASTREAMS, document.get("Datastream")))
            for row in rows:
                if not isinstance(row, list) or len(row) != len(components):
                    raise BadRequestDataError(
                        f"CreateObservations: {row!r:.100} doesn't fit its components"
                    )
                one = dict(zip(map(str, components), row, strict=True))
                if "FeatureOfInterest/id" in one:
                    one["FeatureOfInterest"] = {"@iot.id": one.pop("FeatureOfInterest/id")}
                ids.append(await self.create(OBSERVATIONS, one, stream))
                if len(ids) % YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        return ids

    # ── places ────────────────────────────────────────────────────────────────────────────────

    async def _move(self, thing: Entity, locations: Sequence[str], at: str | None = None) -> None:
        """Say that a Thing is at other places now (or was, at a time), its Datastreams too."""
        places = [await self._known(LOCATIONS, one) for one in locations]
        placed = self._placed(places, at)
        fragment = parse_temporal_fragment(
            {name: [value] for name, value in placed.items()}, platform_terms()
        )
        self.operations.append(AppendEvolution(thing.id, fragment))
        geometry = placed.get("location")
        if geometry is None or at is not None:
            return
        found = await self.reader.linked(Row(THINGS, thing), "Datastreams", Options(top=500))
        for row in found.rows:
            self._append(row.entity.id, {"location": geometry})

    async def _place_then(self, document: dict[str, Any], parent: Row | None) -> str:
        """Write a HistoricalLocation: where a Thing was at a time."""
        at = parse_fixed(str(document.get("time")), name="time")
        if parent is not None and parent.kind is THINGS:
            thing = parent.entity
        elif document.get("Thing") is not None:
            thing = await self._ref(THINGS, document["Thing"])
        else:
            raise BadRequestDataError("HistoricalLocation: Thing is missing")
        places = [await self._ref(LOCATIONS, one) for one in _list(document, "Locations")]
        if not places:
            raise BadRequestDataError("HistoricalLocation: Locations are missing")
        await self._move(thing, [one.id for one in places], at)
        return moment_id(thing.id, fixed_us(at))

    # ── change and delete ─────────────────────────────────────────────────────────────────────

    async def update(self, row: Row, given: Any, *, whole: bool = False) -> None:
        """Change an entity's properties and links; `whole` takes away what isn't given."""
        document = _object(row.kind, given)
        if row.kind is OBSERVATIONS:
            await self._correct(row, document)
            return
        if row.kind is HISTORICAL_LOCATIONS:
            raise ConflictError("a HistoricalLocation isn't changed; delete it, create another")
        if whole:
            check_required(row.kind, document)
        attributes = attributes_of(row.kind, document)
        for name in row.kind.navigations:
            term = LINKS.get((row.kind.plural, name))
            if term is None or document.get(name) is None or name == "Locations":
                continue
            target = get_kind(row.kind.navigations[name].kind)
            linked = await self._ref(target, document[name])
            attributes[term] = {"type": "Relationship", "object": linked.id}
        if row.kind is THINGS and document.get("Locations"):
            places = [await self._ref(LOCATIONS, one) for one in _list(document, "Locations")]
            await self._move(row.entity, [one.id for one in places])
        if whole:
            absent = {iri(term) for term in _OWN if term not in attributes} & set(row.entity.attrs)
            if absent:
                self.operations.append(KeepAttributes(row.entity.id, drop=frozenset(absent)))
        if attributes:
            self._append(row.entity.id, attributes)

    async def _correct(self, row: Row, document: dict[str, Any]) -> None:
        """Correct an observation: the old instance is superseded, its time may change."""
        merged = {**properties_of(row), **document}
        if merged.get("resultTime") is None:
            merged.pop("resultTime", None)
        at = row.id
        made = await self._observe(
            {name: value for name, value in merged.items() if name != "Datastream"},
            Row(DATASTREAMS, row.entity),
        )
        if made != at:
            self._take_away(row)

    def _append(self, entity_id: str, attributes: dict[str, Any]) -> None:
        self.operations.append(AppendAttributes(entity_id, _fragment(attributes)))

    def _take_away(self, row: Row) -> None:
        assert row.instance is not None  # noqa: S101 - says it to the type checker
        one = row.instance
        self.operations.append(DeleteInstance(row.entity.id, one.attribute, one.number))

    async def delete(self, row: Row) -> None:
        """Delete an entity, with what can't be without it (18-088, 8.2): its history stays."""
        if row.instance is not None:
            self._take_away(row)
            return
        self.operations.append(DeleteEntity(row.entity.id))
        if "Datastreams" in row.kind.navigations:
            found = await self.reader.linked(row, "Datastreams", Options(top=OPERATIONS_MAX))
            if found.more:
                raise TooLargeError(f"{row.id} has more Datastreams than are deleted at once")
            self.operations += [DeleteEntity(one.entity.id) for one in found.rows]


YIELD_EVERY: Final = 500
"""After so many observations of one request, others get their turn."""

_OWN: Final = (
    "description",
    "details",
    "definition",
    "documentation",
    "encodedFeature",
)
"""Attributes that are taken away when an entity is put anew without them."""


def _object(kind: Kind, given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise BadRequestDataError(f"{kind.singular}: {given!r:.100} is not an object")
    return given


def _list(document: dict[str, Any], name: str) -> list[Any]:
    given = document.get(name)
    if given is None:
        return []
    return given if isinstance(given, list) else [given]


def _fragment(attributes: dict[str, Any]) -> Any:
    return parse_fragment(attributes, platform_terms(), nulls=False)

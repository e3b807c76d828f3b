"""A region whose cities are files of one process, and one node that holds what all of them hold."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conurb.access.caller import LOCAL, Caller
from conurb.app import build_host
from conurb.config import Settings
from conurb.federation.completeness import FederatedAnswer, FederatedEvolutionPage
from conurb.federation.region import reach_of, registrations_of
from conurb.model.entity import Entity
from conurb.model.operations.entity import UpsertEntity
from conurb.model.operations.temporal import AppendEvolution
from conurb.model.parse import TemporalFragment
from conurb.model.query.tree import Query, Selector, TemporalQuery, TypeIs
from conurb.model.registration import FEDERATION_OPS, THIS_PROCESS, Registration
from conurb.model.time import fixed
from conurb.model.vocabulary import platform_terms
from conurb.node.host import Host
from conurb.node.node import Node

_expand = platform_terms().expand
SPOT, BUS, STATION = (_expand(n) for n in ("ParkingSpot", "Vehicle", "AirQualityObserved"))
PRICE, NAME, PLACE, NO2 = (_expand(name) for name in ("price", "name", "location", "no2"))
HISTORY = FEDERATION_OPS | {"retrieveTemporal", "queryTemporal"}
CITIES = ("shanghai", "suzhou", "wuxi")


@dataclass
class Files:
    """The region, its cities by name, and the one node."""

    region: Node
    cities: dict[str, Node]
    one: Node
    hosts: list[Host] = field(default_factory=list)

    async def put(self, city: str, *entities: Entity) -> None:
        """Write objects to a city, and to the one node."""
        for node in (self.cities[city], self.one):
            await node.store.apply_all([UpsertEntity(entity) for entity in entities])

    async def append(self, city: str, entity_id: str, *values: dict[str, Any]) -> None:
        """Add values of NO2 to a station's history, in a city and in the one node."""
        fragment = TemporalFragment({NO2: list(values)}, entity_id, (STATION,))
        for node in (self.cities[city], self.one):
            await node.store.apply_all([AppendEvolution(entity_id, fragment)])

    async def query(self, query: Query, caller: Caller = LOCAL, **more: Any) -> FederatedAnswer:
        """Ask the region."""
        answer = await self.region.consume.query(caller, query, **more)
        assert isinstance(answer, FederatedAnswer)
        return answer

    async def history(self, query: TemporalQuery) -> FederatedEvolutionPage:
        """Ask the region for history."""
        page = await self.region.temporal.query(LOCAL, query)
        assert isinstance(page, FederatedEvolutionPage)
        return page

    async def register(self, city: str, **changes: Any) -> None:
        """Register a city with the region, anew."""
        registration = Registration(
            **{
                "id": f"urn:x:registration:{city}",
                "endpoint": THIS_PROCESS,
                "alias": city,
                "tenant": city,
                "operations": HISTORY,
                **changes,
            }
        )
        await registrations_of(self.region).put(registration)

    async def measured(self) -> None:
        """Wait until what is being measured has been."""
        surveys = reach_of(self.region).surveys
        await surveys.settled()


@asynccontextmanager
async def files(folder: Path, cities: Sequence[str] = CITIES) -> AsyncIterator[Files]:
    """Open a region of cities that are registered for everything."""
    hosts = [
        build_host(Settings(store=str(folder / f"{name}.db"), node_id=name))
        for name in ("region", "one")
    ]
    for host in hosts:
        await host.open()
    nodes = {name: await hosts[0].node(name, create=True) for name in cities}
    world = Files(await hosts[0].node(), nodes, await hosts[1].node(), hosts)
    for name in cities:
        await world.register(name)
    try:
        yield world
    finally:
        for host in hosts:
            await host.close()


def spot(city: str, number: int, price: float | None = None, **more: Any) -> Entity:
    """Make a parking spot of a city."""
    attrs: dict[str, list[dict[str, Any]]] = {
        NAME: [{"type": "Property", "value": f"{city} {number}"}],
        **more.pop("attrs", {}),
    }
    if price is not None:
        attrs[PRICE] = [{"type": "Property", "value": price}]
    return Entity(f"urn:ngsi-ld:ParkingSpot:{city}:{number:03d}", (SPOT,), attrs, **more)


def placed(entity: Entity, x: float, y: float, *, observed_us: int | None = None) -> Entity:
    """Give an entity a place."""
    at: dict[str, Any] = {
        "type": "GeoProperty",
        "value": {"type": "Point", "coordinates": [x, y]},
    }
    if observed_us is not None:
        at["observedAt"] = fixed(observed_us)
    return entity.with_attrs({**entity.attrs, PLACE: [at]})


def of(type_: str, **more: Any) -> Query:
    """Ask for objects of a type."""
    return Query(selectors=(Selector(types=TypeIs(type_)),), **more)


def ids(entities: Iterable[Any]) -> list[str]:
    """Give the ids."""
    return [one.id for one in entities]

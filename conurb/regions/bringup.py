"""Bring a region up in one process: a node per city, the region's own, and the pack in them.

Each city is a tenant named by the city's id; the default tenant is the region, which knows the
cities by registrations. What is there already isn't written again: a pack that is the same as at
the last start costs one look-up.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conurb.federation.region import registrations_of
from conurb.model.changes import Operation
from conurb.model.registration import FEDERATION_OPS, THIS_PROCESS, Registration
from conurb.node.host import Host
from conurb.node.node import Node
from conurb.regions.figures import Figure
from conurb.regions.layers import KIND as PORTRAYAL
from conurb.regions.layers import portrayal_of
from conurb.regions.objects import (
    Expand,
    city_object,
    figure_history,
    region_object,
)
from conurb.regions.pack import City, Pack
from conurb.regions.statement import StateObject
from conurb.store.contract import Document

KIND: Final = "region-pack"
FORM: Final = 2
"""Number of the form in which `conurb.regions.objects` says a pack; another one says it anew."""

LOADING_MAX: Final = 4
"""How many cities are loaded at a time."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What loading did: how many cities there are, and how many of them were written to."""

    cities: int
    written: int


async def load(
    host: Host,
    pack: Pack,
    expand: Expand,
    *,
    again: bool = False,
    done: Callable[[City], None] = lambda city: None,
) -> Loaded:
    """Put a pack into the nodes of an open host, and register the cities with the region.

    Nothing is done when the pack is the one loaded last, unless `again`. `done` is called after
    each city. Raises UnavailableError when a node doesn't open or write.
    """
    region = await host.node(None)
    portrayal = Document(PORTRAYAL, pack.definition.id, portrayal_of(pack))
    await region.store.put_document(portrayal)
    body = {"digest": pack.digest(), "form": FORM}
    known = await region.store.find_document(KIND, pack.definition.id)
    if known is not None and dict(known.body) == body and not again:
        return Loaded(len(pack.cities), 0)
    figures: defaultdict[str, list[Figure]] = defaultdict(list)
    for figure in pack.iter_figures():
        figures[figure.city].append(figure)
    gate = asyncio.Semaphore(LOADING_MAX)

    async def load_city(city: City) -> bool:
        async with gate:
            node = await host.node(city.id, create=True)
            history = figure_history(figures[city.id], pack.definition.timezone, expand)
            written = await _state(node, StateObject(city_object(pack, city, expand), history))
            done(city)
            return written

    written = await _all([load_city(city) for city in pack.cities])
    await _state(region, StateObject(region_object(pack, expand)))
    registrations = registrations_of(region)
    for city in pack.cities:
        await registrations.put(registration_of(pack.definition.id, city.id))
    await region.store.put_document(Document(KIND, pack.definition.id, body))
    return Loaded(len(pack.cities), sum(written))


def registration_of(region: str, city: str) -> Registration:
    """Give the registration of a city that lives in the region's own process."""
    return Registration(
        id=f"urn:ngsi-ld:ContextSourceRegistration:{region}:{city}",
        endpoint=THIS_PROCESS,
        alias=city,
        tenant=city,
        operations=FEDERATION_OPS | {"retrieveTemporal", "queryTemporal"},
    )


async def _all(works: Sequence[Coroutine[Any, Any, bool]]) -> list[bool]:
    """Do all works at once and to the end; then raise the first error, if there was any."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if isinstance(result, bool)]


async def _state(node: Node, operation: Operation) -> bool:
    """Write a statement; whether there was anything to write."""
    [change] = await node.store.apply_all([operation])
    return change.kind is not None

"""Seek dead-end roads in the roads and cities that a site knows, and write down what was found."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from conurb.model.operations.entity import DeleteEntity
from conurb.regions.objects import city_id
from conurb.systems.contract import OWN, Site
from conurb.systems.transport.deadends.find import STANDARD, Rules, find_gaps
from conurb.systems.transport.deadends.objects import gap_object
from conurb.systems.transport.deadends.roads import Area, RoadLine
from conurb.systems.transport.deadends.score import Scored, score_gaps
from conurb.systems.transport.objects import Maker
from conurb.systems.transport.observing import Observe
from conurb.systems.transport.reading import Reader
from conurb.systems.transport.regional import areas_of, roads_of

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.regions.pack import Pack

SOURCE: Final = "Conurb: road lines and boundaries compared"
FEED: Final = "deadends"


async def seek(site: Site) -> Sequence[Operation]:
    """Give the operations that state the gaps found, and take away those that are closed."""
    reader = Reader(site, OWN)
    roads, areas = await roads_of(reader), await areas_of(reader)
    if not roads:
        return []
    found = await asyncio.to_thread(gaps_in, roads, areas)
    maker = Maker(site.owner, SOURCE, FEED)
    names = names_of(areas)
    objects = [gap_object(one, maker, names) for one in found]
    known = {one.id for one in await Reader(site, OWN, own=True).listed(("RoadGap",))}
    mine = {one for one in known if one.startswith(maker.urn("RoadGap", ""))}
    closed = sorted(mine - {one.id for one in objects})
    return [*(Observe(one) for one in objects), *(DeleteEntity(one) for one in closed)]


def gaps_in(
    roads: Sequence[RoadLine], areas: Sequence[Area], rules: Rules = STANDARD
) -> list[Scored]:
    """Find and score the gaps between areas."""
    return score_gaps(find_gaps(roads, areas, rules), roads, areas)


def names_of(areas: Sequence[Area]) -> Mapping[str, str]:
    """Give the names of areas by id."""
    return {one.id: one.name for one in areas}


def areas_of_pack(pack: Pack) -> list[Area]:
    """Give the cities of a pack as areas, with their latest population."""
    figures = sorted(pack.iter_figures(), key=lambda one: one.year)
    people = {one.city: one.value for one in figures if one.column.attribute == "population"}
    return [
        Area(city_id(one.id), one.name["en"], one.boundary, people.get(one.id))
        for one in pack.cities
    ]

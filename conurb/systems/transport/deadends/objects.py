"""Gaps as objects: `RoadGap`, drawn from one end to the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conurb.model.entity import Entity
from conurb.systems.transport.deadends.score import CATCHMENT_M, Scored
from conurb.systems.transport.objects import Maker, geometry, links, some, text

PEOPLE_NOTE: Final = (
    f"people within {CATCHMENT_M / 1000:g} km, as if a city's population lived evenly over it"
)
NO_WAY_NOTE: Final = "no way round in the road data"


def gap_object(scored: Scored, maker: Maker, names: Mapping[str, str]) -> Entity:
    """Make the object of a gap; `names` are those of the areas by id."""
    gap = scored.gap
    ends = [list(gap.a.place), list(gap.b.place)]
    cities = [area for area in (gap.a.area, gap.b.area) if area is not None]
    notes = [PEOPLE_NOTE] + ([NO_WAY_NOTE] if scored.detour_m is None else [])
    return maker.make(
        "RoadGap",
        gap.key,
        {
            "name": text(title_of(scored, names)),
            "location": geometry({"type": "LineString", "coordinates": ends}),
            "gapLength": some(round(gap.length_m, 1), unit="MTR"),
            "detourLength": some(
                None if scored.detour_m is None else round(scored.detour_m), unit="MTR"
            ),
            "peopleServed": some(scored.people, unit="C62"),
            "gapScore": some(scored.score),
            "connects": links(cities),
            "endsOf": some([gap.a.road.id, gap.b.road.id]),
            "roadClass": some(gap.a.road.road_class),
            "note": text("; ".join(notes)),
        },
    )


def title_of(scored: Scored, names: Mapping[str, str]) -> str:
    """Name a gap by its road and the areas that it lies between."""
    gap = scored.gap
    road = gap.a.road.name or gap.a.road.ref or gap.b.road.name or gap.b.road.ref or gap.a.road.id
    sides = [names.get(one, one) if one else "—" for one in (gap.a.area, gap.b.area)]
    return f"{road}: {' | '.join(sides)}"


def row_of(scored: Scored, names: Mapping[str, str]) -> dict[str, Any]:
    """Give a gap as one row of a table."""
    gap = scored.gap
    lon, lat = gap.middle
    return {
        "name": title_of(scored, names),
        "gap_m": round(gap.length_m),
        "detour_m": None if scored.detour_m is None else round(scored.detour_m),
        "people": scored.people,
        "score": scored.score,
        "lon": round(lon, 5),
        "lat": round(lat, 5),
        "cities": [one for one in (gap.a.area, gap.b.area) if one is not None],
        "roads": [gap.a.road.id, gap.b.road.id],
    }

"""Many points at once, without a look at their objects: what a tile of a low level is made of.

The R*Tree keeps what it says besides the boxes in its shadow table `geo_rowid` (rowid, node, then
the auxiliary columns in order: a0 eid, a1 attr, a2 x, a3 y, a4 wkb). A scan of that costs 0.04 us
per point, a look-up through the R*Tree 1 us, and an object's row as much again. Which objects are
meant is then said by the set of those that aren't, which is small where there are many points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from conurb.model.query.tree import Selector, TypeIs
from conurb.store.sqlite.schema import GEO_PER_ENTITY_MAX

if TYPE_CHECKING:
    from conurb.model.tiles.ask import TileAsk
    from conurb.store.sqlite.sources import Reach

OTHERS_MAX: Final = 5_000
"""Objects of other types that are told apart one by one."""

BROAD: Final = 16
"""From one point in so many on the tile, a scan of all is cheaper than a look-up of each."""


def has_shapes(reach: Reach, term: int) -> bool:
    """Whether an attribute has any lines or areas."""
    found = reach.connection.execute(
        "SELECT 1 FROM geo_rowid WHERE a1 = ? AND a4 IS NOT NULL LIMIT 1", (term,)
    ).get
    return found is not None


def crowd(reach: Reach, ask: TileAsk, term: int) -> str | None:
    """Give the points on a tile as eid, lon and lat; None when objects have to be looked at.

    That is so for anything but a type that the caller may see, and for objects of several types.
    """
    wanted = _type_asked(reach, ask)
    if wanted is None or _has_several(reach):
        return None
    add = reach.parameters.add
    west, south, east, north = (add(one) for one in ask.square.bounds())
    others = _others(reach, wanted)
    now = add(reach.now_us)
    told = (
        f"IN (SELECT eid FROM entity WHERE type = {wanted})"
        if others is None
        else f"NOT IN (SELECT eid FROM entity WHERE type IN ({others}))"
    )
    gone = f"SELECT eid FROM entity WHERE due <= {now} AND expires <= {now}"
    if _is_broad(reach, ask):
        source, eid, x, y, gid, attr = "geo_rowid g", "g.a0", "g.a2", "g.a3", "g.rowid", "g.a1"
        before = "SELECT 1 FROM geo_rowid p WHERE p.rowid = g.rowid - 1 AND p.a1 = g.a1"
        box = ""
    else:
        source, eid, x, y, gid, attr = "geo g", "g.eid", "g.x", "g.y", "g.gid", "g.attr"
        before = "SELECT 1 FROM geo p WHERE p.gid = g.gid - 1 AND p.attr = g.attr"
        box = (
            f"g.east >= {west} AND g.west <= {east} AND g.north >= {south} "
            f"AND g.south <= {north} AND "
        )
    return (
        f"SELECT {eid} AS eid, {x} AS lon, {y} AS lat FROM {source} WHERE {box}{attr} = {term} "
        f"AND {x} >= {west} AND {x} < {east} AND {y} > {south} AND {y} <= {north} "
        f"AND ({gid} % {GEO_PER_ENTITY_MAX} = 0 OR NOT EXISTS ({before})) "
        f"AND {eid} {told} AND {eid} NOT IN ({gone})"
    )


def _type_asked(reach: Reach, ask: TileAsk) -> int | None:
    """Give the one type that is asked for; None when more is asked."""
    query = ask.query
    more = query.attributes or query.datasets or query.condition or query.geo or query.scope
    restriction = query.restriction
    if more or restriction.scopes is not None or len(query.selectors) != 1:
        return None
    selector = query.selectors[0]
    if not isinstance(selector.types, TypeIs) or selector != Selector(types=selector.types):
        return None
    if restriction.types is not None and selector.types.iri not in restriction.types:
        return None
    return reach.term(selector.types.iri)


def _has_several(reach: Reach) -> bool:
    return reach.connection.execute("SELECT 1 FROM multitype LIMIT 1").get is not None


def _others(reach: Reach, wanted: int) -> str | None:
    """List the other types, as SQL; None when their objects are too many to be told apart."""
    types = [
        int(one)
        for (one,) in reach.connection.execute(
            "WITH RECURSIVE kind (t) AS (SELECT min(type) FROM entity WHERE type IS NOT NULL "
            "UNION ALL SELECT (SELECT min(type) FROM entity WHERE type > kind.t) FROM kind "
            "WHERE kind.t IS NOT NULL) SELECT t FROM kind WHERE t IS NOT NULL AND t <> ?",
            (wanted,),
        )
    ]
    listed = ", ".join(map(str, types))
    found = reach.connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM entity WHERE type IN ({listed}) "
        f"LIMIT {OTHERS_MAX + 1})"
    ).get
    return listed if found <= OTHERS_MAX else None


def _is_broad(reach: Reach, ask: TileAsk) -> bool:
    west, south, east, north = ask.square.bounds()
    on_tile = reach.connection.execute(
        "SELECT count(*) FROM geo WHERE east >= ? AND west <= ? AND north >= ? AND south <= ?",
        (west, east, south, north),
    ).get
    every = reach.connection.execute("SELECT count(*) FROM geo_rowid").get
    return bool(on_tile * BROAD >= every)

"""Read what answers are ordered by (ETSI GS CIM 009 v1.9.1, clauses 4.23 and 5.2.43).

The clause wants text in the root order of ICU unless told otherwise, and allows that the order
depends on the configuration of an implementation. Here text goes by code point, which an index
serves, unless a `collation` is given: then by base letters first (`ranking.collation_key`),
whichever language it names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.model.query.geo import parse_geometry
from conurb.model.query.q import parse_path
from conurb.model.query.tree import Linked, OrderBy

if TYPE_CHECKING:
    from conurb.model.context import Terms

ORDER_MAX: Final = 10
"""Members that one answer is ordered by."""

_DIRECTIONS: Final = ("asc", "desc", "dist-asc", "dist-desc")
_COLLATION: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,20}")


def parse_order(
    members: str | Sequence[str],
    terms: Terms,
    *,
    order_from: Any = None,
    order_geometry: Any = None,
    collation: Any = None,
) -> tuple[OrderBy, ...]:
    """Read `name;desc,location;dist-asc` (or the list of its parts).

    `order_from` are the coordinates (JSON text or array) that distances are taken from, of an
    `order_geometry` (default: Point). Raises BadRequestDataError naming the parameter,
    TooComplexQueryError over the bounds.
    """
    parts = members.split(",") if isinstance(members, str) else list(members)
    if not parts or len(parts) > ORDER_MAX:
        raise TooComplexQueryError(f"orderBy: {len(parts)} members; 1 to {ORDER_MAX} are taken")
    wkt = _reference(order_from, order_geometry)
    collated = collation is not None
    if collated and (not isinstance(collation, str) or _COLLATION.fullmatch(collation) is None):
        raise BadRequestDataError(
            f"collation: {collation!r:.60} is not a language tag such as und or de-u-co-phonebk"
        )
    return tuple(_member(part, terms, wkt, collated) for part in parts)


def _member(part: str, terms: Terms, wkt: str | None, collated: bool) -> OrderBy:
    text, _, direction = part.partition(";")
    direction = direction or "asc"
    if direction not in _DIRECTIONS or part.endswith(";"):
        raise BadRequestDataError(f"orderBy: {part!r:.100}: expected ;{', ;'.join(_DIRECTIONS)}")
    path = parse_path(text, terms, name="orderBy")
    if any(isinstance(step, Linked) for step in path.steps):
        raise BadRequestDataError(
            f"orderBy: {part!r:.100} goes to a linked entity; that isn't taken"
        )
    descending = direction.endswith("desc")
    if not direction.startswith("dist"):
        return OrderBy(path, descending, collated=collated)
    if wkt is None:
        raise BadRequestDataError(
            f"orderBy: {part!r:.100} needs orderFrom, the coordinates to measure distance from"
        )
    return OrderBy(path, descending, distance_from_wkt=wkt)


def _reference(order_from: Any, order_geometry: Any) -> str | None:
    if order_geometry is not None and not isinstance(order_geometry, str):
        raise BadRequestDataError(f"orderGeometry: {order_geometry!r:.60} is not a text")
    if order_from is None:
        return None
    kind = order_geometry or "Point"
    return parse_geometry(kind, order_from, names=("orderGeometry", "orderFrom"))

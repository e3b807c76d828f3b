"""What a request to a collection asks: from parameters to the query tree, the time and the view."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from conurb.errors import BadRequestDataError
from conurb.http.params import LOCAL, STRICT, Param, Q, described
from conurb.model.crs import CRS84, read_crs, restored_box
from conurb.model.geometry import to_wkt
from conurb.model.query.cql2 import Named, compile_filter, parse_text
from conurb.model.query.q import parse_q
from conurb.model.query.tree import (
    And,
    GeoCondition,
    Query,
    Selector,
    TypeIs,
    conjunction,
    link_depth,
)
from conurb.model.render.flat import ANY_LANGUAGE, FlatView, flat_attribute
from conurb.model.render.language import parse_lang
from conurb.model.time import US_PER_S, parse_us
from conurb.model.vocabulary import platform_terms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conurb.http.params import Params
    from conurb.model.context import Terms
    from conurb.model.query.tree import Condition

OPEN_ENDS: Final = ("", "..")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAY_US: Final = 86_400 * US_PER_S

BBOX: Final = Param("bbox", "West, south, east, north (or with heights); by bbox-crs.", "list")
DATETIME: Final = Param(
    "datetime",
    "The state at a time: a date-time, a date (its last moment, UTC), or an interval (at its end).",
)
PROPERTIES: Final = Param(
    "properties", "Properties to give, by their keys; without it, all.", "list"
)
WITH: Final = Param(
    "with",
    "Of each property besides its value: unitCode, observedAt, sub-attributes; as KEY.MEMBER.",
    "list",
)
LANGUAGE: Final = Param("lang", "Preferred language of texts that there are in several.")
GEOMETRY: Final = Param(
    "geometry", "Key of the GeoProperty that is the geometry; without it, location."
)
CRS: Final = Param("crs", "Coordinate reference system of the answer; without it, CRS84.")
BBOX_CRS: Final = Param("bbox-crs", "Coordinate reference system of bbox; without it, CRS84.")
FILTER: Final = Param("filter", "Condition in CQL2 over the properties of an object.")
FILTER_LANG: Final = Param("filter-lang", "Form of the filter.", choices=("cql2-text", "cql2-json"))
FILTER_CRS: Final = Param("filter-crs", "Coordinate reference system of the filter's geometries.")
FILTERING: Final = (FILTER, FILTER_LANG, FILTER_CRS, described(Q, "Condition as q (4.9)."))
SELECTING: Final = (DATETIME, PROPERTIES, WITH, LANGUAGE, GEOMETRY, LOCAL, STRICT)


@dataclass(frozen=True, slots=True)
class Shown:
    """The geometry that is shown: its attribute's IRI, and the datasetId of the instance."""

    attribute: str
    dataset: str | None


def terms() -> Terms:
    """Give the terms of every name in the OGC APIs: the platform's own."""
    return platform_terms()


def read_shown(params: Params) -> Shown:
    """Read which GeoProperty is the geometry."""
    return Shown(*flat_attribute(params.text("geometry") or "location", terms()))


def read_view(params: Params, shown: Shown) -> FlatView:
    """Read which properties are given, in which language."""
    names = params.items("properties")
    lang = params.text("lang") or ANY_LANGUAGE
    parse_lang(lang)
    return FlatView(
        names=frozenset(names) if names else None,
        members=params.items("with"),
        lang=lang,
        geometry=shown.attribute,
    )


def read_query(collection: str, params: Params, shown: Shown) -> Query:
    """Read what selects the objects of a collection: its type, bbox and filter."""
    bbox = params.items("bbox")
    geo = None
    if bbox:
        crs = read_crs(params.text("bbox-crs") or CRS84, name="bbox-crs")
        box = restored_box(read_box(bbox), crs)
        geo = GeoCondition(shown.attribute, "intersects", box_wkt(box))
    condition = conjunction(read_filter(params, shown), read_q(params))
    if geo is None:
        geo, condition = lifted(condition)
    return Query(
        selectors=(Selector(types=TypeIs(terms().expand(collection))),),
        geo=geo,
        condition=condition,
    )


def read_filter(params: Params, shown: Shown) -> Condition | None:
    """Read the filter; None without one."""
    text = params.text("filter")
    for name in ("filter-lang", "filter-crs"):
        if text is None and name in params:
            raise BadRequestDataError(f"{name}: goes with filter, which is missing")
    if text is None:
        return None
    crs = read_crs(params.text("filter-crs") or CRS84, name="filter-crs")
    if params.text("filter-lang") == "cql2-json":
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise BadRequestDataError(f"filter: not JSON: {error}") from error
    else:
        document = parse_text(text)
    return compile_filter(document, Named(terms(), shown.attribute, crs))


def read_q(params: Params) -> Condition | None:
    """Read a condition in the language of clause 4.9, without steps to other objects."""
    text = params.text("q")
    if text is None:
        return None
    condition = parse_q(text, terms())
    if link_depth(condition):
        raise BadRequestDataError("q: follows no links here; the NGSI-LD API does")
    return condition


def lifted(condition: Condition | None) -> tuple[GeoCondition | None, Condition | None]:
    """Take one geoquery that has to hold out of a condition: by it an index is used first."""
    if isinstance(condition, GeoCondition):
        return condition, None
    if isinstance(condition, And):
        for number, item in enumerate(condition.items):
            if isinstance(item, GeoCondition):
                rest = (*condition.items[:number], *condition.items[number + 1 :])
                return item, conjunction(*rest)
    return None, condition


def read_at(params: Params) -> int | None:
    """Read the time whose state is asked for, in microseconds; None for now.

    An interval asks for the state at its end; one that is open there for the state of now.
    """
    text = params.text("datetime")
    if text is None:
        return None
    ends = text.split("/")
    if len(ends) > 2 or (len(ends) == 1 and text in OPEN_ENDS):
        raise BadRequestDataError(f"datetime: {text!r:.80} is neither a time nor an interval")
    if len(ends) == 2:
        begin, end = (None if one in OPEN_ENDS else _moment(one) for one in ends)
        if begin is not None and end is not None and begin > end:
            raise BadRequestDataError(f"datetime: {text!r:.80} ends before it begins")
        return end
    return _moment(ends[0])


def _moment(text: str) -> int:
    if _DATE.fullmatch(text):
        return parse_us(f"{text}T00:00:00Z", name="datetime") + _DAY_US - 1
    return parse_us(text, name="datetime")


def box_wkt(box: tuple[float, float, float, float]) -> str:
    """Write a box of degrees as WKT; one whose west is east of its east crosses the antimeridian.

    Raises BadRequestDataError when it isn't in order.
    """
    west, south, east, north = box
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise BadRequestDataError(f"bbox: {box} is not west, south, east, north in degrees")
    if west <= east:
        return to_wkt({"type": "Polygon", "coordinates": [_ring(west, south, east, north)]})
    parts = [[_ring(west, south, 180.0, north)], [_ring(-180.0, south, east, north)]]
    return to_wkt({"type": "MultiPolygon", "coordinates": parts})


def read_box(items: Sequence[str]) -> tuple[float, float, float, float]:
    """Read four numbers, or six of which the heights don't count."""
    try:
        numbers = [float(one) for one in items]
    except ValueError as error:
        raise BadRequestDataError(f"bbox: {','.join(items)!r:.100} are not numbers") from error
    if len(numbers) not in (4, 6) or not all(map(math.isfinite, numbers)):
        raise BadRequestDataError(f"bbox: {','.join(items)!r:.100} are not four or six numbers")
    if len(numbers) == 6:
        numbers = [*numbers[:2], *numbers[3:5]]
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _ring(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]

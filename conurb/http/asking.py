"""What a query asks for and how its answer is written: from parameters to `Query`, `View`, `Join`.

GET takes them from the query string, POST from a Query document (clause 5.2.23) turned into the same
parameters, so that both mean the same. Temporal queries and purges read their part with the same
functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.http.params import Params
from conurb.model.names import check_uri, is_uri
from conurb.model.query.geo import parse_geo
from conurb.model.query.order import parse_order
from conurb.model.query.pattern import portable
from conurb.model.query.q import parse_q
from conurb.model.query.scope import parse_scope
from conurb.model.query.tree import GeoCondition, OrderBy, Query, Selector, TypeSelection
from conurb.model.query.types import parse_types
from conurb.node.join import Join

if TYPE_CHECKING:
    from conurb.config import Settings
    from conurb.model.context import Terms

ANY_TYPE: Final = "*"
"""`type=*`: entities of any type, here (table 6.4.3.2-1)."""

DEFAULT_DATASET: Final = "@none"
LIST_MAX: Final = 10_000
"""Items of one list of a query."""


def read_types(params: Params, terms: Terms) -> TypeSelection | None:
    """Read `type`; None when it wasn't given or takes any type."""
    text = params.text("type")
    return None if text is None or text == ANY_TYPE else parse_types(text, terms)


def read_selectors(params: Params, terms: Terms) -> tuple[Selector, ...]:
    """Read which entities are meant: `id`, `idPattern`, `type`; nothing given is any entity."""
    ids = params.items("id")
    for one in ids:
        check_uri(one, name="id")
    pattern = params.text("idPattern")
    types = read_types(params, terms)
    if not ids and pattern is None and types is None:
        return ()
    return (Selector(ids, None if pattern is None else portable(pattern), types),)


def read_geo(params: Params, terms: Terms) -> GeoCondition | None:
    """Read the geoquery; georel, geometry and coordinates go together (clause 4.10)."""
    given = {name: params.values.get(name) for name in ("georel", "geometry", "coordinates")}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return None
    if missing:
        raise BadRequestDataError(
            f"{', '.join(missing)}: missing; georel, geometry and coordinates go together"
        )
    return parse_geo(
        georel=given["georel"],
        geometry=given["geometry"],
        coordinates=given["coordinates"],
        geoproperty=params.text("geoproperty"),
        terms=terms,
    )


def read_query(
    params: Params,
    terms: Terms,
    settings: Settings,
    *,
    selectors: tuple[Selector, ...] | None = None,
) -> Query:
    """Read everything that selects, orders and pages entities (clause 5.7.2).

    `selectors` are given by a Query document instead of `id`, `idPattern` and `type`. Raises
    BadRequestDataError when the query would take everything that there is without saying so, by
    `local=true` or a type, attributes, q or a geoquery.
    """
    q = params.text("q")
    condition = (
        None if q is None else parse_q(q, terms, expand_values=params.items("expandValues"))
    )
    scope = params.text("scopeQ")
    chosen = read_selectors(params, terms) if selectors is None else selectors
    geo = read_geo(params, terms)
    query = Query(
        selectors=chosen,
        attributes=tuple(map(terms.expand, params.items("attrs"))),
        datasets=read_datasets(params),
        condition=condition,
        geo=geo,
        scope=None if scope is None else parse_scope(scope),
        order=read_order(params, terms),
        limit=read_limit(params, settings),
        offset=read_offset(params, settings),
        count=params.flag("count") or params.option("count"),
    )
    if not says_enough(params, query):
        raise BadRequestDataError(
            "the query takes every entity: give a type, attrs, q or a geoquery, or local=true"
        )
    return query


def says_enough(params: Params, query: Query) -> bool:
    """Whether a query is narrow enough, or says that it means this node alone (clause 5.7.2).

    Ids and id patterns narrow it too, though the text doesn't name them.
    """
    return bool(
        query.selectors
        or query.attributes
        or query.condition
        or query.geo
        or params.flag("local")
        or params.text("type") == ANY_TYPE
        or params.items("pick")
    )


def read_datasets(params: Params) -> tuple[str, ...]:
    """Read `datasetId`: URIs, and `@none` for the default instance (clause 4.5.5)."""
    datasets = params.items("datasetId")
    for one in datasets:
        if one != DEFAULT_DATASET and not is_uri(one):
            raise BadRequestDataError(f"datasetId: {one!r} is neither a URI nor {DEFAULT_DATASET}")
    return datasets


def read_limit(params: Params, settings: Settings) -> int:
    """Read the size of the page; 0 goes with a count alone (6.3.10)."""
    limit = params.count("limit")
    if limit is None:
        return settings.page_default
    if limit == 0 and not (params.flag("count") or params.option("count")):
        raise BadRequestDataError("limit: 0 goes with count=true alone")
    if limit > settings.page_max:
        raise TooComplexQueryError(
            f"limit: {limit} is more than the {settings.page_max} that this node gives at once"
        )
    return limit


def read_offset(params: Params, settings: Settings) -> int:
    """Read how many entities are skipped."""
    offset = params.count("offset") or 0
    if offset > settings.offset_max:
        raise TooComplexQueryError(
            f"offset: {offset} is over {settings.offset_max}; narrow the query instead"
        )
    return offset


def read_order(params: Params, terms: Terms) -> tuple[OrderBy, ...]:
    """Read how entities are ordered (clause 4.23)."""
    items = params.items("orderBy")
    if not items:
        for name in ("orderFrom", "orderGeometry", "collation"):
            if name in params:
                raise BadRequestDataError(f"{name}: goes with orderBy, which is missing")
        return ()
    return parse_order(
        ",".join(items),
        terms,
        order_from=params.text("orderFrom"),
        order_geometry=params.text("orderGeometry"),
        collation=params.text("collation"),
    )


def read_join(params: Params) -> Join | None:
    """Read how linked entities are given (clause 4.5.23); None when they aren't."""
    form = params.text("join")
    if form is None or form == "@none":
        for name in ("joinLevel", "containedBy"):
            if name in params and form is None:
                raise BadRequestDataError(f"{name}: goes with join, which is missing")
        return None
    return Join(
        cast("Literal['flat', 'inline']", form),
        params.count("joinLevel") or 1,
        tuple(check_uri(one, name="containedBy") for one in params.items("containedBy")),
    )


# ── the Query document of a POST ──────────────────────────────────────────────────────────────

_TEXTS: Final = {"q", "scopeQ", "lang", "csf", "join", "collation"}
_LISTS: Final = {"attrs", "pick", "omit", "datasetId", "containedBy", "expandValues", "jsonKeys"}
_GEO: Final = {"georel", "geometry", "coordinates", "geoproperty"}
_ORDER: Final = {"orderBy", "orderFrom", "orderGeometry", "collation"}
_KNOWN: Final = (
    _TEXTS
    | _LISTS
    | {"@context", "type", "entities", "geoQ", "joinLevel", "ordering", "temporalQ", "entityMap"}
    | {"entityMapLifetime", "splitEntities", "geometryProperty", "local", "aggrParams"}
)


def query_params(document: Any, params: Params, terms: Terms) -> tuple[Params, tuple[Selector, ...]]:
    """Turn a Query document (clause 5.2.23) into parameters and selectors.

    `params` are those of the query string, which hold paging and representation. Raises
    BadRequestDataError naming the member that is wrong.
    """
    if not isinstance(document, dict):
        raise BadRequestDataError("the body must be a JSON object of type Query")
    if document.get("type") != "Query":
        raise BadRequestDataError(f"type: {document.get('type')!r} is not 'Query'")
    unknown = sorted(set(document) - _KNOWN)
    if unknown:
        raise BadRequestDataError(f"{unknown[0]}: a Query has no such member")
    values: dict[str, Any] = dict(params.values)
    for name in _TEXTS & document.keys():
        values[name] = _text(name, document[name])
    for name in _LISTS & document.keys():
        values[name] = _list(name, document[name])
    if "joinLevel" in document:
        level = document["joinLevel"]
        if not isinstance(level, int) or isinstance(level, bool) or level < 1:
            raise BadRequestDataError(f"joinLevel: {level!r} is not a positive whole number")
        values["joinLevel"] = level
    _read_nested(values, "geoQ", document.get("geoQ"), _GEO)
    _read_nested(values, "ordering", document.get("ordering"), _ORDER)
    return Params(values), _selectors(document.get("entities"), terms)


def _read_nested(
    values: dict[str, Any], name: str, document: Any, members: set[str]
) -> None:
    if document is None:
        return
    if not isinstance(document, dict) or set(document) - members - {"@context", "type"}:
        raise BadRequestDataError(f"{name}: must be an object with {', '.join(sorted(members))}")
    for member in members & document.keys():
        given = document[member]
        if member == "orderBy":
            values[member] = _list(member, given)
        elif member in {"coordinates", "orderFrom"} and isinstance(given, list):
            values[member] = given
        else:
            values[member] = _text(f"{name}.{member}", given)


def _selectors(entities: Any, terms: Terms) -> tuple[Selector, ...]:
    """Read the entity selectors of a Query (clause 5.2.33)."""
    if entities is None:
        return ()
    if not isinstance(entities, list) or not entities or len(entities) > LIST_MAX:
        raise BadRequestDataError("entities: must be a list of at least one entity selector")
    return tuple(_selector(item, terms) for item in entities)


def _selector(item: Any, terms: Terms) -> Selector:
    if not isinstance(item, Mapping) or set(item) - {"id", "idPattern", "type"}:
        raise BadRequestDataError(
            "entities: an entity selector is an object with type, and id or idPattern"
        )
    if "type" not in item:
        raise BadRequestDataError("entities: an entity selector needs a type")
    given = item.get("id", ())
    ids = _list("entities.id", given) if given != () else ()
    for one in ids:
        check_uri(one, name="entities.id")
    pattern = item.get("idPattern")
    types = _text("entities.type", item["type"])
    return Selector(
        ids,
        None if pattern is None else portable(_text("entities.idPattern", pattern)),
        None if types == ANY_TYPE else parse_types(types, terms),
    )


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise BadRequestDataError(f"{name}: {value!r:.100} is not a text")
    return value


def _list(name: str, value: Any) -> tuple[str, ...]:
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or len(items) > LIST_MAX:
        raise BadRequestDataError(f"{name}: must be a list of 1 to {LIST_MAX} texts")
    return tuple(_text(name, item) for item in items)

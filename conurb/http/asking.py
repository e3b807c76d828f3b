"""What a query asks for and how its answer is written: from parameters to `Query`, `View`, `Join`.

GET takes them from the query string, POST from a Query document (clause 5.2.23) turned into the
same parameters, so that both mean the same. Temporal queries and purges read their part with the
same functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.http.params import Params
from conurb.model.query.geo import parse_geo
from conurb.model.query.order import parse_order
from conurb.model.query.q import parse_q
from conurb.model.query.scope import parse_scope
from conurb.model.query.select import (
    parse_attrs,
    parse_datasets,
    parse_id_pattern,
    parse_ids,
    parse_projection,
)
from conurb.model.query.tree import (
    GeoCondition,
    OrderBy,
    Query,
    Selector,
    TypeSelection,
    attributes_of,
    link_depth,
)
from conurb.model.query.types import ANY_TYPE, parse_types
from conurb.node.join import Join

if TYPE_CHECKING:
    from conurb.config import Settings
    from conurb.model.context import Terms

LIST_MAX: Final = 10_000
"""Items of one list of a query."""


def read_types(params: Params, terms: Terms) -> TypeSelection | None:
    """Read `type`; None when it wasn't given or takes any type."""
    text = params.text("type")
    return None if text is None else parse_types(text, terms)


def read_selectors(params: Params, terms: Terms) -> tuple[Selector, ...]:
    """Read which entities are meant: `id`, `idPattern`, `type`; nothing given is any entity."""
    ids = parse_ids(params.items("id"))
    pattern = params.text("idPattern")
    types = read_types(params, terms)
    if not ids and pattern is None and types is None:
        return ()
    return (Selector(ids, None if pattern is None else parse_id_pattern(pattern), types),)


def read_attrs(params: Params, terms: Terms, name: str = "attrs") -> tuple[str, ...]:
    """Read a list of attribute names as IRIs; system names stay as they are."""
    items = params.items(name)
    return parse_attrs(items, terms, name=name) if items else ()


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


def check_depth(depth: int, join: Join | None, *, name: str) -> None:
    """Raise BadRequestDataError when linked entities are asked for deeper than the join goes."""
    level = 0 if join is None else join.level
    if depth > level:
        asked = "without join" if join is None else f"with joinLevel {level}"
        raise BadRequestDataError(f"{name}: follows {depth} links {asked} (too deep)")


def read_query(
    params: Params,
    terms: Terms,
    settings: Settings,
    *,
    selectors: tuple[Selector, ...] | None = None,
) -> Query:
    """Read everything that selects, orders and pages entities (clause 5.7.2).

    `selectors` are given by a Query document instead of `id`, `idPattern` and `type`. Raises
    BadRequestDataError when the query is too wide, TooComplexQueryError over the bounds.
    """
    q = params.text("q")
    condition = None if q is None else parse_q(q, terms, expand_values=params.items("expandValues"))
    csf = params.text("csf")
    check_depth(link_depth(condition), read_join(params), name="q")
    scope = params.text("scopeQ")
    query = Query(
        selectors=read_selectors(params, terms) if selectors is None else selectors,
        attributes=read_attrs(params, terms) or picked_attributes(params, terms),
        datasets=parse_datasets(params.items("datasetId")),
        condition=condition,
        geo=read_geo(params, terms),
        scope=None if scope is None else parse_scope(scope),
        order=read_order(params, terms),
        limit=read_limit(params, settings),
        offset=read_offset(params, settings),
        count=params.flag("count") or params.option("count"),
        sources=None if csf is None else parse_q(csf, terms),
        split=params.flag("splitEntities"),
    )
    _check_width(params, query, read_attrs(params, terms))
    return query


def picked_attributes(params: Params, terms: Terms) -> tuple[str, ...]:
    """Give the attributes of which an entity needs one, so that `pick` leaves something of it.

    None when members that every entity has are picked too. So that counts and pages are those of
    what is given (clause 5.7.2.4).
    """
    pick = params.items("pick")
    if not pick:
        return ()
    names = tuple(one.name for one in parse_projection(pick, terms, name="pick"))
    return names if all(is_own(name) for name in names) else ()


def _check_width(params: Params, query: Query, attrs: tuple[str, ...]) -> None:
    """Raise BadRequestDataError for a query that takes everything without saying so (5.7.2.4).

    Ids alone don't narrow it, by the text; nor do names that every entity has.
    """
    any_type = params.text("type") == ANY_TYPE
    if any_type and "local" in params and not params.flag("local"):
        raise BadRequestDataError("type=* means this node alone; local=false contradicts it")
    narrow = (
        any(selector.types is not None for selector in query.selectors)
        or any(is_own(name) for name in attrs)
        or any(is_own(name) for name in attributes_of(query.condition))
        or query.geo is not None
        or params.flag("local")
        or any_type
    )
    if not narrow:
        raise BadRequestDataError(
            "too wide: give a type, attributes, q or a geoquery of theirs, or local=true"
        )


def is_own(name: str) -> bool:
    """Whether a name is that of an attribute, not one that every entity has."""
    return ":" in name


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
        order_from=params.values.get("orderFrom"),
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
        parse_ids(params.items("containedBy"), name="containedBy"),
    )


# ── the Query document of a POST ──────────────────────────────────────────────────────────────

_TEXTS: Final = {"q", "scopeQ", "lang", "csf", "join", "collation"}
_LISTS: Final = {"attrs", "pick", "omit", "datasetId", "containedBy", "expandValues", "jsonKeys"}
_GEO: Final = {"georel", "geometry", "coordinates", "geoproperty"}
_ORDER: Final = {"orderBy", "coordinates", "geometry", "collation"}
_ORDER_PARAMS: Final = {"coordinates": "orderFrom", "geometry": "orderGeometry"}
"""Members of OrderingParams (5.2.43) to the parameters of the query string that mean the same."""
_TEMPORAL: Final = {"temporalQ", "aggrParams"}
"""Members of a Query for a temporal query alone; who asks one reads them."""
_KNOWN: Final = (
    _TEXTS
    | _LISTS
    | {"@context", "type", "entities", "geoQ", "joinLevel", "ordering", "entityMap"}
    | {"entityMapLifetime", "splitEntities", "geometryProperty", "local"}
)


def query_params(
    document: Any, params: Params, terms: Terms, *, temporal: bool = False
) -> tuple[Params, tuple[Selector, ...]]:
    """Turn a Query document (clause 5.2.23) into parameters and selectors.

    `params` are those of the query string, which hold paging and representation. Raises
    BadRequestDataError naming the member that is wrong.
    """
    if not isinstance(document, dict):
        raise BadRequestDataError("the body must be a JSON object of type Query")
    if document.get("type") != "Query":
        raise BadRequestDataError(f"type: {document.get('type')!r} is not 'Query'")
    unknown = sorted(set(document) - _KNOWN - (_TEMPORAL if temporal else set()))
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
    for name, value in _nested("geoQ", document.get("geoQ"), _GEO).items():
        listed = name == "coordinates" and isinstance(value, list)
        values[name] = value if listed else _text(f"geoQ.{name}", value)
    for name, value in _nested("ordering", document.get("ordering"), _ORDER).items():
        values[_ORDER_PARAMS.get(name, name)] = _ordering(name, value)
    return Params(values), _selectors(document.get("entities"), terms)


def _nested(name: str, document: Any, members: set[str]) -> dict[str, Any]:
    """Give the members of an object inside of a Query; raise for what it doesn't know."""
    if document is None:
        return {}
    if not isinstance(document, dict) or set(document) - members - {"type"}:
        raise BadRequestDataError(f"{name}: must be an object with {', '.join(sorted(members))}")
    return {member: value for member, value in document.items() if member in members}


def _ordering(name: str, value: Any) -> Any:
    if name == "orderBy":
        return _list("ordering.orderBy", value)
    if name == "coordinates":
        if not isinstance(value, list):
            raise BadRequestDataError(f"ordering.coordinates: {value!r:.100} is not an array")
        return value
    return _text(f"ordering.{name}", value)


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
    # The id takes precedence over the pattern (5.2.33).
    given = item.get("id", ())
    ids = parse_ids(_list("entities.id", given), name="entities.id") if given != () else ()
    pattern = item.get("idPattern")
    types = _text("entities.type", item["type"])
    return Selector(
        ids,
        None if pattern is None or ids else parse_id_pattern(_text("entities.idPattern", pattern)),
        parse_types(types, terms),
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

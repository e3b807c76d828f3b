"""A query as a context source is asked it: the parameters of a URL, or a Query document.

The inverse of `conurb.http.asking`. `UnwritableError` says that a part can't be said.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from conurb.federation.wording import (
    UnwritableError,
    geo_params,
    order_params,
    window_params,
    write_q,
    write_scope,
    write_types,
)
from conurb.model.query.tree import (
    Aggregation,
    Query,
    Restriction,
    ScopeAll,
    ScopeAny,
    ScopeCondition,
    ScopeIs,
    Selector,
    TemporalQuery,
    TypeAll,
    TypeAny,
    TypeIs,
    TypeSelection,
)
from conurb.model.time import US_PER_S

if TYPE_CHECKING:
    from conurb.model.context import Terms

GEO: Final = ("georel", "geometry", "coordinates", "geoproperty")
ORDER: Final = ("orderBy", "orderFrom", "orderGeometry", "collation")
OF_QUERIES: Final = frozenset({"id", "type", "idPattern", "q", "scopeQ", *GEO, *ORDER} | {
    "limit", "offset", "count"})  # fmt: skip


def query_params(query: Query, terms: Terms) -> dict[str, str]:
    """Write a query as the parameters of a URL; raise UnwritableError when it can't be."""
    params: dict[str, str] = {}
    ids = dict.fromkeys(one for selector in query.selectors for one in selector.ids)
    if len(query.selectors) > 1 and not all(one.ids for one in query.selectors):
        ids = {}
    types = _any_of(query.selectors)
    if types is not None:
        params["type"] = write_types(types, terms)
    if ids:
        params["id"] = ",".join(ids)
    if len(query.selectors) == 1 and query.selectors[0].id_pattern is not None:
        params["idPattern"] = query.selectors[0].id_pattern
    if query.attributes:
        params["attrs"] = ",".join(map(terms.compact, query.attributes))
    if query.datasets:
        params["datasetId"] = ",".join(query.datasets)
    if query.condition is not None:
        params["q"] = write_q(query.condition, terms)
    if query.geo is not None:
        params |= geo_params(query.geo, terms)
    if query.scope is not None:
        params["scopeQ"] = write_scope(query.scope)
    if query.order:
        params |= order_params(query.order, terms)
    params["limit"] = str(query.limit)
    if query.offset:
        params["offset"] = str(query.offset)
    if query.count:
        params["count"] = "true"
    params["options"] = "sysAttrs"
    return params


def _any_of(selectors: Sequence[Selector]) -> TypeSelection | None:
    types = dict.fromkeys(one.types for one in selectors)
    known = tuple(one for one in types if one is not None)
    if not known or len(known) < len(types):
        return None
    return known[0] if len(known) == 1 else TypeAny(known)


def selected(selector: Selector, terms: Terms) -> list[dict[str, Any]]:
    """Write a selector as the EntitySelectors of a Query document (clause 5.2.33)."""
    item: dict[str, Any] = {}
    if selector.types is not None:
        item["type"] = write_types(selector.types, terms)
    if selector.id_pattern is not None:
        item["idPattern"] = selector.id_pattern
    return [{**item, "id": one} for one in selector.ids] or [item]


def conditions(query: Query, terms: Terms) -> dict[str, Any]:
    """Write a query's conditions as members of a subscription; none when they can't be said."""
    try:
        params = query_params(replace(query, selectors=(), attributes=(), order=()), terms)
    except UnwritableError:
        return {}
    document: dict[str, Any] = {name: params[name] for name in ("q", "scopeQ") if name in params}
    if "georel" in params:
        names = ("georel", "geometry", "coordinates", "geoproperty")
        document["geoQ"] = {name: params[name] for name in names if name in params}
        document["geoQ"]["coordinates"] = json.loads(params["coordinates"])
    return document


def restricted(query: Query, restriction: Restriction) -> Query:
    """Ask for no more than the caller may see."""
    if restriction == Restriction():
        return query
    if restriction.types is not None:
        allowed = TypeAny(tuple(map(TypeIs, restriction.types)))
        query = replace(
            query,
            selectors=tuple(
                replace(one, types=allowed if one.types is None else TypeAll((one.types, allowed)))
                for one in query.selectors or (Selector(),)
            ),
        )
    if restriction.scopes is not None:
        below: ScopeCondition = ScopeAny(
            tuple(ScopeIs(f"{scope.rstrip('/')}/#") for scope in restriction.scopes)
        )
        scope = below if query.scope is None else ScopeAll((query.scope, below))
        query = replace(query, scope=scope)
    return query


def ordering(params: dict[str, str]) -> dict[str, Any]:
    """Take the order out of parameters, as the member of a Query document (clause 5.2.43)."""
    given = {name: params.pop(name) for name in ORDER if name in params}
    document: dict[str, Any] = {}
    if "orderBy" in given:
        document["orderBy"] = given["orderBy"].split(",")
    if "orderFrom" in given:
        document["coordinates"] = json.loads(given["orderFrom"])
        document["geometry"] = given["orderGeometry"]
    if "collation" in given:
        document["collation"] = given["collation"]
    return document


def bared(query: Query) -> Query:
    """Leave only what can always be written: which entities, and which attributes."""
    return replace(query, condition=None, geo=None, scope=None, order=())


def temporal_params(query: TemporalQuery) -> dict[str, str]:
    """Write what a temporal query adds to a query."""
    params = window_params(query.window)
    if query.aggregation is None:
        # What has no time of its own is told apart by when it was stored.
        params["options"] = "sysAttrs"
    if query.last_n is not None:
        params["lastN"] = str(query.last_n)
    if query.aggregation is not None:
        params["format"] = "aggregatedValues"
        params["aggrMethods"] = ",".join(query.aggregation.methods)
        params["aggrPeriodDuration"] = _duration(query.aggregation)
    return params


def _duration(aggregation: Aggregation) -> str:
    months, us = aggregation.period_months, aggregation.period_us
    text = f"P{months}M" if months else "P"
    if us or not months:
        text += f"T{us / US_PER_S:.6f}".rstrip("0").rstrip(".") + "S"
    return text

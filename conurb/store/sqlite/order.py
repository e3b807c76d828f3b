"""The order of answers as SQL (match, point 9): the rank of a value's type, then the value."""

from __future__ import annotations

from conurb.model.query.ranking import BOOLEAN, LIST, NOTHING, NUMBER, OBJECT, TEXT, TIME
from conurb.model.query.targets import INSTANCE_TEXTS, INSTANCE_TIMES
from conurb.model.query.tree import OrderBy
from conurb.store.sqlite.geography import distance_expression
from conurb.store.sqlite.predicates import Predicates
from conurb.store.sqlite.sources import Parameters, Source, member

Term = tuple[str, str]
"""An expression, and ' DESC' or nothing."""

_OWN_TIMES = {"createdAt": "created", "modifiedAt": "modified", "expiresAt": "expires"}


def order_terms(source: Source, order: tuple[OrderBy, ...], predicates: Predicates) -> list[Term]:
    """Give what to sort by, before the id."""
    terms: list[Term] = []
    parameters = predicates.parameters
    for item in order:
        direction = " DESC" if item.descending else ""
        if item.distance_from_wkt is not None:
            distance = _distance(source, item, parameters)
            terms += [(f"({distance} IS NULL)", ""), (distance, direction)]
            continue
        rank, value = _ranked(source, item, parameters)
        terms.append((rank, ""))
        if item.collated:
            text = f"CASE WHEN typeof({value}) = 'text' THEN conurb_collation({value}) END"
            terms.append((text, direction))
        terms.append((value, direction))
    return terms


def _distance(source: Source, item: OrderBy, parameters: Parameters) -> str:
    step = item.path.steps[0]
    wkt = item.distance_from_wkt
    if len(item.path.steps) != 1 or not isinstance(step, str) or ":" not in step or wkt is None:
        return "NULL"
    body = source.first(step)
    if body is None:
        return "NULL"
    value = f"({body} -> '$.value')"
    is_point = f"{value} ->> '$.type' = 'Point'"
    x = f"(CASE WHEN {is_point} THEN {value} ->> '$.coordinates[0]' END)"
    y = f"(CASE WHEN {is_point} THEN {value} ->> '$.coordinates[1]' END)"
    distance = distance_expression(wkt, x, y, value, parameters)
    return f"(CASE WHEN {body} ->> '$.type' = 'GeoProperty' THEN {distance} END)"


def _ranked(source: Source, item: OrderBy, parameters: Parameters) -> tuple[str, str]:
    """Give the expressions of rank and value."""
    *before, last = item.path.steps
    members = item.path.members
    nothing = str(NOTHING), "NULL"
    if not isinstance(last, str) or not all(isinstance(s, str) and ":" in s for s in before):
        return nothing
    if ":" not in last and not before:
        return nothing if members else _ranked_own(source, last)
    attributes = [*before, last] if ":" in last else before
    body = source.first(str(attributes[0]))
    if body is None:
        return nothing
    for name in attributes[1:]:
        body = f"({member(body, str(name), parameters)} -> 0)"
    if ":" in last:
        return _ranked_json(_value(body, members, parameters))
    if members:
        return nothing
    if last in INSTANCE_TIMES:
        text = f"({body} ->> '$.{last}')"
        return f"(CASE WHEN {text} IS NULL THEN {NOTHING} ELSE {TIME} END)", text
    if last in INSTANCE_TEXTS:
        return _ranked_json(f"({body} -> '$.{last}')")
    return nothing


def _ranked_own(source: Source, name: str) -> tuple[str, str]:
    alias = source.alias
    if name == "id":
        return str(TEXT), f"{alias}.id"
    if name == "type":
        return str(LIST), "0"
    if name == "scope":
        has_any = f"coalesce(json_array_length({alias}.scope), 0) > 0"
        return f"(CASE WHEN {has_any} THEN {LIST} ELSE {NOTHING} END)", "0"
    column = _OWN_TIMES.get(name)
    if column is None:
        return str(NOTHING), "NULL"
    time = f"{alias}.{column}"
    return f"(CASE WHEN {time} IS NULL THEN {NOTHING} ELSE {TIME} END)", time


def _value(body: str, members: tuple[str, ...], parameters: Parameters) -> str:
    """Give the value of an instance, or the member of it, as JSON."""
    kinds = ("value", "vocab", "json", "valueList", "languageMap")
    links = () if members else ("object", "objectList")
    value = f"coalesce({', '.join(f'{body} -> {kind!r}' for kind in (*kinds, *links))})"
    for name in members:
        document = f"(CASE WHEN json_type({value}) = 'object' THEN {value} END)"
        value = member(document, name, parameters)
    return value


def _ranked_json(value: str) -> tuple[str, str]:
    """Rank a JSON value by its type; numbers, texts, booleans and typed times have an order."""
    typed = f"({value} -> '$.\"@value\"')"
    is_typed = f"json_type({typed}) = 'text'"
    rank = (
        f"(CASE json_type({value}) WHEN 'integer' THEN {NUMBER} WHEN 'real' THEN {NUMBER} "
        f"WHEN 'text' THEN {TEXT} WHEN 'array' THEN {LIST} WHEN 'true' THEN {BOOLEAN} "
        f"WHEN 'false' THEN {BOOLEAN} WHEN 'object' THEN CASE WHEN {is_typed} THEN {TIME} "
        f"ELSE {OBJECT} END ELSE {NOTHING} END)"
    )
    expression = (
        f"(CASE json_type({value}) WHEN 'array' THEN 0 WHEN 'object' THEN "
        f"CASE WHEN {is_typed} THEN {typed} ->> '$' ELSE 0 END ELSE {value} ->> '$' END)"
    )
    return rank, expression

"""What a temporal query asks for, and what its answer says of itself (5.7.4, 6.3.10, 6.3.12).

The temporal part of a query is read here; the rest is that of a query of entities. A POST brings it
in the members `temporalQ` and `aggrParams` of its document (clauses 5.2.21, 5.2.44).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from conurb.errors import BadRequestDataError
from conurb.http.asking import read_query
from conurb.http.params import Params
from conurb.model.evolution import HEAD, time_of
from conurb.model.query.select import parse_attrs
from conurb.model.query.temporal import parse_aggregation, parse_window
from conurb.model.query.tree import (
    AttributePath,
    Query,
    Selector,
    TemporalQuery,
    TimeWindow,
    link_depth,
)
from conurb.model.time import shown_us

if TYPE_CHECKING:
    from conurb.config import Settings
    from conurb.http.exchange import Header
    from conurb.model.context import Terms
    from conurb.model.render import TemporalForm
    from conurb.store.contract import EvolutionPage

FORMS: Final = ("normalized", "concise", "temporalValues", "aggregatedValues")
"""How history can be given: `simplified` is `temporalValues` there (6.3.12)."""

LAST_N_MAX: Final = 1_000_000

_TEMPORAL: Final = {"timerel", "timeAt", "endTimeAt", "timeproperty"}
_AGGREGATION: Final = {"aggrMethods", "aggrPeriodDuration"}
_ID: Final = AttributePath(("id",))


def read_form(params: Params) -> str:
    """Read the representation; `format` goes before `options` (6.3.12)."""
    form = params.text("format")
    given = [form] if form else [one for one in params.items("options") if one in FORMS]
    if len(given) > 1:
        raise BadRequestDataError(f"options: {given[0]} and {given[1]} can't go together")
    return given[0] if given else "normalized"


def temporal_form(form: str) -> TemporalForm:
    """Give the form of a representation; a concise one is normalized, with its own view."""
    return cast("TemporalForm", "normalized" if form == "concise" else form)


def read_window(params: Params) -> TimeWindow:
    """Read the temporal query (clause 4.11)."""
    return parse_window(
        timerel=params.text("timerel"),
        time_at=params.text("timeAt"),
        end_time_at=params.text("endTimeAt"),
        timeproperty=params.text("timeproperty"),
    )


def read_temporal_query(
    params: Params,
    terms: Terms,
    settings: Settings,
    *,
    selectors: tuple[Selector, ...] | None = None,
) -> TemporalQuery:
    """Read a query over history (clause 5.7.4).

    Raises BadRequestDataError without a temporal query, for linked entities, and for an order
    other than by id.
    """
    query = read_query(params, terms, settings, selectors=selectors)
    if "timerel" not in params:
        raise BadRequestDataError("timerel: it is missing; a query over history needs one")
    if link_depth(query.condition):
        raise BadRequestDataError("q: linked entities can't be asked of in history")
    for one in query.order:
        if one.path != _ID:
            raise BadRequestDataError("orderBy: history can be ordered by id alone")
    return with_time(query, params, terms, settings)


def with_time(query: Query, params: Params, terms: Terms, settings: Settings) -> TemporalQuery:
    """Add the temporal part of a request to a query."""
    aggregated = read_form(params) == "aggregatedValues"
    attributes = parse_attrs(params.items("attrs"), terms) if "attrs" in params else ()
    return TemporalQuery(
        query,
        read_window(params),
        attributes=tuple(name for name in attributes if ":" in name),
        last_n=params.count("lastN"),
        aggregation=(
            parse_aggregation(params.items("aggrMethods"), params.text("aggrPeriodDuration"))
            if aggregated
            else None
        ),
        instance_limit=settings.temporal_instances_max,
    )


def temporal_params(document: dict[str, Any], params: Params) -> Params:
    """Take `temporalQ` and `aggrParams` of a Query document into the parameters.

    Methods of aggregation ask for `aggregatedValues`. Raises BadRequestDataError naming the member
    that is wrong.
    """
    values = dict(params.values)
    window = document.get("temporalQ")
    if window is None:
        raise BadRequestDataError("temporalQ: it is missing; a query over history needs one")
    allowed = _TEMPORAL | _AGGREGATION | {"lastN"}
    for name, given in _members("temporalQ", window, allowed).items():
        values[name] = _value(f"temporalQ.{name}", name, given)
    aggregation = document.get("aggrParams")
    if aggregation is not None:
        for name, given in _members("aggrParams", aggregation, _AGGREGATION).items():
            values[name] = _value(f"aggrParams.{name}", name, given)
    if "aggrMethods" in values and "format" not in values:
        values["format"] = "aggregatedValues"
    return Params(values)


def _members(name: str, document: Any, allowed: set[str]) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise BadRequestDataError(f"{name}: must be an object")
    members = {key: value for key, value in document.items() if key not in ("type", "@context")}
    unknown = sorted(members.keys() - allowed)
    if unknown:
        raise BadRequestDataError(f"{name}: {unknown[0]!r} is none of {', '.join(sorted(allowed))}")
    return members


def _value(name: str, member: str, given: Any) -> Any:
    if member == "lastN":
        if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= LAST_N_MAX:
            raise BadRequestDataError(
                f"{name}: {given!r:.60} is not a whole number from 1 to {LAST_N_MAX}"
            )
        return given
    if member == "aggrMethods":
        items = given.split(",") if isinstance(given, str) else given
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise BadRequestDataError(f"{name}: {given!r:.60} is not a list of methods")
        return tuple(items)
    if not isinstance(given, str):
        raise BadRequestDataError(f"{name}: {given!r:.60} is not a text")
    return given


def range_headers(page: EvolutionPage, query: TemporalQuery) -> list[Header]:
    """Write the range of time that a truncated answer gives (6.3.10); nothing for a whole one.

    Forwards it is from the window's start (else the first instance given) to the last instance
    given; with lastN backwards, from the window's end (else the last instance) to the first.
    """
    window = query.window
    if page.truncated_at_us is None:
        return []
    times = [
        time
        for evolution in page.evolutions
        for attribute, instances in evolution.instances.items()
        if attribute != HEAD
        for one in instances
        if (time := time_of(one, window.timeproperty)) is not None
    ] or [page.truncated_at_us]
    if query.last_n is None:
        begins = window.at_us if window.relation in ("after", "between") else None
        start, end, size = min(times) if begins is None else begins, max(times), "*"
    else:
        ends = window.at_us if window.relation == "before" else window.end_us
        start, end, size = max(times) if ends is None else ends, min(times), str(query.last_n)
    value = f"date-time {shown_us(start)}-{shown_us(end)}/{size}"
    return [(b"content-range", value.encode())]

"""Aggregates per period, computed by PostgreSQL (clause 4.5.19).

The rules are point 12 of `conurb.model.query.match`. `history.num` is what a row counts as, so a
document is only read for texts and for different values.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from conurb.errors import TooComplexQueryError
from conurb.model.aggregates import shown_moment, shown_time_of_day
from conurb.model.evolution import Evolution
from conurb.model.query.tree import Aggregation, AggregationMethod
from conurb.model.time import BEGINNING
from conurb.store.postgres.names import Names
from conurb.store.postgres.sources import all_of
from conurb.store.postgres.statement import array_literal
from conurb.store.postgres.window import Window

PERIODS_MAX: Final = 100_000
"""Periods in one answer."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EXACT_MAX: Final = 2.0**53

_ITSELF: Final = (
    "CASE WHEN strpos(h.body, '[') = 0 THEN h.num "
    "WHEN jsonb_typeof(value_of(h.body::jsonb)) <> 'array' THEN h.num END"
)
"""A number that isn't the length of an array; most documents have no array at all."""

_SQUARE: Final = f"CASE WHEN abs({_ITSELF}) >= 1e154 THEN 'Infinity' ELSE ({_ITSELF}) ^ 2 END"
"""A square that would overflow is an error to PostgreSQL."""

_MOMENT: Final = 'CASE WHEN h.num IS NULL THEN moment_key(h.body::jsonb) END COLLATE "C"'
_TEXT: Final = 'CASE WHEN h.num IS NULL THEN plain_text(h.body::jsonb) END COLLATE "C"'
_TIME: Final = "CASE WHEN h.num IS NULL THEN time_of_day(moment_key(h.body::jsonb)) END"

_COLUMNS: Final[dict[AggregationMethod, tuple[str, ...]]] = {
    "totalCount": ("count(*)",),
    "distinctCount": ("count(DISTINCT value_of(h.body::jsonb))",),
    "sum": ("sum(h.num)",),
    "avg": ("avg(h.num)", f"div(sum({_TIME}), count({_TIME}))::bigint"),
    "min": ("min(h.num)", f"min({_MOMENT})", f"min({_TEXT})"),
    "max": ("max(h.num)", f"max({_MOMENT})", f"max({_TEXT})"),
    "stddev": (f"stddev_pop({_ITSELF})",),
    "sumsq": (f"sum({_SQUARE})",),
}
"""Method to its columns: of numbers, else of moments, else of texts."""

_SERIES: Final = "unnest(o.attrs, o.datasets) s (attr, dataset)"
_ROW: Final = "h.eid = o.eid AND h.attr = s.attr AND h.dataset = s.dataset"


Span = tuple[int, int, int, int, str]
"""(eid, attribute's term, first time, last time, kind of the latest row)."""


async def fill_aggregates(
    connection: Any,
    names: Names,
    window: Window,
    series: Callable[[Window], str],
    evolutions: dict[int, Evolution],
) -> None:
    """Aggregate the rows of objects; `series` gives the predicate on those that are asked for."""
    aggregation = window.query.aggregation
    if aggregation is None:
        return
    spans = await _spans(connection, window, series, list(evolutions))
    for eid, tid, _, _, kind in spans:
        if kind != "Property":
            evolutions[eid].kinds[names.iri(tid)] = kind
    if not spans:
        return
    periods = {(span[0], span[1]): _Periods(window, aggregation, span) for span in spans}
    methods = list(dict.fromkeys(aggregation.methods))
    again = Window(window.query, window.selection)
    sql = _sql(again, series, list(periods.values()), methods)
    rows = await connection.fetch(*again.arguments.bind(sql))
    if len(rows) > PERIODS_MAX:
        raise TooComplexQueryError(
            f"the answer has more than {PERIODS_MAX} periods; ask for longer ones"
        )
    for eid, tid, dataset, number, *values in rows:
        start, end = periods[eid, tid].bounds(number)
        given = evolutions[eid].aggregates.setdefault(
            (names.iri(tid), dataset or None), {method: [] for method in methods}
        )
        columns = iter(values)
        for method in methods:
            found = [next(columns) for _ in _COLUMNS[method]]
            place = next((n for n, one in enumerate(found) if one is not None), None)
            if place is not None:
                given[method].append((_shown(method, place, found[place]), start, end))


async def _spans(
    connection: Any, window: Window, series: Callable[[Window], str], eids: list[int]
) -> list[Span]:
    """Give the first and last time of each attribute in the window, and its latest kind."""
    where = all_of([_ROW, window.where(), _counted(window)])
    sql = (
        "SELECT o.eid, s.attr, r.first, r.last, k.kind, k.number FROM object o, "
        f"{_SERIES}, LATERAL (SELECT min({window.time()}) AS first, max({window.time()}) AS last "
        f"FROM history h WHERE {where}) r, LATERAL (SELECT h.number, "
        f"h.body::json ->> 'type' AS kind FROM history h WHERE {where} "
        f"ORDER BY {window.time()} DESC, h.number DESC LIMIT 1) k "
        f"WHERE o.eid = ANY ({window.arguments.add(eids, 'bigint[]')}) AND {series(window)}"
    )
    spans: dict[tuple[int, int], Span] = {}
    latest: dict[tuple[int, int], tuple[int, int]] = {}
    for eid, tid, first, last, kind, number in await connection.fetch(*window.arguments.bind(sql)):
        held = spans.get((eid, tid), (eid, tid, first, last, kind))
        if (last, number) >= latest.get((eid, tid), (last, number)):
            latest[eid, tid] = (last, number)
            held = (*held[:4], kind)
        spans[eid, tid] = (eid, tid, min(first, held[2]), max(last, held[3]), held[4])
    return list(spans.values())


def _counted(window: Window) -> str:
    """Give the predicate that a row is aggregated: an instance whose time isn't 'always'."""
    return f"h.body IS NOT NULL AND h.at <> {BEGINNING}" if window.by_at else "h.body IS NOT NULL"


def _sql(
    window: Window,
    series: Callable[[Window], str],
    periods: list[_Periods],
    methods: list[AggregationMethod],
) -> str:
    add = window.arguments.add
    tables = ", ".join(
        [
            add([one.eid for one in periods], "bigint[]"),
            add([one.tid for one in periods], "int[]"),
            add([one.start for one in periods], "bigint[]"),
            add([array_literal(one.ends) for one in periods], "text[]"),
        ]
    )
    aggregation = window.query.aggregation
    number = "0::bigint"
    if aggregation is not None and aggregation.period_months:
        number = f"width_bucket({window.time()}, p.ends)::bigint"
    elif aggregation is not None and aggregation.period_us:
        number = f"({window.time()} - p.start) / {add(aggregation.period_us, 'bigint')}"
    columns = ", ".join(column for method in methods for column in _COLUMNS[method])
    where = all_of([_ROW, window.where(), _counted(window), series(window)])
    return (
        "WITH p AS MATERIALIZED (SELECT e, a, start, b::bigint[] AS ends "
        f"FROM unnest({tables}) x (e, a, start, b)) "
        f"SELECT o.eid, s.attr, s.dataset, {number} AS k, {columns} "
        f"FROM p JOIN object o ON o.eid = p.e CROSS JOIN LATERAL {_SERIES} "
        f"JOIN history h ON {where} WHERE s.attr = p.a "
        f'GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, s.dataset COLLATE "C", 4 LIMIT {PERIODS_MAX + 1}'
    )


class _Periods:
    """The periods of one attribute of one object."""

    def __init__(self, window: Window, aggregation: Aggregation, span: Span) -> None:
        self.eid, self.tid, first, last, _ = span
        asked = window.query.window
        begins = asked.relation in ("after", "between") and asked.at_us is not None
        self.start = asked.at_us if begins and asked.at_us is not None else first
        self._aggregation = aggregation
        ends_at = asked.at_us if asked.relation == "before" else asked.end_us
        self._end = last if ends_at is None else ends_at
        self.ends = self._calendar(last) if aggregation.period_months else []

    def _calendar(self, last: int) -> list[int]:
        """Give the ends of periods whose length differs, up to the one with the last row."""
        ends: list[int] = []
        while not ends or ends[-1] <= last:
            if len(ends) >= PERIODS_MAX:
                raise TooComplexQueryError(f"an aggregation has at most {PERIODS_MAX} periods")
            ends.append(self._calendar_end(len(ends)))
        return ends

    def _calendar_end(self, number: int) -> int:
        months = (number + 1) * self._aggregation.period_months
        return _later(self.start, months) + (number + 1) * self._aggregation.period_us

    def bounds(self, number: int) -> tuple[int, int]:
        """Give start and end of a period."""
        if self.ends:
            return (self.ends[number - 1] if number else self.start), self.ends[number]
        period = self._aggregation.period_us
        if not period:
            return self.start, self._end
        return self.start + number * period, self.start + (number + 1) * period


def _shown(method: AggregationMethod, place: int, value: Any) -> Any:
    """Write the value of a column: a double without a fraction it hasn't got, a moment typed."""
    if place == 1:
        return shown_time_of_day(value) if method == "avg" else shown_moment(value)
    if method in ("sum", "min", "max", "sumsq") and isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT_MAX else value
    return value


def _later(us: int, months: int) -> int:
    """Give the same time of day some months later, in UTC; the last day of a shorter month."""
    moment = _EPOCH + timedelta(microseconds=us)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if year > 9999:
        raise TooComplexQueryError("an aggregation period goes beyond the year 9999")
    day = min(moment.day, monthrange(year, month + 1)[1])
    later = moment.replace(year=year, month=month + 1, day=day)
    return (later - _EPOCH) // timedelta(microseconds=1)

"""Aggregates per period, computed by SQLite series by series (clause 4.5.19).

What the methods take and where periods begin is said in `conurb.model.query.match`, point 12.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from conurb.errors import TooComplexQueryError
from conurb.model.aggregates import shown_moment, shown_time_of_day
from conurb.model.evolution import Evolution
from conurb.model.query.tree import AggregationMethod, TemporalQuery
from conurb.store.sqlite.sources import Reach
from conurb.store.sqlite.values import FALSE, IRREGULAR, TRUE
from conurb.store.sqlite.windows import Window

PERIODS_MAX: Final = 100_000
"""Periods in one answer."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_LIST: Final = (
    "coalesce(h.body -> '$.value', h.body -> '$.json', h.body -> '$.valueList', "
    "h.body -> '$.vocab')"
)
_SCALAR: Final = (
    f"WHEN h.val < '' THEN h.val WHEN h.val = '{TRUE}' THEN 1 WHEN h.val = '{FALSE}' THEN 0"
)
_ITSELF: Final = f"CASE {_SCALAR} END"
_NUMBER: Final = (
    f"CASE {_SCALAR} WHEN h.val = '{IRREGULAR}' THEN CASE json_type({_LIST}) WHEN 'array' THEN "
    f"json_array_length({_LIST}) END END"
)
_MOMENT: Final = "CASE WHEN typeof(h.val) = 'text' THEN conurb_moment(h.body) END"
_TIME: Final = "CASE WHEN typeof(h.val) = 'text' THEN conurb_time_of_day(h.body) END"
_TEXT: Final = "CASE WHEN typeof(h.val) = 'text' THEN conurb_text(h.body) END"
_DISTINCT: Final = f"CASE WHEN h.val = '{IRREGULAR}' THEN conurb_value(h.body) ELSE h.val END"


def _column(method: AggregationMethod) -> str:
    """Write the SQL of a method; `:shift` is near the values, so that squares lose nothing."""
    shifted = f"(({_ITSELF}) - :shift)"
    count = f"count({_ITSELF})"
    variance = f"(sum({shifted} * {shifted}) - sum({shifted}) * sum({shifted}) / {count}) / {count}"
    return {
        "totalCount": "count(*)",
        "distinctCount": f"count(DISTINCT {_DISTINCT})",
        "sum": f"sum({_NUMBER})",
        "avg": f"avg({_NUMBER})",
        "min": f"min({_NUMBER})",
        "max": f"max({_NUMBER})",
        "stddev": f"sqrt(max(0.0, {variance}))",
        "sumsq": f"sum(({_ITSELF}) * ({_ITSELF}))",
    }[method]


_NOTHING: Final = ("NULL", "NULL")
_WITHOUT_NUMBERS: Final[dict[AggregationMethod, tuple[str, str]]] = {
    "avg": (f"sum({_TIME}) / count({_TIME})", "NULL"),
    "min": (f"min({_MOMENT})", f"min({_TEXT})"),
    "max": (f"max({_MOMENT})", f"max({_TEXT})"),
}
"""Method to what it gives where a period has no number: of moments, else of texts."""


@dataclass(frozen=True, slots=True)
class _Spans:
    """The periods of a series: of one length, or (as JSON) those of the calendar, or one."""

    start: int
    end: int
    period_us: int
    bounds: str | None = None


class Aggregator:
    """Aggregates the series of objects."""

    def __init__(self, reach: Reach, temporal: TemporalQuery, window: Window) -> None:
        assert temporal.aggregation is not None  # noqa: S101 - the caller has looked
        self._reach = reach
        self._aggregation = temporal.aggregation
        self._time_window = temporal.window
        self._time = window.time("h")
        self._where = (
            "h.eid = :eid AND h.attr = :attr AND h.dataset = :dataset AND h.body IS NOT NULL "
            f"AND {window.where('h', reach.parameters)}"
        )
        self._methods = list(dict.fromkeys(temporal.aggregation.methods))
        self._rows = 0

    def _execute(self, statement: str, series: tuple[int, int, int], **more: Any) -> Any:
        eid, attr, dataset = series
        values = {**self._reach.parameters.values, **more}
        return self._reach.connection.execute(
            statement, {**values, "eid": eid, "attr": attr, "dataset": dataset}
        )

    def fill(self, evolution: Evolution, series: list[tuple[int, int, int]]) -> None:
        """Aggregate the series of one object; those of one attribute begin together."""
        by_attribute: dict[int, list[tuple[int, int, int]]] = {}
        for one in series:
            by_attribute.setdefault(one[1], []).append(one)
        for group in by_attribute.values():
            self._fill_attribute(evolution, group)

    def _fill_attribute(self, evolution: Evolution, group: list[tuple[int, int, int]]) -> None:
        spans = {}
        for one in group:
            first, last = (
                self._execute(
                    f"SELECT {self._time} AS t FROM history h WHERE {self._where} "
                    f"ORDER BY t{direction} LIMIT 1",
                    one,
                ).get
                for direction in ("", " DESC")
            )
            if first is not None:
                spans[one] = first, last
        if not spans:
            return
        start, end = min(s for s, _ in spans.values()), max(e for _, e in spans.values())
        window = self._time_window
        if window.relation in ("after", "between") and window.at_us is not None:
            start = window.at_us
        kinds: dict[str, tuple[int, int, str]] = {}
        for one, (first, last) in spans.items():
            key = self._key(one)
            evolution.aggregates[key] = self._aggregate(one, start, end, first, last)
            number, kind = self._execute(
                f"SELECT h.number, h.body ->> '$.type' FROM history h WHERE {self._where} "
                f"ORDER BY {self._time} DESC, h.number DESC LIMIT 1",
                one,
            ).fetchone()
            latest = kinds.get(key[0])
            if latest is None or (last, number) > latest[:2]:
                kinds[key[0]] = (last, number, kind)
        evolution.kinds.update(
            {name: kind for name, (_, _, kind) in kinds.items() if kind != "Property"}
        )

    def _key(self, series: tuple[int, int, int]) -> tuple[str, str | None]:
        connection, terms = self._reach.connection, self._reach.terms
        return terms.iri(connection, series[1]), terms.dataset(connection, series[2])

    def _aggregate(
        self, series: tuple[int, int, int], start: int, end: int, first: int, last: int
    ) -> dict[AggregationMethod, list[tuple[Any, int, int]]]:
        columns = [_column(method) for method in self._methods]
        spans = self._spans(start, end, first, last)
        rows = [
            list(row) for row in self._rows_of(series, columns, spans, shift=self._shift(series))
        ]
        self._check(len(rows))
        without = [
            place
            for place, method in enumerate(self._methods)
            if method in _WITHOUT_NUMBERS and any(row[2 + place] is None for row in rows)
        ]
        if without:
            more = [part for n in without for part in _WITHOUT_NUMBERS[self._methods[n]]]
            for row, (_, _, *parts) in zip(rows, self._rows_of(series, more, spans), strict=True):
                for number, place in enumerate(without):
                    if row[2 + place] is None:
                        moment, text = parts[2 * number : 2 * number + 2]
                        row[2 + place] = _shown(self._methods[place], moment, text)
        return self._given(rows)

    def _rows_of(
        self, series: tuple[int, int, int], columns: list[str], spans: _Spans, **more: Any
    ) -> Iterator[Any]:
        """Stream (start, end, values of the columns) of each period that has rows."""
        wanted = ", ".join(columns)
        if spans.bounds is not None:
            yield from self._execute(
                f"SELECT p.value ->> 0, p.value ->> 1, {wanted} "
                f"FROM json_each(:bounds) p CROSS JOIN history h WHERE {self._where} "
                f"AND {self._time} >= p.value ->> 0 AND {self._time} < p.value ->> 1 "
                "GROUP BY p.key ORDER BY p.key",
                series,
                bounds=spans.bounds,
                **more,
            )
            return
        if not spans.period_us:
            for row in self._execute(
                f"SELECT {wanted} FROM history h WHERE {self._where}", series, **more
            ):
                yield spans.start, spans.end, *row
            return
        for number, *values in self._execute(
            f"SELECT ({self._time} - :start) / :period AS k, {wanted} FROM history h "
            f"WHERE {self._where} GROUP BY k ORDER BY k",
            series,
            start=spans.start,
            period=spans.period_us,
            **more,
        ):
            low = spans.start + number * spans.period_us
            yield low, low + spans.period_us, *values

    def _spans(self, start: int, end: int, first: int, last: int) -> _Spans:
        aggregation = self._aggregation
        if not aggregation.period_months:
            return _Spans(start, self._range_end(end), aggregation.period_us)
        bounds = [pair for pair in self._periods(start, last) if pair[1] > first]
        return _Spans(start, end, 0, orjson.dumps(bounds).decode())

    def _periods(self, start: int, last: int) -> list[tuple[int, int]]:
        aggregation = self._aggregation
        periods: list[tuple[int, int]] = []
        low, number = start, 0
        while low <= last:
            number += 1
            high = months_later(start, number * aggregation.period_months)
            high += number * aggregation.period_us
            periods.append((low, high))
            low = high
            if number > PERIODS_MAX:
                raise TooComplexQueryError(f"an aggregation has at most {PERIODS_MAX} periods")
        return periods

    def _range_end(self, last: int) -> int:
        window = self._time_window
        if window.relation == "before" and window.at_us is not None:
            return window.at_us
        if window.relation == "between" and window.end_us is not None:
            return window.end_us
        return last

    def _shift(self, series: tuple[int, int, int]) -> float:
        """Give a value of the series, to compute its variance around."""
        if "stddev" not in self._methods:
            return 0.0
        found = self._execute(
            f"SELECT h.val FROM history h WHERE {self._where} LIMIT 1", series
        ).get
        return float(found) if isinstance(found, int | float) else 0.0

    def _check(self, periods: int) -> None:
        self._rows += periods
        if self._rows > PERIODS_MAX:
            raise TooComplexQueryError(
                f"the answer has more than {PERIODS_MAX} periods; ask for longer ones"
            )

    def _given(self, rows: Any) -> dict[AggregationMethod, list[tuple[Any, int, int]]]:
        """Sort the values of each period to their methods; what has no meaning is left out."""
        given: dict[AggregationMethod, list[tuple[Any, int, int]]] = {m: [] for m in self._methods}
        for low, high, *values in rows:
            for method, value in zip(self._methods, values, strict=True):
                if value is not None:
                    given[method].append((value, low, high))
        return given


def _shown(method: AggregationMethod, moment: Any, text: str | None) -> Any:
    """Write what a period without numbers has: the best moment, else the best text."""
    if moment is None:
        return text
    return shown_time_of_day(moment) if method == "avg" else shown_moment(moment)


def months_later(us: int, months: int) -> int:
    """Give the same time of day some months later, in UTC; the last of a shorter month.

    >>> months_later(0, 1) == 31 * 86_400 * 1_000_000
    True
    """
    moment = _EPOCH + timedelta(microseconds=us)
    count = moment.year * 12 + moment.month - 1 + months
    year, month = divmod(count, 12)
    if year > 9999:
        raise TooComplexQueryError("an aggregation period goes beyond the year 9999")
    day = min(moment.day, monthrange(year, month + 1)[1])
    later = moment.replace(year=year, month=month + 1, day=day)
    return (later - _EPOCH) // timedelta(microseconds=1)

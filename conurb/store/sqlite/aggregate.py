"""Aggregates per period, computed by SQLite series by series (clause 4.5.19).

What the methods take and where periods begin is said in `conurb.model.query.match`, point 12.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from conurb.errors import TooComplexQueryError
from conurb.model.evolution import Evolution
from conurb.model.query.tree import AggregationMethod, TemporalQuery
from conurb.store.sqlite.sources import Reach
from conurb.store.sqlite.values import FALSE, IRREGULAR, TEXT_FIRST, TRUE
from conurb.store.sqlite.windows import Window

PERIODS_MAX: Final = 100_000
"""Periods in one answer."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_VALUE: Final = (
    "coalesce(h.body -> '$.value', h.body -> '$.object', h.body -> '$.json', h.body -> '$.vocab', "
    "h.body -> '$.languageMap', h.body -> '$.valueList', h.body -> '$.objectList')"
)
_LIST: Final = (
    "coalesce(h.body -> '$.value', h.body -> '$.json', h.body -> '$.valueList', "
    "h.body -> '$.vocab')"
)

_NUMBER: Final = (
    f"CASE WHEN h.val < '' THEN h.val WHEN h.val = '{TRUE}' THEN 1 WHEN h.val = '{FALSE}' THEN 0 "
    f"WHEN h.val = '{IRREGULAR}' THEN CASE json_type({_LIST}) WHEN 'array' THEN "
    f"json_array_length({_LIST}) END END"
)
_TEXT: Final = (
    f"CASE WHEN typeof(h.val) <> 'text' THEN NULL WHEN h.val >= '{TEXT_FIRST}' THEN h.val "
    f"WHEN h.val = '{IRREGULAR}' THEN CASE json_type({_VALUE}) WHEN 'text' THEN "
    f"CASE WHEN h.body ->> '$.type' NOT LIKE '%Relationship' THEN {_VALUE} ->> '$' END "
    f"WHEN 'object' THEN {_VALUE} ->> '$.\"@value\"' END END"
)
_DISTINCT: Final = f"CASE WHEN h.val = '{IRREGULAR}' THEN {_VALUE} ELSE h.val END"


def _columns(method: AggregationMethod) -> str:
    """Write the SQL of a method; `:shift` is near the values, so that squares lose nothing."""
    shifted = f"(({_NUMBER}) - :shift)"
    count = f"count({_NUMBER})"
    variance = f"(sum({shifted} * {shifted}) - sum({shifted}) * sum({shifted}) / {count}) / {count}"
    return {
        "totalCount": "count(*)",
        "distinctCount": f"count(DISTINCT {_DISTINCT})",
        "sum": f"sum({_NUMBER})",
        "avg": f"avg({_NUMBER})",
        "min": f"coalesce(min({_NUMBER}), min({_TEXT}))",
        "max": f"coalesce(max({_NUMBER}), max({_TEXT}))",
        "stddev": f"sqrt(max(0.0, {variance}))",
        "sumsq": f"sum(({_NUMBER}) * ({_NUMBER}))",
    }[method]


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
        aggregation = self._aggregation
        columns = ", ".join(_columns(method) for method in self._methods)
        shift = self._shift(series)
        if not aggregation.period_months and not aggregation.period_us:
            rows = self._execute(
                f"SELECT 0, {columns} FROM history h WHERE {self._where}", series, shift=shift
            )
            return self._given((start, self._range_end(end), *row[1:]) for row in rows)
        if aggregation.period_months:
            return self._by_calendar(series, columns, shift, start, first, last)
        rows = self._execute(
            f"SELECT ({self._time} - :start) / :period AS k, {columns} FROM history h "
            f"WHERE {self._where} GROUP BY k ORDER BY k",
            series,
            shift=shift,
            start=start,
            period=aggregation.period_us,
        )
        period = aggregation.period_us
        return self._given(
            (start + k * period, start + (k + 1) * period, *values) for k, *values in rows
        )

    def _by_calendar(
        self,
        series: tuple[int, int, int],
        columns: str,
        shift: float,
        start: int,
        first: int,
        last: int,
    ) -> dict[AggregationMethod, list[tuple[Any, int, int]]]:
        """Aggregate by periods whose length in days differs: their bounds come as a table."""
        bounds = [pair for pair in self._periods(start, last) if pair[1] > first]
        rows = self._execute(
            f"SELECT p.value ->> 0, p.value ->> 1, {columns} "
            f"FROM json_each(:bounds) p CROSS JOIN history h WHERE {self._where} "
            f"AND {self._time} >= p.value ->> 0 AND {self._time} < p.value ->> 1 "
            "GROUP BY p.key ORDER BY p.key",
            series,
            shift=shift,
            bounds=orjson.dumps(bounds).decode(),
        )
        return self._given(rows)

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

    def _given(self, rows: Any) -> dict[AggregationMethod, list[tuple[Any, int, int]]]:
        """Sort the values of each period to their methods; what has no meaning is left out."""
        given: dict[AggregationMethod, list[tuple[Any, int, int]]] = {m: [] for m in self._methods}
        for low, high, *values in rows:
            self._rows += 1
            if self._rows > PERIODS_MAX:
                raise TooComplexQueryError(
                    f"the answer has more than {PERIODS_MAX} periods; ask for longer ones"
                )
            for method, value in zip(self._methods, values, strict=True):
                if value is not None:
                    given[method].append((value, low, high))
        return given


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

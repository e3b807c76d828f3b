"""Aggregates of a history that was put together of several nodes' parts (clause 4.5.19).

Engines aggregate what they hold (`conurb.model.query.match`, point 12, says how); this does the
same in memory, for the few objects whose history lies with several nodes. Their parts may hold one
observation twice, which no sum of sums could tell, so it is instances that are aggregated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from conurb.errors import TooComplexQueryError
from conurb.model.aggregates import (
    find_moment,
    find_number,
    find_text,
    shown_moment,
    shown_time_of_day,
    time_of_day_us,
)
from conurb.model.entity import Instance, instance_value
from conurb.model.evolution import HEAD, Aggregates, Evolution, time_of
from conurb.model.query.tree import Aggregation, AggregationMethod, TemporalQuery, TimeWindow
from conurb.model.time import BEGINNING
from conurb.store.sqlite.aggregate import PERIODS_MAX, months_later

_Row = tuple[int, Instance]


def aggregated(evolution: Evolution, query: TemporalQuery) -> Evolution:
    """Give a history with the aggregates of its instances in their place.

    Raises TooComplexQueryError when there would be too many periods.
    """
    aggregation = query.aggregation
    if aggregation is None:
        return evolution
    found: Aggregates = {}
    kinds: dict[str, str] = {}
    for attribute, items in evolution.instances.items():
        if attribute == HEAD:
            continue
        by_dataset: dict[str | None, list[_Row]] = {}
        for item in items:
            time = time_of(item, query.window.timeproperty)
            if item.instance is not None and time is not None and time != BEGINNING:
                by_dataset.setdefault(item.dataset, []).append((time, item.instance))
        if not by_dataset:
            continue
        rows = sorted((row for own in by_dataset.values() for row in own), key=_time)
        if rows[-1][1]["type"] != "Property":
            kinds[attribute] = rows[-1][1]["type"]
        first, last = _range(query.window, rows)
        for dataset, own in by_dataset.items():
            own.sort(key=_time)
            found[attribute, dataset] = _per_period(own, aggregation, first, last)
    return replace(evolution, instances={}, aggregates=found, kinds=kinds)


def _time(row: _Row) -> int:
    return row[0]


def _range(window: TimeWindow, rows: Sequence[_Row]) -> tuple[int, int]:
    """Give where periods begin, and where the only one ends when there is one."""
    first, last = rows[0][0], rows[-1][0]
    if window.relation in ("after", "between") and window.at_us is not None:
        first = window.at_us
    if window.relation == "before" and window.at_us is not None:
        last = window.at_us
    if window.relation == "between" and window.end_us is not None:
        last = window.end_us
    return first, last


def _per_period(
    rows: Sequence[_Row], aggregation: Aggregation, first: int, last: int
) -> dict[AggregationMethod, list[tuple[Any, int, int]]]:
    given: dict[AggregationMethod, list[tuple[Any, int, int]]] = {
        method: [] for method in dict.fromkeys(aggregation.methods)
    }
    for low, high, instances in _periods(rows, aggregation, first, last):
        for method, taken in given.items():
            value = _value(method, instances)
            if value is not None:
                taken.append((value, low, high))
    return given


def _periods(
    rows: Sequence[_Row], aggregation: Aggregation, first: int, last: int
) -> Iterable[tuple[int, int, list[Instance]]]:
    """Stream the periods that have rows, which come in order of time."""
    months, us = aggregation.period_months, aggregation.period_us
    if not months and not us:
        yield first, last, [instance for _, instance in rows]
        return
    number = 0
    low, high = first, _bound(first, 1, aggregation)
    instances: list[Instance] = []
    for time, instance in rows:
        if time >= high:
            if instances:
                yield low, high, instances
                instances = []
            number = number + 1 if months else (time - first) // us
            while (high := _bound(first, number + 1, aggregation)) <= time:
                number += 1
                if number > PERIODS_MAX:
                    raise TooComplexQueryError(f"an aggregation has at most {PERIODS_MAX} periods")
            low = _bound(first, number, aggregation)
        instances.append(instance)
    if instances:
        yield low, high, instances


def _bound(first: int, number: int, aggregation: Aggregation) -> int:
    start = months_later(first, number * aggregation.period_months)
    return start + number * aggregation.period_us


def _value(method: AggregationMethod, instances: Sequence[Instance]) -> Any:
    if method == "totalCount":
        return len(instances)
    if method == "distinctCount":
        values = (instance_value(one) for one in instances)
        return len({orjson.dumps(one, option=orjson.OPT_SORT_KEYS) for one in values})
    numbers = [number for one in instances if (number := find_number(one)) is not None]
    if numbers:
        itself = [float(n) for one in instances if (n := _scalar(one)) is not None]
        return _of_numbers(method, numbers, itself)
    moments = [key for one in instances if (key := find_moment(one)) is not None]
    if method == "avg":
        times = [us for key in moments if (us := time_of_day_us(key)) is not None]
        return shown_time_of_day(sum(times) // len(times)) if times else None
    choose = _CHOICES.get(method)
    if choose is None:
        return None
    if moments:
        return shown_moment(choose(moments))
    texts = [text for one in instances if (text := find_text(one)) is not None]
    return choose(texts) if texts else None


_CHOICES: Final[dict[AggregationMethod, Callable[[Sequence[str]], str]]] = {"min": min, "max": max}


def _scalar(instance: Instance) -> float | None:
    """Find what an instance counts as in a sum of squares: not the length of an array."""
    return None if isinstance(instance_value(instance), list) else find_number(instance)


def _of_numbers(
    method: AggregationMethod, numbers: Sequence[float], itself: Sequence[float]
) -> float | None:
    """Compute a method; squares are of the numbers `itself`, not of the lengths of arrays."""
    match method:
        case "sum":
            return math.fsum(numbers)
        case "min":
            return min(numbers)
        case "max":
            return max(numbers)
        case "avg":
            return math.fsum(numbers) / len(numbers)
    if not itself:
        return None
    if method == "sumsq":
        return math.fsum(number * number for number in itself)
    mean = math.fsum(itself) / len(itself)
    return math.sqrt(math.fsum((one - mean) ** 2 for one in itself) / len(itself))

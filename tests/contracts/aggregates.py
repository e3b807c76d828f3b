"""Aggregates per period, computed the plain way: what every engine is compared with.

The tables of clause 4.5.19.1 are written out here again, with nothing of the package's: dates and
times are `datetime`'s.
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import orjson

from conurb.model.entity import Instance, instance_value
from conurb.model.query.tree import Aggregation, AggregationMethod

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NGSI_LD = "https://uri.etsi.org/ngsi-ld/"
MIDNIGHT = datetime(2000, 1, 1)

Given = dict[AggregationMethod, list[tuple[Any, int, int]]]


def aggregate(
    rows: Sequence[tuple[Any, str | None, Any]],
    aggregation: Aggregation,
    low: int | None,
    high: int | None,
) -> dict[str | None, Given]:
    """Aggregate an attribute's (time, dataset, instance) in a window, dataset by dataset."""
    times = [time for time, _, _ in rows]
    start = min(times) if low is None else low
    answer: dict[str | None, Given] = {}
    for dataset in dict.fromkeys(dataset for _, dataset, _ in rows):
        periods: dict[tuple[int, int], list[Instance]] = {}
        for moment, own, instance in rows:
            if own != dataset:
                continue
            if aggregation.period_months or aggregation.period_us:
                span = _period(start, moment, aggregation.period_months, aggregation.period_us)
            else:
                span = (start, max(times) if high is None else high)
            periods.setdefault(span, []).append(instance)
        answer[dataset] = {
            method: [
                (value, *span)
                for span in sorted(periods)
                if (value := _value(method, periods[span])) is not None
            ]
            for method in dict.fromkeys(aggregation.methods)
        }
    return answer


def _period(start: int, moment: int, months: int, us: int) -> tuple[int, int]:
    number = 0
    while True:
        low = _later(start, number * months) + number * us
        high = _later(start, (number + 1) * months) + (number + 1) * us
        if low <= moment < high:
            return low, high
        number = number + 1 if months else (moment - start) // us


def _later(us: int, months: int) -> int:
    moment = EPOCH + timedelta(microseconds=us)
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    moment = moment.replace(year=year, month=month + 1, day=day)
    return (moment - EPOCH) // timedelta(microseconds=1)


def _value(method: str, instances: Sequence[Instance]) -> Any:
    values = [instance_value(instance) for instance in instances]
    if method == "totalCount":
        return len(values)
    if method == "distinctCount":
        return len({orjson.dumps(v, option=orjson.OPT_SORT_KEYS) for v in values})
    compared = [i for i in instances if not i["type"].endswith("Relationship")]
    scalars = [v for v in map(instance_value, compared) if isinstance(v, bool | int | float)]
    if method in ("stddev", "sumsq"):
        return _of_squares(method, scalars)
    sizes = [len(v) for v in map(instance_value, compared) if isinstance(v, list)]
    if numbers := [*scalars, *sizes]:
        mean = math.fsum(numbers) / len(numbers)
        every = {"sum": math.fsum(numbers), "avg": mean, "min": min(numbers), "max": max(numbers)}
        return every[method]
    moments = [moment for one in compared if (moment := _moment(one)) is not None]
    if method == "avg":
        times = [m for m in moments if isinstance(m, time)]
        spent = sum((datetime.combine(MIDNIGHT, t) - MIDNIGHT for t in times), timedelta())
        return _shown((MIDNIGHT + spent // len(times)).time()) if times else None
    if method == "sum":
        return None
    choose: Any = {"min": min, "max": max}[method]
    if moments:
        return _shown(choose(moments, key=lambda m: m.isoformat()))
    texts = [text for one in compared if (text := _text(one)) is not None]
    return choose(texts) if texts else None


def _of_squares(method: str, numbers: Sequence[float]) -> float | None:
    if not numbers:
        return None
    if method == "sumsq":
        return math.fsum(n * n for n in numbers)
    mean = math.fsum(numbers) / len(numbers)
    return math.sqrt(math.fsum((n - mean) ** 2 for n in numbers) / len(numbers))


def _moment(instance: Instance) -> date | datetime | time | None:
    value, kind = instance_value(instance), instance.get("valueType")
    if instance["type"] != "Property":
        return None
    if isinstance(value, dict):
        value, kind = value.get("@value"), value.get("@type")
    reads: Any = {"DateTime": datetime, "Date": date, "Time": time}.get(
        str(kind).removeprefix(NGSI_LD)
    )
    if reads is None or not isinstance(value, str) or "+" in value:
        return None
    if reads is not date and not value.endswith("Z"):
        return None
    try:
        return reads.fromisoformat(value.removesuffix("Z"))
    except ValueError:
        return None


def _shown(moment: date | datetime | time) -> dict[str, str]:
    kind = {datetime: "DateTime", date: "Date", time: "Time"}[type(moment)]
    text = moment.isoformat()
    text = text.rstrip("0") if "." in text else text
    return {"@type": kind, "@value": text if kind == "Date" else f"{text}Z"}


def _text(instance: Instance) -> str | None:
    if instance["type"] not in ("Property", "JsonProperty"):
        return None
    if instance.get("valueType", "").removeprefix(NGSI_LD) in ("DateTime", "Date", "Time"):
        return None
    value = instance_value(instance)
    return value if isinstance(value, str) else None

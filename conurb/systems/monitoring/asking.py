"""What a client may ask besides SensorThings: a series resampled and flagged, and judged.

`GET /monitoring/series/{id}` and `GET /monitoring/judgement/{id}`, both as JSON that a chart can
draw: what is asked of the server needn't be downloaded first.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import orjson

from conurb.errors import BadRequestDataError, ConfigError, NotFoundError
from conurb.model.time import US_PER_S, parse_us, shown_us
from conurb.systems.contract import Asked, Endpoint, Parameter, Response
from conurb.systems.monitoring.rules import METHOD_NAMES, SILENCE

if TYPE_CHECKING:
    from conurb.systems.monitoring.samples import Samples

_STEP: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
SHOWN_MAX: Final = 10_000
"""How many samples a judgement gives; the latest of them."""

FROM: Final = Parameter("from", "Begin, ISO 8601.")
TO: Final = Parameter("to", "End, ISO 8601.")
SERIES_PARAMETERS: Final = (
    FROM,
    TO,
    Parameter("step", "Length of a cell, ISO 8601 duration such as PT1H."),
    Parameter("method", "How a cell's samples are taken together."),
    Parameter("fill", "How gaps are filled.", ("none", "linear", "previous")),
    Parameter("gap", "The longest gap that is filled, ISO 8601 duration."),
    Parameter("low", "Below this, a value is out of range."),
    Parameter("high", "Above this, a value is out of range."),
)
JUDGEMENT_PARAMETERS: Final = (
    FROM,
    TO,
    Parameter("method", "The method of detection.", tuple(n for n in METHOD_NAMES if n != SILENCE)),
    Parameter("options", "Its options, a JSON object."),
    Parameter("with", "Ids of further measurements to judge together, comma-separated."),
)


def duration_us(text: str, *, name: str) -> int:
    """Read a duration of days, hours, minutes and seconds as microseconds.

    >>> duration_us("PT1H30M", name="step")
    5400000000
    """
    match = _STEP.fullmatch(text)
    if match is None or not any(match.groups()):
        raise BadRequestDataError(f"{name}: {text!r:.50} is not a duration such as PT1H or P1D")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    if total <= 0:
        raise BadRequestDataError(f"{name}: {text!r:.50} is no time at all")
    return int(total * US_PER_S)


async def series(asked: Asked) -> Response:
    """Give a measurement's numbers, resampled when a step is given, each with its flag."""
    samples = await _samples(asked, (asked.args["id"],))
    low, high = _number(asked.params, "low"), _number(asked.params, "high")
    step = asked.params.get("step")

    def work() -> dict[str, Any]:
        from conurb.systems.monitoring.samples import flags_of, resample

        if step is None:
            flags = flags_of(samples.first, low=low, high=high)
            return _series(samples.times_us, samples.first, flags)
        gap = asked.params.get("gap")
        found = resample(
            samples,
            step_us=duration_us(step, name="step"),
            method=asked.params.get("method", "mean"),
            fill=asked.params.get("fill", "none"),
            gap_us_max=None if gap is None else duration_us(gap, name="gap"),
        )
        document = _series(found.times_us, found.values, found.flags)
        document["counts"] = found.counts.tolist()
        return document

    return _give({"id": asked.args["id"], **await asyncio.to_thread(work)})


def _series(times_us: Any, values: Any, flags: list[Any]) -> dict[str, Any]:
    shown = [_shown(value) for value in values.tolist()]
    gaps = sum(flag == "missing" for flag in flags)
    return {
        "times": [shown_us(at) for at in times_us.tolist()],
        "values": shown,
        "flags": flags,
        "missing": gaps,
    }


def _shown(value: float) -> float | None:
    return value if isfinite(value) else None


async def judgement(asked: Asked) -> Response:
    """Judge a measurement by a method, and say why of each anomaly."""
    method = asked.params.get("method")
    if method is None:
        raise BadRequestDataError(f"method: it is missing; methods: {', '.join(METHOD_NAMES)}")
    options = _options(asked.params.get("options", "{}"))
    others = tuple(filter(None, asked.params.get("with", "").split(",")))
    samples = await _samples(asked, (asked.args["id"], *others))

    def work() -> dict[str, Any]:
        from conurb.systems.monitoring.detect.judgement import episodes
        from conurb.systems.monitoring.detect.methods import judge

        given = dict(options)
        trained = _trained(samples, given)
        found = judge(method, samples, given, trained=trained)
        confirm, clear = int(given.get("confirm", 1)), int(given.get("clear", 1))
        begun = episodes(found.score, confirm=confirm, clear=clear)
        begin = max(0, len(samples) - SHOWN_MAX)
        columns = {"score": found.score, "low": found.low, "high": found.high}
        document = _series(samples.times_us[begin:], samples.first[begin:], [])
        for name, column in columns.items():
            document[name] = [_shown(value) for value in column[begin:].tolist()]
        del document["flags"], document["missing"]
        document["anomalies"] = [
            {
                "begin": shown_us(int(samples.times_us[one.begin])),
                "confirmed": shown_us(int(samples.times_us[one.confirmed])),
                "end": None if one.end is None else shown_us(int(samples.times_us[one.end])),
                "score": float(found.score[one.peak]),
                "why": {"en": (reason := found.why(one.peak)).en, "zh": reason.zh},
                "figures": dict(reason.figures),
            }
            for one in begun
        ]
        return document

    body = await asyncio.to_thread(work)
    return _give({"id": asked.args["id"], "method": method, **body})


def _trained(samples: Samples, options: Mapping[str, Any]) -> int:
    """Give how many samples are in the part to learn from."""
    end = options.get("train_to")
    if end is None:
        return 0
    return int((samples.times_us <= parse_us(str(end), name="train_to")).sum())


async def _samples(asked: Asked, ids: tuple[str, ...]) -> Samples:
    """Load what the caller may see; raise NotFoundError for a measurement that isn't there."""
    try:
        from conurb.systems.monitoring.history import load_many
    except ImportError as error:
        raise ConfigError(
            f"this needs the extra 'monitoring' (pip install conurb[monitoring]): {error}"
        ) from error
    site = asked.site
    for one in ids:
        await site.node.consume.retrieve(asked.caller, one)
    begin, end = asked.params.get("from"), asked.params.get("to")
    samples = await load_many(
        site,
        ids,
        begin_us=None if begin is None else parse_us(begin, name="from"),
        end_us=None if end is None else parse_us(end, name="to"),
    )
    if not len(samples):
        raise NotFoundError(f"{', '.join(ids)}: there are no numbers then")
    return samples


def _options(text: str) -> dict[str, Any]:
    try:
        options = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequestDataError(f"options: not JSON: {error}") from error
    if not isinstance(options, dict):
        raise BadRequestDataError("options: not a JSON object")
    return options


def _number(params: Mapping[str, str], name: str) -> float | None:
    text = params.get(name)
    if text is None:
        return None
    try:
        return float(text)
    except ValueError as error:
        raise BadRequestDataError(f"{name}: {text!r:.50} is not a number") from error


def _give(document: Any) -> Response:
    return Response(orjson.dumps(document))


def endpoints() -> tuple[Endpoint, ...]:
    """Give the operations of this module."""
    return (
        Endpoint(
            "GET",
            "/monitoring/series/{id}",
            "series",
            "A measurement, resampled, gaps filled, each value flagged",
            series,
            params=SERIES_PARAMETERS,
        ),
        Endpoint(
            "GET",
            "/monitoring/judgement/{id}",
            "judgement",
            "What a method of detection says of a measurement, and why",
            judgement,
            params=JUDGEMENT_PARAMETERS,
        ),
    )

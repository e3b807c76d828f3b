"""/region/freshness: what nodes promise of how fresh their objects are, and what is measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from conurb.federation.agreements import CHANGED, SHARES, Measure, Standing
from conurb.federation.freshness import freshness_of
from conurb.http.exchange import Answer, Exchange, give_json
from conurb.http.metrics import sample
from conurb.http.routing import Reply, Route
from conurb.http.schemas import items, obj
from conurb.model.time import US_PER_S, shown_us

if TYPE_CHECKING:
    from conurb.federation.freshness import Freshness
    from conurb.model.context import Terms

PATH: Final = "/region/freshness"


async def freshness(exchange: Exchange) -> Answer:
    """Say what each node has promised, and how old its objects are."""
    exchange.caller.require("read")
    node = await exchange.node()
    kept, terms, now_us = freshness_of(node), await exchange.link_terms(), node.clock()
    rows = [
        _row(one, kept, terms, now_us)
        for one in kept.list_standings()
        if _may_see(exchange, one.agreement.type)
    ]
    return give_json(
        {
            "period_s": kept.period_s,
            "promises": rows,
            "broken": sum(one["state"] == "broken" for one in rows),
            "faults": [{"node": one, "fault": said} for one, said in kept.list_faults()],
        }
    )


def _may_see(exchange: Exchange, type_: str) -> bool:
    restriction = exchange.caller.restriction
    return restriction.scopes is None and (restriction.types is None or type_ in restriction.types)


def _row(standing: Standing, kept: Freshness, terms: Terms, now_us: int) -> dict[str, Any]:
    agreement, measure = standing.agreement, standing.measure
    state = standing.state(now_us)
    by = CHANGED if agreement.attribute is None else terms.compact(agreement.attribute)
    return {
        "node": standing.node,
        "agreement": agreement.id,
        "type": terms.compact(agreement.type),
        "state": state,
        "max_age_s": agreement.max_age_us / US_PER_S,
        "measured_by": by,
        "share": agreement.share,
        "contact": agreement.contact,
        "valid_from": _shown(agreement.valid_from_us),
        "valid_to": _shown(agreement.valid_to_us),
        "broken_since": _shown(standing.broken_since_us(now_us)) if state == "broken" else None,
        "error": standing.error,
        "clock_ahead_s": kept.offset_s(standing.node),
        "measured": None if measure is None else _measured(standing, measure),
    }


def _measured(standing: Standing, measure: Measure) -> dict[str, Any]:
    max_age_s = standing.agreement.max_age_us / US_PER_S
    return {
        "at": shown_us(measure.at_us),
        "objects": measure.count,
        "without_time": max(0, measure.count - measure.dated),
        "ahead": measure.ahead,
        "fresh_share": measure.fresh / measure.count if measure.count else None,
        "newest_age_s": _age_s(measure.at_us, measure.newest_us),
        "oldest_age_s": _age_s(measure.at_us, measure.oldest_us),
        "ages": [
            {"up_to_s": part * max_age_s, "objects": number}
            for part, number in zip(SHARES, measure.within, strict=True)
        ],
    }


def _age_s(at_us: int, us: int | None) -> float | None:
    return None if us is None else round((at_us - us) / US_PER_S, 1)


def _shown(us: int | None) -> str | None:
    return None if us is None else shown_us(us)


def freshness_lines(standings: Sequence[Standing], now_us: int) -> Iterator[str]:
    """Write how promises stand as lines of Prometheus text."""
    rows = [(_labels(one), one, one.measure) for one in standings]
    yield "# HELP conurb_promise_broken Whether a node's promise of freshness isn't kept."
    yield "# TYPE conurb_promise_broken gauge"
    for labels, one, _ in rows:
        yield sample("conurb_promise_broken", labels, int(one.state(now_us) == "broken"))
    yield "# HELP conurb_promise_max_age_seconds The age that was promised."
    yield "# TYPE conurb_promise_max_age_seconds gauge"
    for labels, one, _ in rows:
        yield sample("conurb_promise_max_age_seconds", labels, one.agreement.max_age_us / US_PER_S)
    yield "# HELP conurb_promise_objects Objects up to an age, in parts of the age promised."
    yield "# TYPE conurb_promise_objects gauge"
    for labels, _, measure in rows:
        if measure is not None:
            for part, number in zip(SHARES, measure.within, strict=True):
                yield sample("conurb_promise_objects", {**labels, "le": f"{part:g}"}, number)
            yield sample("conurb_promise_objects", {**labels, "le": "+Inf"}, measure.count)
    yield "# HELP conurb_promise_oldest_seconds Age of the oldest object when measured."
    yield "# TYPE conurb_promise_oldest_seconds gauge"
    for labels, _, measure in rows:
        age_s = None if measure is None else _age_s(measure.at_us, measure.oldest_us)
        if age_s is not None:
            yield sample("conurb_promise_oldest_seconds", labels, age_s)


def _labels(standing: Standing) -> dict[str, str]:
    agreement = standing.agreement
    return {"node": standing.node, "type": agreement.type, "agreement": agreement.id}


_NUMBER: Final = {"type": ["number", "null"]}
_TEXT: Final = {"type": ["string", "null"]}
_COUNT: Final = {"type": "integer", "minimum": 0}
SCHEMAS: Final[dict[str, Any]] = {
    "RegionFreshness": obj(
        {
            "period_s": {"type": "number"},
            "broken": _COUNT,
            "faults": items(obj({"node": {"type": "string"}, "fault": {"type": "string"}})),
            "promises": items(
                obj(
                    {
                        "node": {"type": "string"},
                        "agreement": {"type": "string"},
                        "type": {"type": "string"},
                        "state": {"enum": ["kept", "broken", "empty", "unknown", "idle"]},
                        "max_age_s": {"type": "number"},
                        "measured_by": {"type": "string"},
                        "share": {"type": "number"},
                        "contact": _TEXT,
                        "valid_from": _TEXT,
                        "valid_to": _TEXT,
                        "broken_since": _TEXT,
                        "error": _TEXT,
                        "clock_ahead_s": {"type": "number"},
                        "measured": {
                            "anyOf": [
                                {"type": "null"},
                                obj(
                                    {
                                        "at": {"type": "string", "format": "date-time"},
                                        "objects": _COUNT,
                                        "without_time": _COUNT,
                                        "ahead": _COUNT,
                                        "fresh_share": _NUMBER,
                                        "newest_age_s": _NUMBER,
                                        "oldest_age_s": _NUMBER,
                                        "ages": items(
                                            obj(
                                                {
                                                    "up_to_s": {"type": "number"},
                                                    "objects": _COUNT,
                                                }
                                            )
                                        ),
                                    }
                                ),
                            ]
                        },
                    }
                )
            ),
        }
    ),
}


def routes() -> tuple[Route, ...]:
    """Give the routes of this module."""
    return (
        Route(
            "GET",
            PATH,
            "regionFreshness",
            "What nodes promise of how fresh their objects are, and what is measured",
            freshness,
            "Region",
            accepts=(),
            replies={200: Reply("Every promise and how it stands.", "RegionFreshness")},
            errors=(),
        ),
    )

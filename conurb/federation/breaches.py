"""FreshnessBreach: the object that says that a promise of freshness isn't kept, and since when.

Its id derives from the agreement and from the time at which the promise broke, so that it is raised
once however often that is found; it is closed when the promise is kept again, and its history tells
what happened between. Pure: what is to be written is decided here, `conurb.federation.freshness`
writes it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from conurb.federation.agreements import (
    AGREED_SHARE,
    AGREED_TYPE,
    MAX_AGE,
    VALID_FROM,
    VALID_TO,
    Standing,
)
from conurb.model.entity import Entity, Instance, instance_value
from conurb.model.operations.entity import UpsertEntity
from conurb.model.query.tree import (
    And,
    AttributePath,
    Compare,
    Exists,
    Query,
    Selector,
    TypeIs,
)
from conurb.model.time import US_PER_S, fixed, shown_us
from conurb.model.vocabulary import platform_terms

if TYPE_CHECKING:
    from conurb.model.changes import Operation

_TERMS: Final = platform_terms()
BREACH: Final = _TERMS.expand("FreshnessBreach")
STATUS: Final = _TERMS.expand("status")
OF_AGREEMENT: Final = _TERMS.expand("refUpdateAgreement")
AT_NODE: Final = _TERMS.expand("atNode")
CAUSE: Final = _TERMS.expand("breachCause")
OBJECTS: Final = _TERMS.expand("objectCount")
STALE: Final = _TERMS.expand("staleCount")
OLDEST: Final = _TERMS.expand("oldestAt")

OPEN: Final = "open"
CLOSED: Final = "closed"
OLD: Final = "old"
"""Cause: objects are older than promised."""
SILENT: Final = "silent"
"""Cause: the node can't be measured, for longer than the age that it promised."""
BREACHES_MAX: Final = 10_000
"""Breaches that are open at a time."""
UNIT_S: Final = "SEC"


def open_breaches() -> Query:
    """Give the query for the breaches that are open."""
    is_open = Compare(AttributePath((STATUS,)), "==", OPEN)
    return Query(
        selectors=(Selector(types=TypeIs(BREACH)),),
        condition=And((is_open, Exists(AttributePath((OF_AGREEMENT,))))),
        limit=BREACHES_MAX,
    )


def by_agreement(breaches: Sequence[Entity]) -> dict[str, Entity]:
    """Give open breaches by the agreement that is broken."""
    found: dict[str, Entity] = {}
    for one in breaches:
        instance = one.instance(OF_AGREEMENT)
        agreement = None if instance is None else instance_value(instance)
        if isinstance(agreement, str):
            found[agreement] = one
    return found


def breach_id(owner: str, agreement_id: str, since_us: int) -> str:
    """Name the breach of an agreement that began at a time.

    >>> breach_id("delta", "urn:ngsi-ld:UpdateAgreement:wuxi:air", 0)
    'urn:ngsi-ld:FreshnessBreach:delta:b93b8e96273e2d6e-19700101T000000Z'
    """
    digest = hashlib.sha256(agreement_id.encode()).hexdigest()[:16]
    since = fixed(since_us)[:19].replace("-", "").replace(":", "")
    return f"urn:ngsi-ld:FreshnessBreach:{owner}:{digest}-{since}Z"


def changes(
    standings: Sequence[Standing], opened: Mapping[str, Entity], *, owner: str, now_us: int
) -> Iterator[Operation]:
    """Stream what is to be written, given how promises stand and which breaches are open.

    A breach whose agreement is no longer known is closed: nothing is promised any more. While it
    can't be said whether a promise is kept, nothing changes.
    """
    for one in standings:
        state = one.state(now_us)
        breach = opened.get(one.agreement.id)
        if state == "broken":
            operation = _raised(one, breach, owner=owner, now_us=now_us)
            if operation is not None:
                yield operation
        elif breach is not None and state != "unknown":
            yield _closed(breach, one, now_us)
    known = {one.agreement.id for one in standings}
    for agreement_id, breach in opened.items():
        if agreement_id not in known:
            yield _closed(breach, None, now_us)


def _raised(
    standing: Standing, breach: Entity | None, *, owner: str, now_us: int
) -> Operation | None:
    """Raise the breach of a promise, or bring it up to date; None when it says all already."""
    agreement = standing.agreement
    figures = _figures(standing, now_us)
    figures[CAUSE] = _property(OLD if standing.silent_since_us is None else SILENT, now_us)
    if breach is None:
        since_us = standing.broken_since_us(now_us)
        attrs: dict[str, Instance] = {
            OF_AGREEMENT: {"type": "Relationship", "object": agreement.id},
            AT_NODE: {"type": "Property", "value": standing.node},
            AGREED_TYPE: {"type": "VocabProperty", "vocab": agreement.type},
            MAX_AGE: {
                "type": "Property",
                "value": agreement.max_age_us / US_PER_S,
                "unitCode": UNIT_S,
            },
            AGREED_SHARE: {"type": "Property", "value": agreement.share},
            VALID_FROM: {"type": "Property", "value": shown_us(since_us)},
            STATUS: _property(OPEN, now_us),
            **figures,
        }
        return _upsert(breach_id(owner, agreement.id, since_us), attrs)
    changed = {
        name: instance
        for name, instance in figures.items()
        if _held(breach, name) != instance["value"]
    }
    return _upsert(breach.id, changed) if changed else None


def _closed(breach: Entity, standing: Standing | None, now_us: int) -> Operation:
    attrs = {
        STATUS: _property(CLOSED, now_us),
        VALID_TO: {"type": "Property", "value": shown_us(now_us)},
    }
    if standing is not None:
        attrs |= _figures(standing, now_us)
    return _upsert(breach.id, attrs)


def _figures(standing: Standing, now_us: int) -> dict[str, Instance]:
    measure = standing.measure
    if measure is None:
        return {}
    figures = {
        OBJECTS: _property(measure.count, now_us),
        STALE: _property(max(0, measure.count - measure.fresh), now_us),
    }
    if measure.oldest_us is not None:
        figures[OLDEST] = _property(shown_us(measure.oldest_us), now_us)
    return figures


def _upsert(entity_id: str, attrs: Mapping[str, Instance]) -> Operation:
    instances = {name: [dict(instance)] for name, instance in attrs.items()}
    return UpsertEntity(Entity(entity_id, (BREACH,), instances), mode="update")


def _property(value: Any, at_us: int) -> Instance:
    return {"type": "Property", "value": value, "observedAt": fixed(at_us)}


def _held(breach: Entity, attribute: str) -> Any:
    instance = breach.instance(attribute)
    return None if instance is None else instance_value(instance)

"""The history of one object, as a store gives it and `conurb.model.render` writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.changes import HistoryInstance
from conurb.model.names import is_uri
from conurb.model.query.tree import AggregationMethod, TimeProperty
from conurb.model.time import fixed_us

HEAD: Final = "@head"
"""The pseudo-attribute that holds an object's types, scope and expiry in its history.

Its instances are `{"types": [...], "scope": [...]}`, with `observedAt` when the scope was stated
with a time of its own.
"""

INSTANCE_PREFIX: Final = "urn:ngsi-ld:Instance:"
"""Beginning of an `instanceId`; its number follows."""

_NUMBER_DIGITS_MAX: Final = 19

Aggregates = dict[tuple[str, str | None], dict[AggregationMethod, list[tuple[Any, int, int]]]]
"""(attribute, datasetId) to method to rows of (value, period start in us, period end in us)."""


@dataclass(slots=True)
class Evolution:
    """The history of one object: instances per attribute, in order of the time property.

    The instances of `HEAD`, when given, tell the history of its scope. `deleted_us` is when the
    object was deleted, if it was. `aggregates` is set instead of `instances` for an aggregation.
    `kinds` says of which type an attribute is that isn't a Property, where no instance does: that
    of its latest row.
    """

    id: str
    types: tuple[str, ...]
    scope: tuple[str, ...]
    created_us: int
    modified_us: int
    deleted_us: int | None = None
    instances: dict[str, list[HistoryInstance]] = field(default_factory=dict)
    aggregates: Aggregates = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


def instance_id(number: int) -> str:
    """Give the instanceId of a history instance (clause 4.5.7).

    >>> instance_id(1763800000000000)
    'urn:ngsi-ld:Instance:1763800000000000'
    """
    return f"{INSTANCE_PREFIX}{number}"


def parse_instance_id(text: str) -> int | None:
    """Find the number in an instanceId; None when no node of ours gave it.

    Raises BadRequestDataError when it isn't a URI at all.

    >>> parse_instance_id("urn:ngsi-ld:Instance:7"), parse_instance_id("urn:x:7")
    (7, None)
    """
    if not is_uri(text):
        raise BadRequestDataError(f"instanceId: {text!r:.200} is not a URI")
    digits = text.removeprefix(INSTANCE_PREFIX)
    known = digits != text and digits.isascii() and digits.isdigit()
    return int(digits) if known and len(digits) <= _NUMBER_DIGITS_MAX else None


def time_of(one: HistoryInstance, timeproperty: TimeProperty) -> int | None:
    """Find the time of a history instance by a temporal property; None when it has none.

    Point 11 of `conurb.model.query.match` says it; microseconds since the epoch.
    """
    if one.instance is None:
        if timeproperty == "deletedAt":
            return one.recorded_us
        stated = timeproperty == "observedAt" and one.at_us != one.recorded_us
        return one.at_us if stated else None
    text = one.instance.get(timeproperty)
    return None if text is None else fixed_us(text)

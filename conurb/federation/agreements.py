"""Update agreements: what a node promises of how fresh its objects are, and whether that is kept.

An `UpdateAgreement` is an object of the node that promises: for one type, how old its objects may
become (`maxAge`), by the `observedAt` of one attribute (`measuredBy`) or by their last change, for
which share of them, from when until when. Pure: measuring is `conurb.federation.measuring`, what
follows from it `conurb.federation.freshness`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from conurb.errors import BadRequestDataError
from conurb.model.entity import Entity, instance_value
from conurb.model.query.temporal import parse_duration
from conurb.model.time import US_PER_S, parse_us, shown_us
from conurb.model.vocabulary import platform_terms

_TERMS: Final = platform_terms()
AGREEMENT: Final = _TERMS.expand("UpdateAgreement")
AGREED_TYPE: Final = _TERMS.expand("agreedType")
MAX_AGE: Final = _TERMS.expand("maxAge")
MEASURED_BY: Final = _TERMS.expand("measuredBy")
AGREED_SHARE: Final = _TERMS.expand("agreedShare")
VALID_FROM: Final = _TERMS.expand("validFrom")
VALID_TO: Final = _TERMS.expand("validTo")
CONTACT: Final = _TERMS.expand("contactPoint")

CHANGED: Final = "modifiedAt"
"""What `measuredBy` says when the last change of an object counts; also without it."""
MAX_AGE_S_MIN: Final = 1
MONTH_US: Final = 31 * 86_400 * US_PER_S
"""What a month of a duration counts: the longest one, as a promise isn't broken by a calendar."""
CONTACT_LENGTH_MAX: Final = 300

State = Literal["kept", "broken", "empty", "unknown", "idle"]
"""kept, broken; empty: no objects to measure; unknown: not measured yet, or at present; idle: not
valid now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """One promise: objects of a type aren't older than this.

    `attribute` is the IRI of the attribute whose `observedAt` counts, None for the last change of
    the object; `share` is how many of them have to be so fresh. Times bound its validity.
    """

    id: str
    type: str
    max_age_us: int
    attribute: str | None = None
    share: float = 1.0
    valid_from_us: int | None = None
    valid_to_us: int | None = None
    contact: str | None = None

    def holds_at(self, at_us: int) -> bool:
        """Whether it is valid at a time."""
        begun = self.valid_from_us is None or self.valid_from_us <= at_us
        return begun and (self.valid_to_us is None or at_us < self.valid_to_us)

    def document(self) -> dict[str, Any]:
        """Write it as it is kept and shown, names in full."""
        return {
            "id": self.id,
            "type": self.type,
            "maxAge": self.max_age_us / US_PER_S,
            "measuredBy": self.attribute or CHANGED,
            "share": self.share,
            "validFrom": _shown(self.valid_from_us),
            "validTo": _shown(self.valid_to_us),
            "contact": self.contact,
        }


def agreement_of(document: Any) -> Agreement:
    """Read an agreement as `Agreement.document` wrote it."""
    by = document["measuredBy"]
    return Agreement(
        id=document["id"],
        type=document["type"],
        max_age_us=round(document["maxAge"] * US_PER_S),
        attribute=None if by == CHANGED else by,
        share=document["share"],
        valid_from_us=_moment(document["validFrom"], "validFrom"),
        valid_to_us=_moment(document["validTo"], "validTo"),
        contact=document["contact"],
    )


def read_agreement(entity: Entity) -> Agreement:
    """Read the promise that an object of type UpdateAgreement states.

    Raises BadRequestDataError naming the object, the attribute and what is expected.
    """
    try:
        agreed, by = _name(entity, AGREED_TYPE), _name(entity, MEASURED_BY)
        if agreed is None:
            raise BadRequestDataError("agreedType: the type that it speaks of is missing")
        begun = _moment(_value(entity, VALID_FROM), "validFrom")
        ends = _moment(_value(entity, VALID_TO), "validTo")
        return Agreement(
            id=entity.id,
            type=agreed,
            max_age_us=_max_age_us(_value(entity, MAX_AGE)),
            attribute=None if by in (None, CHANGED, _TERMS.expand(CHANGED)) else by,
            share=_share(_value(entity, AGREED_SHARE)),
            valid_from_us=begun,
            valid_to_us=ends,
            contact=_contact(_value(entity, CONTACT)),
        )
    except BadRequestDataError as error:
        raise BadRequestDataError(f"agreement {entity.id}: {error.detail}") from error


def _value(entity: Entity, attribute: str) -> Any:
    instance = entity.instance(attribute)
    return None if instance is None else instance_value(instance)


def _name(entity: Entity, attribute: str) -> str | None:
    """Give the IRI that an attribute names: a VocabProperty, or a term of the platform as text."""
    value = _value(entity, attribute)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise BadRequestDataError(f"{_TERMS.compact(attribute)}: {value!r:.80} is not one name")
    return value if ":" in value else _TERMS.expand(value)


def _max_age_us(value: Any) -> int:
    """Read a duration: ISO 8601 text, or a number of seconds."""
    if isinstance(value, str):
        months, us = parse_duration(value, name="maxAge")
        age_us = us + months * MONTH_US
    elif isinstance(value, int | float) and not isinstance(value, bool):
        age_us = round(value * US_PER_S)
    else:
        raise BadRequestDataError(f"maxAge: {value!r:.80} is not a duration such as PT10M")
    if age_us < MAX_AGE_S_MIN * US_PER_S:
        raise BadRequestDataError(f"maxAge: {value!r:.80} is under {MAX_AGE_S_MIN} s")
    return age_us


def _share(value: Any) -> float:
    if value is None:
        return 1.0
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= 1:
        raise BadRequestDataError(f"agreedShare: {value!r:.80} is not over 0 and up to 1")
    return float(value)


def _contact(value: Any) -> str | None:
    return value[:CONTACT_LENGTH_MAX] if isinstance(value, str) else None


def _moment(value: Any, name: str) -> int | None:
    if isinstance(value, dict):
        value = value.get("@value")
    return None if value is None else parse_us(value, name=name)


def _shown(us: int | None) -> str | None:
    return None if us is None else shown_us(us)


SHARES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""The ages up to which objects are counted, in parts of the age that is promised."""
_PROMISED: Final = SHARES.index(1.0)


@dataclass(frozen=True, slots=True)
class Measure:
    """How old the objects of a type are on a node, counted there at `at_us`.

    `within` are the numbers of objects that aren't older than each of `SHARES` of the promised age;
    `dated` is how many have a time at all, `ahead` how many of a time to come. The times are None
    when no object has one.
    """

    at_us: int
    count: int
    dated: int
    within: tuple[int, ...]
    ahead: int
    newest_us: int | None
    oldest_us: int | None

    @property
    def fresh(self) -> int:
        """Give how many objects are as fresh as promised."""
        return self.within[_PROMISED]

    def keeps(self, agreement: Agreement) -> bool:
        """Whether the promise is kept; nothing promised of no objects is."""
        return self.fresh >= agreement.share * self.count

    def document(self) -> dict[str, Any]:
        """Write it as it is kept."""
        return {
            "at": self.at_us,
            "count": self.count,
            "dated": self.dated,
            "within": list(self.within),
            "ahead": self.ahead,
            "newest": self.newest_us,
            "oldest": self.oldest_us,
        }


def measure_of(document: Any) -> Measure:
    """Read a measure as `Measure.document` wrote it."""
    return Measure(
        at_us=document["at"],
        count=document["count"],
        dated=document["dated"],
        within=tuple(document["within"]),
        ahead=document["ahead"],
        newest_us=document["newest"],
        oldest_us=document["oldest"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A promise, whose it is, and what is known of its being kept.

    `measure` is the latest; `silent_since_us` is when the node could first not be measured after
    it, and `error` why.
    """

    agreement: Agreement
    node: str
    registration: str | None
    measure: Measure | None = None
    silent_since_us: int | None = None
    error: str | None = None

    def state(self, at_us: int) -> State:
        """Say how the promise stands at a time.

        A node that has been silent for longer than the age that it promises has broken it: nothing
        that the region can know of it is fresh.
        """
        agreement = self.agreement
        if not agreement.holds_at(at_us):
            return "idle"
        if self.silent_since_us is not None:
            silent_us = at_us - self.silent_since_us
            return "broken" if silent_us > agreement.max_age_us else "unknown"
        if self.measure is None:
            return "unknown"
        if not self.measure.count:
            return "empty"
        return "kept" if self.measure.keeps(agreement) else "broken"

    def broken_since_us(self, at_us: int) -> int:
        """Give since when a promise is broken that `state` says is."""
        age_us = self.agreement.max_age_us
        if self.silent_since_us is not None:
            return self.silent_since_us + age_us
        oldest_us = None if self.measure is None else self.measure.oldest_us
        return at_us if oldest_us is None else min(at_us, oldest_us + age_us)

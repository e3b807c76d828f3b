"""Compose CAP messages: a new alert in Chinese and English, and what follows on one.

Pure: names, times and texts in, an `Alert` out. An identifier derives from what the message says
and when, so that the same cause makes the same message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from conurb.errors import BadRequestDataError
from conurb.systems.warnings.areas import CITY_CODES, Cities
from conurb.systems.warnings.cap.alert import (
    Alert,
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    MsgType,
    Named,
    Reference,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
    to_us,
)
from conurb.systems.warnings.kinds import SCHEME, find_kind

LANGUAGES: Final[Mapping[str, str]] = {"zh": "zh-CN", "en": "en"}
"""The tags of the languages that we write."""

SIMULATED_NOTE: Final = "Simulated: an exercise, nothing of it is real. 模拟数据,演练用。"

_CATEGORIES: Final = {
    "weather": Category.MET,
    "environment": Category.ENV,
    "health": Category.HEALTH,
    "security": Category.SAFETY,
    "traffic": Category.TRANSPORT,
    "naturalDisaster": Category.GEO,
}
_DIGITS: Final = 8


@dataclass(frozen=True, slots=True)
class Wording:
    """What a message says in each language (zh, en); `event` None takes the kind's name."""

    headline: Mapping[str, str]
    description: Mapping[str, str]
    instruction: Mapping[str, str]
    event: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Grade:
    """How urgent, how bad, how sure."""

    severity: Severity
    urgency: Urgency = Urgency.IMMEDIATE
    certainty: Certainty = Certainty.OBSERVED


def from_us(us: int) -> datetime:
    """Give microseconds since the epoch as a time, to the second."""
    return datetime.fromtimestamp(us // 1_000_000, UTC)


@dataclass(frozen=True, slots=True)
class News:
    """What a new alert is about: who says it, of which kind, how bad, in which words, where."""

    sender: str
    kind: str
    grade: Grade
    wording: Wording
    areas: Sequence[Area]
    onset: datetime | None = None
    expires: datetime | None = None
    simulated: bool = False
    parameters: Sequence[Named] = ()
    source: str | None = None
    sender_name: str | None = None


def compose(news: News, *, sent: datetime) -> Alert:
    """Compose a new alert, an info per language that there is a headline in."""
    known = find_kind(news.kind)
    names = {"zh": known.zh, "en": known.en} if known else {"zh": news.kind, "en": news.kind}
    category = _CATEGORIES[known.category] if known is not None else Category.OTHER
    infos = tuple(
        Info(
            event=(news.wording.event or names).get(language, names[language]),
            categories=(category,),
            urgency=news.grade.urgency,
            severity=news.grade.severity,
            certainty=news.grade.certainty,
            language=tag,
            event_codes=(Named(SCHEME, news.kind),),
            effective=sent,
            onset=news.onset,
            expires=news.expires,
            sender_name=news.sender_name,
            headline=news.wording.headline.get(language),
            description=news.wording.description.get(language),
            instruction=news.wording.instruction.get(language),
            parameters=tuple(news.parameters),
            areas=tuple(news.areas),
        )
        for language, tag in LANGUAGES.items()
        if language in news.wording.headline or not news.wording.headline
    )
    draft = Alert(
        identifier="",
        sender=news.sender,
        sent=sent,
        status=Status.EXERCISE if news.simulated else Status.ACTUAL,
        msg_type=MsgType.ALERT,
        scope=Scope.PUBLIC,
        source=news.source,
        note=SIMULATED_NOTE if news.simulated else None,
        infos=infos,
    )
    return replace(draft, identifier=identifier_of(draft, news.kind))


def follow(
    earlier: Alert,
    msg_type: MsgType,
    *,
    sent: datetime,
    sender: str | None = None,
    note: str | None = None,
    infos: Sequence[Info] | None = None,
    all_clear: bool = False,
) -> Alert:
    """Compose what follows on a message: Update, Cancel, Ack or Error, or the all-clear.

    The references name the message and, but for Ack and Error, all that it referred to. The
    all-clear is an Update whose infos say that the danger is over (clause 3.2.2, responseType).
    Raises BadRequestDataError for msgType Alert.
    """
    if msg_type is MsgType.ALERT:
        raise BadRequestDataError("what follows on a message is Update, Cancel, Ack or Error")
    said = tuple(earlier.infos if infos is None else infos)
    if all_clear:
        said = tuple(
            replace(
                info,
                responses=(ResponseType.ALL_CLEAR,),
                urgency=Urgency.PAST,
                effective=sent,
                expires=None if info.expires is None else max(info.expires, sent),
            )
            for info in said
        )
    chain: tuple[Reference, ...] = (earlier.reference,)
    if msg_type in (MsgType.UPDATE, MsgType.CANCEL):
        chain = (*earlier.references, earlier.reference)
    draft = replace(
        earlier,
        identifier="",
        sender=sender or earlier.sender,
        sent=sent,
        msg_type=msg_type,
        note=note or earlier.note,
        references=chain,
        infos=() if msg_type in (MsgType.ACK, MsgType.ERROR) else said,
    )
    return replace(draft, identifier=identifier_of(draft, str(msg_type).lower()))


def identifier_of(draft: Alert, word: str) -> str:
    """Derive the identifier of a message from all that it says."""
    moment = draft.sent.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(repr(replace(draft, identifier="")).encode()).hexdigest()[:_DIGITS]
    return f"{word}-{moment}-{digest}"


def city_area(cities: Cities, city: str) -> Area:
    """Give the area of a city by its code."""
    one = cities.by_id[city]
    return Area(
        description=f"{one.name['zh']} {one.name['en']}",
        geocodes=(Named(CITY_CODES, one.code),),
    )


def point_area(
    cities: Cities, *, name: str, longitude: float, latitude: float, radius_km: float
) -> Area:
    """Give the area around a point, with the code of the city that it lies in."""
    city = cities.find_at(longitude, latitude)
    codes = () if city is None else (Named(CITY_CODES, cities.code_of(city)),)
    return Area(name, circles=(Circle(latitude, longitude, radius_km),), geocodes=codes)


def seconds_left(message: Alert, at_us: int) -> float:
    """Give how long a message holds from a time on; 0 when it is over or says no end."""
    ends = [to_us(info.expires) for info in message.infos if info.expires is not None]
    return max(0.0, (max(ends, default=at_us) - at_us) / 1_000_000)

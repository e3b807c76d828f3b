"""An alert ordered in plain words: what a duty officer fills in, made into a CAP message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError
from conurb.systems.warnings.cap.alert import (
    Alert,
    Area,
    Certainty,
    Circle,
    Severity,
    Urgency,
)
from conurb.systems.warnings.compose import (
    Grade,
    News,
    Wording,
    city_area,
    compose,
    from_us,
)
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.receiving import cities_at

if TYPE_CHECKING:
    from conurb.systems.contract import Site

HOURS_MAX: Final = 24 * 30
TEXT_MAX: Final = 10_000
_KNOWN: Final = frozenset(
    {"kind", "severity", "urgency", "certainty", "cities", "circle", "hours", "headline"}
    | {"description", "instruction", "exercise", "sender"}
)


def order(body: Mapping[str, Any], site: Site, *, sender: str) -> Alert:
    """Make the message that a JSON body orders.

    `kind`, `severity` (CAP's), `headline` ({zh, en} or one text for both), and where: `cities` (ids
    of the region) or `circle` ([longitude, latitude, km]); besides `urgency`, `certainty`,
    `description`, `instruction`, `hours` (24), `exercise` (false) and `sender`. Raises
    BadRequestDataError naming what is missing or wrong.
    """
    unknown = sorted(set(body) - _KNOWN)
    if unknown:
        raise BadRequestDataError(f"{', '.join(unknown)}: known are {', '.join(sorted(_KNOWN))}")
    kind = body.get("kind")
    if not isinstance(kind, str) or not kind.strip():
        raise BadRequestDataError("kind: what kind of happening it is, such as airPollution")
    hours = body.get("hours", 24)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= HOURS_MAX:
        raise BadRequestDataError(f"hours: {hours!r} is not in 0 to {HOURS_MAX}")
    now = site.now_us() // US_PER_S * US_PER_S
    grade = Grade(
        _one_of(Severity, body, "severity", None),
        _one_of(Urgency, body, "urgency", Urgency.IMMEDIATE),
        _one_of(Certainty, body, "certainty", Certainty.OBSERVED),
    )
    news = News(
        sender=_sender(body.get("sender", sender)),
        kind=kind,
        grade=grade,
        wording=Wording(
            _texts(body, "headline", needed=True),
            _texts(body, "description"),
            _texts(body, "instruction"),
        ),
        areas=_areas(body, site),
        onset=from_us(now),
        expires=from_us(now + int(hours * 3600) * US_PER_S),
        simulated=bool(body.get("exercise")),
        sender_name=site.owner,
    )
    return compose(news, sent=from_us(now))


def _sender(text: Any) -> str:
    return "".join(one for one in str(text) if not one.isspace() and one not in ",<&")


def _areas(body: Mapping[str, Any], site: Site) -> tuple[Area, ...]:
    cities = cities_at(site)
    named = body.get("cities") or ()
    unknown = [one for one in named if one not in cities.by_id]
    if unknown:
        raise BadRequestDataError(f"cities: {unknown[0]!r} is none of {', '.join(cities.by_id)}")
    areas = [city_area(cities, one) for one in named]
    circle = body.get("circle")
    if circle is not None:
        try:
            longitude, latitude, radius_km = map(float, circle)
        except (TypeError, ValueError) as error:
            raise BadRequestDataError(
                f"circle: {circle!r} is not [longitude, latitude, radius in km]"
            ) from error
        place = f"{radius_km:g} km around {latitude:g}, {longitude:g}"
        areas.append(Area(place, circles=(Circle(latitude, longitude, radius_km),)))
    if not areas:
        raise BadRequestDataError("where: cities (ids) or circle ([longitude, latitude, km])")
    return tuple(areas)


def _one_of(values: Any, body: Mapping[str, Any], name: str, default: Any) -> Any:
    given = body.get(name, default)
    allowed = [str(one) for one in values]
    if str(given) not in allowed:
        raise BadRequestDataError(f"{name}: {given!r} is none of {', '.join(allowed)}")
    return values(str(given))


def _texts(body: Mapping[str, Any], name: str, *, needed: bool = False) -> Mapping[str, str]:
    given = body.get(name)
    found = {"zh": given, "en": given} if isinstance(given, str) else given or {}
    fits = isinstance(found, dict) and all(
        key in ("zh", "en") and isinstance(text, str) and 0 < len(text) <= TEXT_MAX
        for key, text in found.items()
    )
    if not fits or (needed and not found):
        raise BadRequestDataError(f"{name}: a text, or one each for zh and en")
    return found

"""Raise, renew, ease and clear the warning that a rule stands behind.

A rule finds a level for a place; what is in force there is looked up in the store, so that what is
written and what is known never part. Every message derives from the observation that caused it:
its time of sending is the observation's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conurb.model.changes import Operation
from conurb.systems.contract import Provenance, Site
from conurb.systems.warnings.cap.alert import Alert, Area, MsgType, Named, Severity
from conurb.systems.warnings.compose import (
    Grade,
    News,
    Wording,
    compose,
    follow,
    from_us,
    seconds_left,
)
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.objects import Held
from conurb.systems.warnings.quality.raising import QUIET, step_of
from conurb.systems.warnings.querying import compare, own_objects, query_of
from conurb.systems.warnings.receiving import receive, written

if TYPE_CHECKING:
    from conurb.systems.warnings.lifecycle import Known

LEVEL: Final = "conurb:level"
PLACE: Final = "conurb:place"
"""Parameters of our messages: the level of the rule, and what place it watches."""

LIFE_S: Final = 12 * 3600
"""How long a warning of a rule holds without a new observation."""

RENEW_S: Final = 3 * 3600
"""A warning that holds no longer than this is renewed."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a rule says of a place now: which kind, how bad, where, in which words.

    `place` names what is watched (a city, a station). `severities` are those of levels 1, 2 ...
    """

    kind: str
    place: str
    level: int
    observed_us: int
    wording: Wording
    area: Area
    severities: Sequence[Severity]
    parameters: Sequence[Named] = ()
    provenance: Provenance = "live"


@dataclass(frozen=True, slots=True)
class Standing:
    """The warning of a rule that is in force at a place."""

    id: str
    message: Alert
    level: int


def sender_of(site: Site) -> str:
    """Give the sender of the messages that a site's rules make."""
    return f"warnings@{site.owner}"


async def standing_of(site: Site, kind: str) -> Mapping[tuple[str, bool], Standing]:
    """Look up the warnings of a kind that our rules have in force: (place, simulated) to each."""
    query = query_of(
        "Alert",
        compare("alertState", "==", "active"),
        compare("subCategory", "==", kind),
        compare("sender", "==", sender_of(site)),
    )
    found = {}
    for entity in await own_objects(site, query):
        held = Held(entity)
        message = held.message()
        said = {one.name: one.value for info in message.infos for one in info.parameters}
        if PLACE in said and LEVEL in said:
            simulated = held.provenance == "simulated"
            found[said[PLACE], simulated] = Standing(held.id, message, int(said[LEVEL]))
    return found


async def answer(
    case: Case, standing: Standing | None, site: Site, among: dict[str, Known]
) -> tuple[Sequence[Operation], Standing | None]:
    """Say what a case leads to: operations, and what is in force at the place after them."""
    before = QUIET if standing is None else standing.level
    step = step_of(before, case.level)
    if step is None and (standing is None or not _wants_renewal(standing.message, case)):
        return (), standing
    if standing is None:
        message = _new(case, site)
    elif step == "clear":
        cleared = _new(case, site).infos
        message = follow(
            standing.message,
            MsgType.UPDATE,
            sent=from_us(case.observed_us),
            infos=cleared,
            all_clear=True,
        )
    else:
        message = follow(
            standing.message,
            MsgType.UPDATE,
            sent=from_us(case.observed_us),
            infos=_new(case, site).infos,
        )
    receipt = await receive(written(message, site), site, provenance=case.provenance, among=among)
    now = None if step == "clear" else Standing(receipt.id, message, case.level)
    return receipt.operations, now


def _wants_renewal(message: Alert, case: Case) -> bool:
    return case.level > QUIET and seconds_left(message, case.observed_us) < RENEW_S


def _new(case: Case, site: Site) -> Alert:
    severity = case.severities[max(case.level, 1) - 1]
    news = News(
        sender=sender_of(site),
        kind=case.kind,
        grade=Grade(severity),
        wording=case.wording,
        areas=(case.area,),
        onset=from_us(case.observed_us),
        expires=from_us(case.observed_us + LIFE_S * US_PER_S),
        simulated=case.provenance == "simulated",
        parameters=(
            Named(PLACE, case.place),
            Named(LEVEL, str(case.level)),
            *case.parameters,
        ),
        source=f"conurb warnings, {case.provenance}",
    )
    return compose(news, sent=from_us(case.observed_us))

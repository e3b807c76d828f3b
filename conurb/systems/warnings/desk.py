"""The duty desk: acknowledge an alert or an event, release it to cities, and the log of who did so.

Both are said on the object itself (`acknowledged`, `releasedTo`), so that subscriptions, feeds and
the map see them, and each is a `DutyAction` of its own, so that nothing done at the desk is lost.
What goes out as a message (issue, cancel, clear) has its entry in the log, too: `entry_of`.
An action's id derives from what was done by whom and when: said twice within a second, it is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.federation.region import registrations_of
from conurb.model.entity import Entity
from conurb.model.operations.entity import UpsertEntity
from conurb.model.parse import parse_entity
from conurb.model.registration import THIS_PROCESS
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.node.guard import guard
from conurb.regions.objects import city_id
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.objects import DIGITS, Held, said_at
from conurb.systems.warnings.objects import TYPE as ALERT
from conurb.systems.warnings.querying import compare, query_of, region_objects
from conurb.systems.warnings.receiving import append, cities_at
from conurb.systems.warnings.regional import EVENT

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.changes import Operation
    from conurb.systems.contract import Provenance, Site
    from conurb.systems.warnings.states import ActionKind

TYPE: Final = "DutyAction"
BASE: Final = "/warnings"
WORDS_MAX: Final = 2_000
"""Characters of a note, and of a name."""

NAMES_MAX: Final = 50
"""Names kept on the object; the log keeps all."""


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does at the desk: to which object, who, a note, and for which cities.

    `actor` is who they say they are, `account` the caller by whose rights it is done.
    """

    kind: ActionKind
    target: str
    actor: str
    account: str
    note: str = ""
    cities: tuple[str, ...] = ()


async def do(act: Act, site: Site, caller: Caller) -> Entity:
    """Do it, and give the entry of the log.

    Raises NotFoundError when this site doesn't hold the alert or event, BadRequestDataError for a
    city that the region hasn't, ForbiddenError when the caller may not write it.
    """
    check(act)
    entity = await held_here(act.target, site)
    known = cities_at(site).by_id
    unknown = sorted(set(act.cities) - set(known))
    if unknown:
        raise BadRequestDataError(
            f"cities: {', '.join(unknown)}: the region's are {', '.join(sorted(known))}"
        )
    if act.kind == "release" and not act.cities:
        raise BadRequestDataError("a release names one city at least")
    held = Held(entity)
    entry = entry_of(act, site, title=title_of(held), provenance=held.provenance)
    if await site.node.store.find(entry.id) is not None:
        return entry
    operations: list[Operation] = [
        append(act.target, _change(act, held), held.provenance, at_us=site.now_us()),
        UpsertEntity(entry),
    ]
    await site.node.store.apply_all([guard(caller, one) for one in operations])
    return entry


def check(act: Act) -> None:
    """Raise BadRequestDataError for a note or a name that is too long, or no name."""
    if len(act.note) > WORDS_MAX or not 0 < len(act.actor) <= WORDS_MAX:
        raise BadRequestDataError(
            f"a note and a name have {WORDS_MAX} characters at most, a name one at least"
        )


def title_of(held: Held) -> Mapping[str, str]:
    """Give what an alert or an event is called, by language."""
    return held.texts("headline") or held.texts("name")


async def desks_of(site: Site) -> Mapping[str, str]:
    """Give where alerts can be acted on in this process: who keeps them, to the path of its desk.

    An alert stays with the node that it was given at, and so does what is done about it. A member
    of the region that is elsewhere has its own desk there.
    """
    found = {site.owner: BASE}
    for one in await registrations_of(site.node).all():
        if one.endpoint == THIS_PROCESS and one.tenant is not None:
            found[one.tenant] = f"/tenants/{quote(one.tenant, safe='')}{BASE}"
    return found


async def held_here(target: str, site: Site) -> Entity:
    """Give an alert or an event that the site holds; raise NotFoundError."""
    entity = await site.node.store.find(target)
    types = {site.expand(ALERT), site.expand(EVENT)}
    if entity is None or types.isdisjoint(entity.types):
        raise NotFoundError(f"no alert or regional event {target!r} is held at {site.owner}")
    return entity


async def log_of(site: Site, caller: Caller, *, target: str | None = None) -> Sequence[Entity]:
    """List what was done at the desk, and at those of the region's members, the last first.

    `target` leaves what was done to one alert or event.
    """
    conditions = () if target is None else (compare("refAlert", "==", target),)
    entries = await region_objects(site, caller, query_of(TYPE, *conditions))
    return sorted(entries, key=lambda one: (Held(one).text("actedAt"), one.id), reverse=True)


def entry_of(act: Act, site: Site, *, title: Mapping[str, str], provenance: Provenance) -> Entity:
    """Build the entry of the log; `title` is what the object is called, by language."""
    at = shown_us(site.now_us() // US_PER_S * US_PER_S)
    said = "\n".join((act.kind, act.target, act.actor, act.note, at, *act.cities))
    document: dict[str, Any] = {
        "id": site.urn(TYPE, hashlib.sha256(said.encode()).hexdigest()[:DIGITS]),
        "type": TYPE,
        "actionKind": act.kind,
        "refAlert": {"type": "Relationship", "object": act.target},
        "actor": act.actor,
        "account": act.account,
        "actedAt": at,
    }
    if title:
        document["headline"] = {"type": "LanguageProperty", "languageMap": dict(title)}
    if act.note:
        document["note"] = act.note
    if act.cities:
        ids = [city_id(one) for one in act.cities]
        document["releasedTo"] = {"type": "ListRelationship", "objectList": ids}
    entity = parse_entity(document, platform_terms())
    return entity.with_attrs(said_at(entity.attrs, provenance, site.now_us()))


def _change(act: Act, held: Held) -> dict[str, Any]:
    if act.kind == "acknowledge":
        before = held.find("acknowledgedBy")
        names = before if isinstance(before, list) else [] if before is None else [before]
        last = [*(one for one in names if one != act.actor), act.actor][-NAMES_MAX:]
        return {"acknowledged": True, "acknowledgedBy": last}
    ids = dict.fromkeys((*held.links("releasedTo"), *map(city_id, act.cities)))
    return {"releasedTo": {"type": "ListRelationship", "objectList": list(ids)}}

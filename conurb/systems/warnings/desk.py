"""The duty desk: acknowledge an alert or an event, release it to cities, and the log of who did so.

Both are said on the object itself (`acknowledged`, `releasedTo`), so that subscriptions, feeds and
the map see them, and each is a `DutyAction` of its own, so that nothing done at the desk is lost.
An action's id derives from what was done by whom and when: said twice within a second, it is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.model.entity import Entity
from conurb.model.operations.entity import UpsertEntity
from conurb.model.parse import parse_entity
from conurb.model.time import shown_us
from conurb.model.vocabulary import platform_terms
from conurb.node.guard import guard
from conurb.regions.objects import city_id
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.objects import DIGITS, Held, said_at
from conurb.systems.warnings.objects import TYPE as ALERT
from conurb.systems.warnings.querying import own_objects, query_of
from conurb.systems.warnings.receiving import append, cities_at
from conurb.systems.warnings.regional import EVENT

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.changes import Operation
    from conurb.systems.contract import Site

TYPE: Final = "DutyAction"
WORDS_MAX: Final = 2_000
"""Characters of a note, and of a name."""

NAMES_MAX: Final = 50
"""Names kept on the object; the log keeps all."""

Kind = Literal["acknowledge", "release"]


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does at the desk: to which object, who, a note, and for which cities."""

    kind: Kind
    target: str
    actor: str
    note: str = ""
    cities: tuple[str, ...] = ()


async def do(act: Act, site: Site, caller: Caller) -> Entity:
    """Do it, and give the entry of the log.

    Raises NotFoundError when this site doesn't hold the alert or event, BadRequestDataError for a
    city that the region hasn't, ForbiddenError when the caller may not write it.
    """
    entity = await held_here(act.target, site)
    known = cities_at(site).by_id
    unknown = sorted(set(act.cities) - set(known))
    if unknown:
        raise BadRequestDataError(
            f"cities: {', '.join(unknown)}: the region's are {', '.join(sorted(known))}"
        )
    if act.kind == "release" and not act.cities:
        raise BadRequestDataError("a release names one city at least")
    if len(act.note) > WORDS_MAX or not 0 < len(act.actor) <= WORDS_MAX:
        raise BadRequestDataError(f"a note and a name have {WORDS_MAX} characters at most")
    held = Held(entity)
    entry = entry_of(act, site, held)
    if await site.node.store.find(entry.id) is not None:
        return entry
    operations: list[Operation] = [
        append(act.target, _change(act, held), held.provenance, at_us=site.now_us()),
        UpsertEntity(entry),
    ]
    await site.node.store.apply_all([guard(caller, one) for one in operations])
    return entry


async def held_here(target: str, site: Site) -> Entity:
    """Give an alert or an event that the site holds; raise NotFoundError."""
    entity = await site.node.store.find(target)
    types = {site.expand(ALERT), site.expand(EVENT)}
    if entity is None or types.isdisjoint(entity.types):
        raise NotFoundError(f"no alert or regional event {target!r} is held at {site.owner}")
    return entity


async def log_of(site: Site) -> Sequence[Entity]:
    """List what was done at the desk, the last first."""
    entries = await own_objects(site, query_of(TYPE))
    return sorted(entries, key=lambda one: (Held(one).text("actedAt"), one.id), reverse=True)


def entry_of(act: Act, site: Site, held: Held) -> Entity:
    """Build the entry of the log."""
    at = shown_us(site.now_us() // US_PER_S * US_PER_S)
    said = "\n".join((act.kind, act.target, act.actor, act.note, at, *act.cities))
    document: dict[str, Any] = {
        "id": site.urn(TYPE, hashlib.sha256(said.encode()).hexdigest()[:DIGITS]),
        "type": TYPE,
        "actionKind": act.kind,
        "refAlert": {"type": "Relationship", "object": act.target},
        "actor": act.actor,
        "actedAt": at,
    }
    if act.note:
        document["note"] = act.note
    if act.cities:
        ids = [city_id(one) for one in act.cities]
        document["releasedTo"] = {"type": "ListRelationship", "objectList": ids}
    entity = parse_entity(document, platform_terms())
    return entity.with_attrs(said_at(entity.attrs, held.provenance, site.now_us()))


def _change(act: Act, held: Held) -> dict[str, Any]:
    if act.kind == "acknowledge":
        before = held.find("acknowledgedBy")
        names = before if isinstance(before, list) else [] if before is None else [before]
        last = [*(one for one in names if one != act.actor), act.actor][-NAMES_MAX:]
        return {"acknowledged": True, "acknowledgedBy": last}
    ids = dict.fromkeys((*held.links("releasedTo"), *map(city_id, act.cities)))
    return {"releasedTo": {"type": "ListRelationship", "objectList": list(ids)}}

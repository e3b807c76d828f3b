"""What a region has of each type: what its nodes have, put together, and who didn't say.

Nodes of the process say it themselves, those elsewhere by `COVERAGE_PATH`; what those have said is
taken as it is for a while, for it is what maps are drawn by, not what is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from conurb.errors import NotFoundError, SourceError
from conurb.federation.completeness import Completeness, completeness_of
from conurb.federation.envoy import Envoy
from conurb.federation.peers import LocalPeer, ask
from conurb.federation.region import reach_of
from conurb.model.query.tree import Query, Restriction
from conurb.model.registration import THIS_PROCESS
from conurb.model.time import US_PER_S, parse_us, shown_us
from conurb.model.vocabulary import platform_terms
from conurb.node.inventory import Stock
from conurb.store.survey import MARKS, Space, Survey, TypeSurvey, merged

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.federation.legs import Leg
    from conurb.federation.peers import Peer
    from conurb.node.node import Node

COVERAGE_PATH: Final = "/map/coverage"
TRUSTED_S: Final = 30.0
"""How long it is taken as it is what a node elsewhere has said."""


@dataclass(slots=True)
class Surveyed:
    """What there is, who said so, and as of when: the earliest of the times that nodes gave."""

    survey: Survey
    completeness: Completeness
    at_us: int


_said: WeakKeyDictionary[Node, dict[str, tuple[int, Stock]]] = WeakKeyDictionary()
"""Per node what others elsewhere have said last, by registration, and when."""


async def survey_of(node: Node, caller: Caller) -> Surveyed:
    """Give what there is for a caller.

    A caller who may not see everything is told how many they may see, and of which attributes:
    where and of which time the rest is would say more than they may know.
    """
    restriction = caller.require("read")
    if restriction != Restriction():
        return Surveyed(await _restricted(node, caller), Completeness(), node.clock())
    reach = reach_of(node)
    if await reach.is_alone(caller):
        stock = await node.inventory.survey()
        return Surveyed(stock.survey, Completeness((reach.name,)), stock.at_us)
    caller = reach.passed(caller)
    peers, absences = await reach.peers(caller, Query())
    answers, missing = await ask(peers, lambda peer: _part(node, peer, caller))
    survey = merged(one.survey for _, one in answers)
    at_us = min((one.at_us for _, one in answers), default=node.clock())
    return Surveyed(survey, completeness_of(peers, [*absences, *missing]), at_us)


async def _restricted(node: Node, caller: Caller) -> Survey:
    return {
        info.iri: TypeSurvey(
            info.iri,
            info.entity_count,
            {name: set(kinds) for name, kinds in info.attributes.items()},
        )
        for info in await node.consume.list_types(caller)
    }


async def _part(node: Node, peer: Peer, caller: Caller) -> Stock:
    leg = peer.leg
    if leg is None:
        return await node.inventory.survey()
    if leg.registration.endpoint == THIS_PROCESS and isinstance(peer, LocalPeer):
        member = await reach_of(node).open_node(leg.registration.tenant)
        found = await survey_of(member, caller)
        return Stock(_within(leg, found.survey), found.at_us)
    said = await _said_by(node, leg)
    return Stock(_within(leg, said.survey), said.at_us)


async def _said_by(node: Node, leg: Leg) -> Stock:
    """Give what a node elsewhere says that it has; raise SourceError when it can't say."""
    registration, now = leg.registration, node.clock()
    known = _said.setdefault(node, {}).get(registration.id)
    if known is not None and 0 <= now - known[0] < TRUSTED_S * US_PER_S:
        return known[1]
    token = registration.told("Authorization")
    envoy = Envoy(
        node.delivery.outbound,
        registration.endpoint.removesuffix("/").removesuffix("/ngsi-ld/v1"),
        tenant=registration.tenant,
        token=None if token is None else token.removeprefix("Bearer "),
    )
    try:
        stock = read_coverage(await envoy.ask("GET", COVERAGE_PATH), now_us=now)
    except NotFoundError as error:
        raise SourceError(f"{registration.name} doesn't say what it has") from error
    _said[node][registration.id] = now, stock
    return stock


def _within(leg: Leg, survey: Survey) -> Survey:
    """Keep of what a node has what it is registered for."""
    if leg.is_anything:
        return survey
    types = {iri for one in leg.information for info in one.entities for iri in info.types}
    return {iri: one for iri, one in survey.items() if not types or iri in types}


# ── how it is said ────────────────────────────────────────────────────────────────────────────


def coverage_document(survey: Survey) -> list[dict[str, Any]]:
    """Write what there is, names by the platform's @context."""
    compact = platform_terms().compact
    return [
        {
            "collection": compact(iri),
            "count": one.count,
            "attributes": {compact(a): sorted(kinds) for a, kinds in one.attributes.items()},
            "spaces": {
                compact(a): {"bbox": list(space.box), "kinds": sorted(space.kinds)}
                for a, space in one.spaces.items()
            },
            "time": time_document(one),
            "marks": sorted(one.marks),
        }
        for iri, one in sorted(survey.items())
    ]


def time_document(one: TypeSurvey) -> list[str] | None:
    """Write the times that observations of a type speak of; None without any."""
    if one.begin_us is None or one.end_us is None:
        return None
    return [shown_us(one.begin_us), shown_us(one.end_us)]


def read_coverage(document: Any, *, now_us: int) -> Stock:
    """Read what another node has said; raise SourceError when it isn't that."""
    try:
        found = [_read_type(one) for one in document["types"]]
        said_us = parse_us(document["asOf"], name="asOf") if "asOf" in document else now_us
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SourceError(f"what it has can't be read: {error!r:.200}", code=111) from error
    return Stock({one.iri: one for one in found}, min(said_us, now_us))


def _read_type(document: Mapping[str, Any]) -> TypeSurvey:
    expand = platform_terms().expand
    one = TypeSurvey(expand(document["collection"]), int(document["count"]))
    one.attributes = {expand(a): set(kinds) for a, kinds in document["attributes"].items()}
    for name, space in document["spaces"].items():
        west, south, east, north = map(float, space["bbox"])
        one.spaces[expand(name)] = Space((west, south, east, north), set(space["kinds"]))
    for end in document["time"] or ():
        one.add_time(parse_us(end, name="time"))
    one.marks.update(set(document.get("marks", ())) & MARKS.keys())
    return one

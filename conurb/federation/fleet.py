"""The co-located nodes that a request concerns, asked as one.

Nodes whose stores can be read together (`conurb.store.together`) and that answer for themselves
alone are one source of a region's answer: one job, one ordered page, one count. Whatever isn't so
simple (a node that asks others in turn, a registration that offers some attributes only, another
engine) is asked by itself, with the same meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from conurb.errors import ConurbError, NonexistentTenantError, UnavailableError
from conurb.federation.completeness import Absence
from conurb.federation.deadlines import bounded
from conurb.federation.gather import Portion, Wish
from conurb.federation.modes import Part
from conurb.federation.peers import LocalPeer, Peer, Reads
from conurb.federation.wire import TIMEOUT_S
from conurb.model.query.tree import Selector
from conurb.store.together import (
    Asked,
    JointHistory,
    evolve_together,
    is_readable,
    query_together,
)

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.model.query.tree import Query, TemporalQuery

NAME: Final = "co-located nodes"
JOB_SHARE: Final = 0.9
"""The share of the time that a job may take, so that it can still say which file was too slow."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """What nodes say of one entity."""

    id: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Ship:
    """One node of the fleet, and the query as far as its registration goes."""

    peer: LocalPeer
    reads: Reads
    query: Query


@dataclass(frozen=True, slots=True)
class Fleet:
    """Co-located nodes, asked in one go for what one query wants."""

    ships: tuple[Ship, ...]
    name: str = NAME
    timeout_s: float = TIMEOUT_S * 2
    """Each node keeps to its own time; this is only for what never comes back."""

    async def query(
        self, caller: Caller, wish: Wish, *, at_us: int | None, known_at_us: int | None
    ) -> Portion[Cluster]:
        """Give a part of their entities, in the order of the query."""
        joint = await query_together(
            self._asked(lambda query: _wished(query, wish)),
            within_s=bounded(TIMEOUT_S, caller) * JOB_SHARE,
            at_us=at_us,
            known_at_us=known_at_us,
        )
        legs = [ship.peer.leg for ship in self.ships]
        items = [
            Cluster(group[0][1].id, tuple(Part(legs[at], entity) for at, entity in group))
            for group in joint.groups
        ]
        return Portion(
            items,
            joint.more,
            joint.total,
            exact=joint.exact,
            runs=joint.runs,
            absences=self._absences(joint.failures),
        )

    async def evolution(
        self, caller: Caller, query: TemporalQuery
    ) -> tuple[JointHistory, tuple[Absence, ...]]:
        """Give a page of their histories, and who of them gave none."""
        wanted = query.query
        wish = Wish(wanted.limit, wanted.offset, wanted.count)
        joint = await evolve_together(
            self._asked(lambda own: _wished(own, wish)),
            query,
            within_s=bounded(TIMEOUT_S, caller) * JOB_SHARE,
        )
        return joint, self._absences(joint.failures)

    async def find_many(
        self, caller: Caller, entity_ids: Sequence[str]
    ) -> tuple[list[Part], list[Absence]]:
        """Give what they have of some entities, by their ids, and who couldn't be read."""
        restriction = caller.require("read")
        parts: list[Part] = []
        absences: list[Absence] = []
        for ship in self.ships:
            leg = ship.peer.leg
            try:
                found = await ship.reads.store.find_many(entity_ids, restriction)
            except UnavailableError as error:
                absences.append(Absence(ship.peer.name, error.detail))
                continue
            parts += [
                Part(leg, one) for one in found if leg is None or leg.covers(one.id, one.types)
            ]
        return parts, absences

    def only(self, ids: tuple[str, ...]) -> Fleet:
        """Give the same nodes, asked for some objects alone."""
        narrowed: dict[int, Query] = {}
        for ship in self.ships:
            selectors = ship.query.selectors or (Selector(),)
            narrowed.setdefault(
                id(ship.query),
                replace(ship.query, selectors=tuple(replace(one, ids=ids) for one in selectors)),
            )
        ships = (replace(ship, query=narrowed[id(ship.query)]) for ship in self.ships)
        return replace(self, ships=tuple(ships))

    def _asked(self, change: Callable[[Query], Query]) -> list[Asked]:
        """Say what each is asked; those that are asked the same are given the same object."""
        changed: dict[int, Query] = {}
        asked = []
        for ship in self.ships:
            key = id(ship.query)
            if key not in changed:
                changed[key] = change(ship.query)
            asked.append(Asked(ship.reads.store, changed[key]))
        return asked

    def _absences(self, failures: dict[int, str]) -> tuple[Absence, ...]:
        return tuple(Absence(self.ships[at].peer.name, why) for at, why in failures.items())


def _wished(query: Query, wish: Wish) -> Query:
    return replace(query, limit=wish.limit, offset=wish.offset, count=wish.count)


@dataclass(slots=True)
class Muster:
    """Whom a request concerns, sorted: the fleet, those asked by themselves, those not there."""

    fleet: Fleet | None
    others: list[Peer]
    absences: list[Absence]

    def named(self, absences: Sequence[Absence]) -> list[Absence]:
        """Name who is missing when all of the fleet is."""
        ships = () if self.fleet is None else self.fleet.ships
        return [
            replace(absence, node=name)
            for absence in absences
            for name in (
                [ship.peer.name for ship in ships] if absence.node == NAME else [absence.node]
            )
        ]

    @property
    def sources(self) -> list[Fleet | Peer]:
        """Give who is asked."""
        return [*([] if self.fleet is None else [self.fleet]), *self.others]


async def muster(peers: Sequence[Peer], caller: Caller, query: Query) -> Muster:
    """Sort those whom a request concerns by how they are asked."""
    restricted = replace(query, restriction=caller.require("read"))
    narrowed: dict[object, Query | None] = {}
    ships: list[Ship] = []
    sorted_ = Muster(None, [], [])
    for peer in peers:
        if not isinstance(peer, LocalPeer) or not _is_simple(peer):
            sorted_.others.append(peer)
            continue
        try:
            reads = await peer.open()
        except (UnavailableError, NonexistentTenantError) as error:
            sorted_.absences.append(_absence(peer, error))
            continue
        if not is_readable(reads.store) or not await reads.consume.is_alone(caller):
            sorted_.others.append(peer)
            continue
        key = None if peer.leg is None else peer.leg.information
        if key not in narrowed:
            narrowed[key] = restricted if peer.leg is None else peer.leg.narrowed(restricted)
        own = narrowed[key]
        if own is not None:
            ships.append(Ship(peer, reads, own))
    if ships:
        sorted_.fleet = Fleet(tuple(ships))
    return sorted_


def _absence(peer: Peer, error: ConurbError) -> Absence:
    return Absence(peer.name, error.detail)


def _is_simple(peer: LocalPeer) -> bool:
    """Whether what a node may be asked is a query of its own: narrowed, nothing is left to do."""
    leg = peer.leg
    if leg is None:
        return True
    return peer.timeout_s == TIMEOUT_S and all(
        not one.attributes and all(len(info.types) <= 1 for info in one.entities)
        for one in leg.information
    )

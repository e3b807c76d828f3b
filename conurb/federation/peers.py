"""The nodes that a region asks, behind one interface wherever they are.

A co-located node is called through its own facade, with the caller of the request, so that its
rules hold there as they do over HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from conurb.access.caller import Caller
from conurb.errors import (
    AccessError,
    ContextUnavailableError,
    InputError,
    NonexistentTenantError,
    SourceError,
    UnavailableError,
)
from conurb.federation.completeness import Absence, Behind, Completeness, FederatedAnswer
from conurb.federation.deadlines import bounded
from conurb.federation.legs import Leg
from conurb.federation.remote import RemotePeer
from conurb.federation.remote_source import Went
from conurb.federation.wire import TIMEOUT_S, Wire
from conurb.model.entity import Entity
from conurb.model.query.tree import Query, Selector, TemporalQuery
from conurb.model.registration import THIS_PROCESS
from conurb.node.consume import Answer, Consumption
from conurb.node.node import Node
from conurb.node.temporal import Temporal
from conurb.store.contract import EvolutionPage

if TYPE_CHECKING:
    from conurb.store.contract import AttributeInfo, Store, TypeInfo

T = TypeVar("T")
IDS_MAX: Final = 100
"""Ids that a node which asks others in turn is asked for at a time."""

Open = Callable[[str | None], Awaitable[Node]]
"""Gives the node of a tenant of this process."""


class Peer(Protocol):
    """A node that can be asked, as far as its registration goes."""

    @property
    def leg(self) -> Leg | None:
        """Give what it is registered for; None for the node itself."""
        ...

    @property
    def name(self) -> str:
        """Give the name by which answers call it."""
        ...

    @property
    def timeout_s(self) -> float:
        """Give how long its answer is waited for."""
        ...

    async def query(
        self, caller: Caller, query: Query, *, at_us: int | None, known_at_us: int | None
    ) -> Answer:
        """Query its own entities."""
        ...

    async def find_many(self, caller: Caller, entity_ids: Sequence[str]) -> Answer:
        """Give those of its own entities that there are."""
        ...

    async def list_types(self, caller: Caller) -> list[TypeInfo]:
        """List the types of its own entities."""
        ...

    async def find_type(self, caller: Caller, iri: str) -> TypeInfo | None:
        """Describe a type of its own entities; None when it has none of it."""
        ...

    async def list_attributes(self, caller: Caller) -> list[AttributeInfo]:
        """List the attributes of its own entities."""
        ...

    async def find_attribute(self, caller: Caller, iri: str) -> AttributeInfo | None:
        """Describe an attribute of its own entities; None when none has it."""
        ...

    async def evolution(self, caller: Caller, query: TemporalQuery) -> EvolutionPage:
        """Query the history of its own entities."""
        ...


@dataclass(frozen=True, slots=True)
class Reads:
    """What can be asked of a node of the same process."""

    consume: Consumption
    temporal: Temporal
    store: Store


@dataclass(frozen=True, slots=True)
class LocalPeer:
    """A node of the same process: a tenant, opened when it is asked."""

    name: str
    open: Callable[[], Awaitable[Reads]]
    timeout_s: float = TIMEOUT_S
    leg: Leg | None = None

    async def query(
        self, caller: Caller, query: Query, *, at_us: int | None, known_at_us: int | None
    ) -> Answer:
        """Query its own entities."""
        leg = self.leg
        consume = (await self.open()).consume
        if leg is None or leg.is_anything:
            return await consume.query(caller, query, at_us=at_us, known_at_us=known_at_us)
        narrowed = leg.narrowed(query)
        if narrowed is None:
            return Answer([], total=0 if query.count else None)
        answer = await consume.query(caller, narrowed, at_us=at_us, known_at_us=known_at_us)
        answer.entities = _within(leg, answer.entities)
        return answer

    async def find_many(self, caller: Caller, entity_ids: Sequence[str]) -> Answer:
        """Give those of its own entities that there are, and of nodes behind it."""
        reads = await self.open()
        leg = self.leg
        if not await reads.consume.is_alone(caller):
            return await self._find_behind(caller, entity_ids)
        found = await reads.store.find_many(entity_ids, caller.require("read"))
        return Answer(found if leg is None or leg.is_anything else _within(leg, found))

    async def _find_behind(self, caller: Caller, entity_ids: Sequence[str]) -> Answer:
        """Give entities of a node that asks others in turn, with what it says of them."""
        found: list[Entity] = []
        behind = Behind()
        for ids in batched(entity_ids, IDS_MAX):
            wanted = Query((Selector(ids=ids),), limit=len(ids))
            answer = await self.query(caller, wanted, at_us=None, known_at_us=None)
            behind.hear(answer)
            found += answer.entities
        said = Completeness(missing=tuple(behind.absences), notes=behind.notes)
        return FederatedAnswer(found, completeness=said)

    async def list_types(self, caller: Caller) -> list[TypeInfo]:
        """List the types of its own entities."""
        return await (await self.open()).consume.list_types(caller)

    async def find_type(self, caller: Caller, iri: str) -> TypeInfo | None:
        """Describe a type of its own entities; None when it has none of it."""
        infos = await self.list_types(caller)
        return next((info for info in infos if info.iri == iri), None)

    async def list_attributes(self, caller: Caller) -> list[AttributeInfo]:
        """List the attributes of its own entities."""
        return await (await self.open()).consume.list_attributes(caller)

    async def find_attribute(self, caller: Caller, iri: str) -> AttributeInfo | None:
        """Describe an attribute of its own entities; None when none has it."""
        infos = await self.list_attributes(caller)
        return next((info for info in infos if info.iri == iri), None)

    async def evolution(self, caller: Caller, query: TemporalQuery) -> EvolutionPage:
        """Query the history of its own entities."""
        temporal = (await self.open()).temporal
        leg = self.leg
        if leg is None or leg.is_anything:
            return await temporal.query(caller, query)
        narrowed = leg.narrowed(query.query)
        if narrowed is None:
            return EvolutionPage([], total=0 if query.query.count else None)
        page = await temporal.query(caller, replace(query, query=narrowed))
        page.evolutions = [
            within for one in page.evolutions if (within := leg.within_evolution(one)) is not None
        ]
        return page


def peer_of(leg: Leg, open_node: Open, wire: Wire | None, went: Went) -> Peer:
    """Give the peer that a registration points to; raise UnavailableError when it can't be."""
    registration = leg.registration
    if registration.endpoint != THIS_PROCESS:
        if wire is None:
            raise UnavailableError(f"{registration.endpoint}: only nodes of this process are asked")
        return RemotePeer(leg, wire, went)

    async def opened() -> Reads:
        node = await open_node(registration.tenant)
        return Reads(node.consume, node.temporal, node.store)

    return LocalPeer(registration.name, opened, registration.timeout_s or TIMEOUT_S, leg)


def batched(ids: Sequence[str], size: int) -> Iterator[tuple[str, ...]]:
    """Stream ids in batches."""
    for first in range(0, len(ids), size):
        yield tuple(ids[first : first + size])


def _within(leg: Leg, entities: Sequence[Entity]) -> list[Entity]:
    return [kept for one in entities if (kept := leg.within(one)) is not None]


class Timed(Protocol):
    """What answers under a name, in some time."""

    @property
    def name(self) -> str:
        """Give the name by which answers call it."""
        ...

    @property
    def timeout_s(self) -> float:
        """Give how long its answer is waited for."""
        ...


P = TypeVar("P", bound=Timed)


async def ask(
    peers: Sequence[P], call: Callable[[P], Awaitable[T]], *, caller: Caller | None = None
) -> tuple[list[tuple[P, T]], list[Absence]]:
    """Ask all peers at once; give the answers, in the order of `peers`, and who didn't answer.

    Nobody is waited for longer than the caller waits. What the caller did wrong (InputError,
    AccessError) is raised: every node would say the same.
    """

    async def one(peer: P) -> T | Absence:
        within_s = bounded(peer.timeout_s, caller)
        try:
            async with asyncio.timeout(within_s):
                return await call(peer)
        except TimeoutError:
            return Absence(peer.name, f"no answer in {within_s:.3g} s")
        except (InputError, AccessError):
            raise
        except SourceError as error:
            return Absence(peer.name, error.detail, error.code)
        except (UnavailableError, NonexistentTenantError, ContextUnavailableError) as error:
            return Absence(peer.name, error.detail)

    if len(peers) == 1:
        results = [await one(peers[0])]
    else:
        results = await asyncio.gather(*(one(peer) for peer in peers))
    answers: list[tuple[P, T]] = []
    absences: list[Absence] = []
    for peer, result in zip(peers, results, strict=True):
        if isinstance(result, Absence):
            absences.append(result)
        else:
            answers.append((peer, result))
    return answers, absences

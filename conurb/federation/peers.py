"""The nodes that a region asks, behind one interface wherever they are.

A co-located node is called through its own facade, with the caller of the request, so that its
rules hold there as they do over HTTP.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from conurb.access.caller import Caller
from conurb.errors import AccessError, InputError, NonexistentTenantError, UnavailableError
from conurb.federation.completeness import Absence
from conurb.model.entity import Entity
from conurb.model.query.tree import Query, TemporalQuery
from conurb.model.registration import THIS_PROCESS, Registration
from conurb.node.consume import Answer, Consumption
from conurb.node.node import Node
from conurb.node.temporal import Temporal

if TYPE_CHECKING:
    from conurb.store.contract import AttributeInfo, EvolutionPage, Store, TypeInfo

TIMEOUT_S: Final = 10.0
"""How long a node's answer is waited for, unless its registration says otherwise."""

T = TypeVar("T")
Open = Callable[[str | None], Awaitable[Node]]
"""Gives the node of a tenant of this process."""


class Peer(Protocol):
    """A node that can be asked."""

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

    async def find_many(self, caller: Caller, entity_ids: Sequence[str]) -> list[Entity]:
        """Give those of its own entities that there are."""
        ...

    async def list_types(self, caller: Caller) -> list[TypeInfo]:
        """List the types of its own entities."""
        ...

    async def list_attributes(self, caller: Caller) -> list[AttributeInfo]:
        """List the attributes of its own entities."""
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

    async def query(
        self, caller: Caller, query: Query, *, at_us: int | None, known_at_us: int | None
    ) -> Answer:
        """Query its own entities."""
        consume = (await self.open()).consume
        return await consume.query(caller, query, at_us=at_us, known_at_us=known_at_us)

    async def find_many(self, caller: Caller, entity_ids: Sequence[str]) -> list[Entity]:
        """Give those of its own entities that there are."""
        store = (await self.open()).store
        return await store.find_many(entity_ids, caller.require("read"))

    async def list_types(self, caller: Caller) -> list[TypeInfo]:
        """List the types of its own entities."""
        return await (await self.open()).consume.list_types(caller)

    async def list_attributes(self, caller: Caller) -> list[AttributeInfo]:
        """List the attributes of its own entities."""
        return await (await self.open()).consume.list_attributes(caller)

    async def evolution(self, caller: Caller, query: TemporalQuery) -> EvolutionPage:
        """Query the history of its own entities."""
        return await (await self.open()).temporal.query(caller, query)


def peer_of(registration: Registration, open_node: Open) -> Peer:
    """Give the peer that a registration points to; raise UnavailableError when it can't be."""
    if registration.endpoint != THIS_PROCESS:
        raise UnavailableError(f"{registration.endpoint}: only nodes of this process are asked")

    async def opened() -> Reads:
        node = await open_node(registration.tenant)
        return Reads(node.consume, node.temporal, node.store)

    return LocalPeer(registration.name, opened, registration.timeout_s or TIMEOUT_S)


async def ask(
    peers: Sequence[Peer], call: Callable[[Peer], Awaitable[T]]
) -> tuple[list[tuple[Peer, T]], list[Absence]]:
    """Ask all peers at once; give the answers, in the order of `peers`, and who didn't answer.

    What the caller did wrong (InputError, AccessError) is raised: every node would say the same.
    """

    async def one(peer: Peer) -> T | Absence:
        try:
            async with asyncio.timeout(peer.timeout_s):
                return await call(peer)
        except TimeoutError:
            return Absence(peer.name, f"no answer in {peer.timeout_s:g} s")
        except (InputError, AccessError):
            raise
        except (UnavailableError, NonexistentTenantError) as error:
            return Absence(peer.name, error.detail)

    results = await asyncio.gather(*(one(peer) for peer in peers))
    answers: list[tuple[Peer, T]] = []
    absences: list[Absence] = []
    for peer, result in zip(peers, results, strict=True):
        if isinstance(result, Absence):
            absences.append(result)
        else:
            answers.append((peer, result))
    return answers, absences

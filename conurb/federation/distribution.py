"""How a write is distributed, whatever it writes: who is concerned, and doing all parts at once.

`conurb.federation.distribute` and `distribute_batch` say what is written; this says to whom, by
`conurb.federation.shares`, and lets each source write within its time, wherever it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from conurb.access.caller import Caller
from conurb.errors import ConurbError, ForbiddenError, SourceTimeoutError, UnavailableError
from conurb.federation.legs import Leg
from conurb.federation.remote_writes import RemoteProvision
from conurb.federation.route import retrieval
from conurb.federation.shares import Did, Share, Shares, looped, of_entity, share_out
from conurb.federation.wire import TIMEOUT_S
from conurb.model.query.tree import Restriction, TypeAny, TypeIs, TypeSelection
from conurb.model.registration import THIS_PROCESS
from conurb.node.guard import is_of
from conurb.node.provide import Provision

if TYPE_CHECKING:
    from conurb.federation.reach import Reach
    from conurb.node.node import Node

T = TypeVar("T")
Writer = Provision | RemoteProvision
"""Who writes: a node of this process, or a source elsewhere."""


class Distribution(Provision):
    """A node's writes, and whom else they concern."""

    def __init__(self, node: Node, own: Provision, reach: Reach) -> None:
        super().__init__(node.store, node.bounds)
        self._own = own
        self._reach = reach

    @property
    def own(self) -> Provision:
        """Give the writes of this node alone."""
        return self._own

    async def _shared(
        self,
        caller: Caller,
        operations: Sequence[str],
        entity_id: str,
        *,
        types: Collection[str] = (),
        attributes: Iterable[str] = (),
        selection: TypeSelection | None = None,
        entity_level: bool = False,
    ) -> tuple[Shares, Caller]:
        """Share out a write; give the caller as sources are to see them.

        `entity_level` is a write to the entity as a whole: whoever has some of it is concerned.
        """
        caller.require("write")
        names = tuple(attributes)
        own = Shares(entity_id, local=frozenset(names))
        if not await self._reach.registrations.any():
            return own, caller
        if not types and (selection is None or entity_level):
            held = await self._store.find(entity_id)
            types = () if held is None else held.types
        legs = await self._legs(entity_id, types, selection, () if entity_level else names)
        if entity_level:
            shares = of_entity(legs, operations, entity_id, types, caller.via)
        else:
            shares = share_out(
                legs, operations, entity_id, types=types, attributes=names, via=caller.via
            )
        if shares.is_own:
            return shares, caller
        if caller.restriction != Restriction():
            raise ForbiddenError(
                f"{caller.name} may write some types or scopes only, which this node can't judge "
                f"of {entity_id!r}: other nodes hold parts of it"
            )
        if self._reach.alias in caller.via:
            return looped(shares, names, self._reach.alias), caller
        return shares, self._reach.passed(caller)

    async def _legs(
        self,
        entity_id: str,
        types: Collection[str],
        selection: TypeSelection | None,
        attributes: Sequence[str],
    ) -> list[Leg]:
        known: TypeSelection | None = selection
        if types and (selection is None or is_of(tuple(types), selection)):
            parts = tuple(map(TypeIs, types))
            known = parts[0] if len(parts) == 1 else TypeAny(parts)
        query = retrieval(entity_id, types=known, attributes=attributes)
        matches = await self._reach.registrations.find(query)
        return [Leg(one.registration, one.information) for one in matches]

    async def _do(
        self,
        shares: Shares,
        send: Callable[[Writer, Share], Awaitable[T]],
        write: Callable[[], Awaitable[T]],
    ) -> tuple[list[Did], list[T]]:
        """Do all parts at once; give what became of each, and what those that succeeded gave."""
        results: list[T] = []

        async def one(share: Share) -> Did:
            try:
                results.append(await self._sent(share.leg, lambda writer: send(writer, share)))
            except ConurbError as error:
                return Did(share, error)
            return Did(share)

        async def local() -> Did:
            try:
                results.append(await write())
            except ConurbError as error:
                return Did(None, error)
            return Did(None)

        works = [one(share) for share in shares.remote]
        if shares.is_local:
            works.append(local())
        done = list(await asyncio.gather(*works))
        done += [Did(share, error) for share, error in shares.failures]
        return done, results

    async def _sent(self, leg: Leg, send: Callable[[Writer], Awaitable[T]]) -> T:
        """Let a source write, within its time."""
        within_s = leg.registration.timeout_s or TIMEOUT_S
        try:
            async with asyncio.timeout(within_s):
                return await send(await self._writer(leg))
        except TimeoutError as error:
            raise SourceTimeoutError(f"{leg.name}: no answer in {within_s:g} s") from error

    async def _writer(self, leg: Leg) -> Writer:
        registration = leg.registration
        if registration.endpoint == THIS_PROCESS:
            return (await self._reach.open_node(registration.tenant)).provide
        if self._reach.wire is None:
            raise UnavailableError(f"{registration.endpoint}: only nodes of this process are asked")
        return RemoteProvision(leg, self._reach.wire, self._reach.went)

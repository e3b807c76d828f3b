"""The writes of a node that has registered others: each part goes to whom it belongs (5.6.x).

A drop-in for a node's own `provide`: the protocols call it without knowing. A write is shared out
(`conurb.federation.shares`), all parts are done at once, each within its time, and what became of
them is told together: nothing when all went well, the parts when some did, the error when none.
Batches are in `conurb.federation.distribute_batch`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from conurb.access.caller import Caller
from conurb.errors import (
    ConurbError,
    ForbiddenError,
    NotFoundError,
    SourceTimeoutError,
    UnavailableError,
)
from conurb.federation.distribute_batch import BatchDistribution
from conurb.federation.legs import Leg
from conurb.federation.remote_writes import RemoteProvision
from conurb.federation.route import retrieval
from conurb.federation.shares import (
    Did,
    Share,
    Shares,
    faults,
    fragment_of,
    local_fragment,
    looped,
    of_entity,
    part_of,
    share_out,
    told_apart,
    unsupported,
    worst,
)
from conurb.federation.wire import TIMEOUT_S
from conurb.model.entity import Entity, Instance
from conurb.model.operations.entity import Report
from conurb.model.query.tree import (
    Query,
    Restriction,
    TypeAny,
    TypeIs,
    TypeSelection,
)
from conurb.model.registration import THIS_PROCESS
from conurb.node.guard import is_of
from conurb.node.outcomes import BatchResult
from conurb.node.provide import Provision

if TYPE_CHECKING:
    from conurb.federation.reach import Reach
    from conurb.model.parse import Fragment
    from conurb.node.node import Node

T = TypeVar("T")
Writer = Provision | RemoteProvision
"""Who writes: a node of this process, or a source elsewhere."""


class FederatedProvision(BatchDistribution, Provision):
    """The writes of a node and of those that it has registered."""

    def __init__(self, node: Node, own: Provision, reach: Reach) -> None:
        super().__init__(node.store, node.bounds)
        self._own = own
        self._reach = reach

    @property
    def own(self) -> Provision:
        """Give the writes of this node alone."""
        return self._own

    # ── one entity ────────────────────────────────────────────────────────────────────────────

    async def create(self, caller: Caller, entity: Entity) -> BatchResult | None:
        """Create an entity, in parts where it belongs (clause 5.6.1)."""
        shares, caller = await self._shared(
            caller, ("createEntity",), entity.id, types=entity.types, attributes=entity.attrs
        )
        return await self._entity(
            caller,
            shares,
            lambda writer, share: writer.create(caller, part_of(entity, share.attributes)),
            lambda: self._own.create(caller, part_of(entity, shares.local)),
        )

    async def replace(
        self,
        caller: Caller,
        entity_id: str,
        entity: Entity,
        *,
        types: TypeSelection | None = None,
    ) -> BatchResult | None:
        """Replace an entity, in parts where it belongs (clause 5.6.18)."""
        shares, caller = await self._shared(
            caller,
            ("replaceEntity",),
            entity_id,
            types=entity.types,
            attributes=entity.attrs,
            selection=types,
        )
        return await self._entity(
            caller,
            shares,
            lambda writer, share: writer.replace(
                caller, entity_id, part_of(entity, share.attributes), types=types
            ),
            lambda: self._own.replace(
                caller, entity_id, part_of(entity, shares.local), types=types
            ),
        )

    async def merge(
        self,
        caller: Caller,
        entity_id: str,
        fragment: Fragment,
        *,
        types: TypeSelection | None = None,
        observed_at: str | None = None,
        lang: str | None = None,
    ) -> BatchResult | None:
        """Merge a fragment into an entity, in parts where it belongs (clause 5.6.17)."""
        shares, caller = await self._shared(
            caller, ("mergeEntity",), entity_id, attributes=fragment.attrs, selection=types
        )
        return await self._entity(
            caller,
            shares,
            lambda writer, share: writer.merge(
                caller,
                entity_id,
                fragment_of(fragment, share),
                types=types,
                observed_at=observed_at,
                lang=lang,
            ),
            lambda: self._own.merge(
                caller,
                entity_id,
                local_fragment(fragment, shares),
                types=types,
                observed_at=observed_at,
                lang=lang,
            ),
        )

    async def delete(
        self, caller: Caller, entity_id: str, *, types: TypeSelection | None = None
    ) -> BatchResult | None:
        """Delete an entity wherever it is held, here too if it is (clause 5.6.6)."""
        shares, caller = await self._shared(
            caller, ("deleteEntity",), entity_id, selection=types, entity_level=True
        )
        shares.is_local = True
        return await self._entity(
            caller,
            shares,
            lambda writer, share: writer.delete(caller, entity_id, types=types),
            lambda: self._own.delete(caller, entity_id, types=types),
        )

    async def _entity(
        self,
        caller: Caller,
        shares: Shares,
        send: Callable[[Writer, Share], Awaitable[BatchResult | None]],
        write: Callable[[], Awaitable[BatchResult | None]],
    ) -> BatchResult | None:
        """Do the parts of a write to an entity; give what failed when only some of them did."""
        if shares.is_own:
            return await write()
        done, results = await self._do(shares, send, write)
        for result in results:
            for _, error in result.errors if result is not None else ():
                done.append(Did(None, error))
        errors = faults(shares, done)
        if not any(one.error is None for one in done) and not told_apart(errors):
            raise worst(errors)
        if errors:
            return BatchResult([], [], [(shares.entity_id, error) for error in errors])
        return None

    # ── attributes ────────────────────────────────────────────────────────────────────────────

    async def update(
        self,
        caller: Caller,
        entity_id: str,
        fragment: Fragment,
        *,
        types: TypeSelection | None = None,
    ) -> Report:
        """Update attributes where they are held (clause 5.6.2)."""
        shares, caller = await self._shared(
            caller, ("updateEntity",), entity_id, attributes=fragment.attrs, selection=types
        )
        return await self._reported(
            shares,
            lambda writer, share: writer.update(
                caller, entity_id, fragment_of(fragment, share), types=types
            ),
            lambda: self._own.update(
                caller, entity_id, local_fragment(fragment, shares), types=types
            ),
        )

    async def append(
        self,
        caller: Caller,
        entity_id: str,
        fragment: Fragment,
        *,
        types: TypeSelection | None = None,
        overwrite: bool = True,
    ) -> Report:
        """Append attributes where they belong (clause 5.6.3)."""
        shares, caller = await self._shared(
            caller, ("appendAttrs",), entity_id, attributes=fragment.attrs, selection=types
        )
        return await self._reported(
            shares,
            lambda writer, share: writer.append(
                caller, entity_id, fragment_of(fragment, share), types=types, overwrite=overwrite
            ),
            lambda: self._own.append(
                caller,
                entity_id,
                local_fragment(fragment, shares),
                types=types,
                overwrite=overwrite,
            ),
        )

    async def partial_update(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        instances: Sequence[Instance],
        *,
        types: TypeSelection | None = None,
    ) -> Report | None:
        """Overwrite members of an attribute where it is held (clause 5.6.4)."""
        shares, caller = await self._shared(
            caller, ("updateAttrs",), entity_id, attributes=(attribute,), selection=types
        )
        return await self._attribute(
            shares,
            lambda writer, share: writer.partial_update(
                caller, entity_id, attribute, instances, types=types
            ),
            lambda: self._own.partial_update(caller, entity_id, attribute, instances, types=types),
        )

    async def replace_attribute(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        instances: Sequence[Instance],
        *,
        types: TypeSelection | None = None,
    ) -> Report | None:
        """Replace an attribute where it is held (clause 5.6.19)."""
        shares, caller = await self._shared(
            caller, ("replaceAttrs",), entity_id, attributes=(attribute,), selection=types
        )
        return await self._attribute(
            shares,
            lambda writer, share: writer.replace_attribute(
                caller, entity_id, attribute, instances, types=types
            ),
            lambda: self._own.replace_attribute(
                caller, entity_id, attribute, instances, types=types
            ),
        )

    async def delete_attribute(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        *,
        types: TypeSelection | None = None,
        dataset: str | None = None,
        all_instances: bool = False,
    ) -> Report | None:
        """Delete an attribute where it is held (clause 5.6.5)."""
        shares, caller = await self._shared(
            caller, ("deleteAttrs",), entity_id, attributes=(attribute,), selection=types
        )

        def delete(writer: Writer) -> Awaitable[Report | None]:
            return writer.delete_attribute(
                caller,
                entity_id,
                attribute,
                types=types,
                dataset=dataset,
                all_instances=all_instances,
            )

        return await self._attribute(
            shares, lambda writer, _: delete(writer), lambda: delete(self._own)
        )

    async def delete_scope(
        self, caller: Caller, entity_id: str, *, types: TypeSelection | None = None
    ) -> Report | None:
        """Take the scopes away from an entity wherever it is held (clause 5.6.5)."""
        shares, caller = await self._shared(
            caller, ("deleteAttrs",), entity_id, selection=types, entity_level=True
        )
        return await self._attribute(
            shares,
            lambda writer, _: writer.delete_scope(caller, entity_id, types=types),
            lambda: self._own.delete_scope(caller, entity_id, types=types),
        )

    async def _attribute(
        self,
        shares: Shares,
        send: Callable[[Writer, Share], Awaitable[Report | None]],
        write: Callable[[], Awaitable[Report | None]],
    ) -> Report | None:
        """Do the parts of a write to one attribute; give a report when only some succeeded."""
        if shares.is_own:
            return await write()

        async def sent(writer: Writer, share: Share) -> Report:
            report = await send(writer, share)
            return Report(list(share.attributes), []) if report is None else report

        async def written() -> Report:
            report = await write()
            return Report(list(shares.local), []) if report is None else report

        report = await self._reported(shares, sent, written)
        return report if report.not_updated else None

    async def _reported(
        self,
        shares: Shares,
        send: Callable[[Writer, Share], Awaitable[Report]],
        write: Callable[[], Awaitable[Report]],
    ) -> Report:
        """Do the parts of a write to attributes, and report on all of them (clause 5.2.18)."""
        if shares.is_own:
            return await write()
        done, reports = await self._do(shares, send, write)
        errors = faults(shares, done)
        if not any(one.error is None for one in done):
            raise worst(errors)
        updated: dict[str, None] = {}
        left: list[tuple[str, str]] = []
        for report in reports:
            updated.update(dict.fromkeys(report.updated))
            left += report.not_updated
        for one in done:
            if one.error is not None and one.error in errors:
                names = shares.local if one.share is None else one.share.attributes
                left += [(name, one.error.detail) for name in sorted(names)]
        return Report(list(updated), left)

    # ── how ───────────────────────────────────────────────────────────────────────────────────

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

    async def purge(
        self,
        caller: Caller,
        query: Query,
        *,
        drop: Sequence[str] = (),
        keep: Sequence[str] = (),
    ) -> BatchResult:
        """Delete the entities that a query selects wherever they are held (clause 5.6.21)."""
        caller.require("write")
        if self._reach.alias in caller.via or not await self._reach.registrations.any():
            return await self._own.purge(caller, query, drop=drop, keep=keep)
        passed = self._reach.passed(caller)
        result = BatchResult()
        works: list[Awaitable[BatchResult]] = []
        for match in await self._reach.registrations.find(query, passed=caller.via):
            leg = Leg(match.registration, match.information)
            narrowed = leg.narrowed(query)
            if leg.mode == "auxiliary" or narrowed is None:
                continue
            if leg.supports("purgeEntity"):
                works.append(self._purged(leg, passed, narrowed, drop, keep))
            elif leg.is_proxied:
                result.errors.append((leg.registration.id, unsupported(leg, "purgeEntity")))
        if works and caller.restriction != Restriction():
            raise ForbiddenError(f"{caller.name} may purge within this node alone; use local=true")
        parts = await asyncio.gather(self._own.purge(caller, query, drop=drop, keep=keep), *works)
        for part in parts:
            result.success += part.success
            result.errors += part.errors
        return result

    async def _purged(
        self, leg: Leg, caller: Caller, query: Query, drop: Sequence[str], keep: Sequence[str]
    ) -> BatchResult:
        try:
            return await self._sent(
                leg, lambda writer: writer.purge(caller, query, drop=drop, keep=keep)
            )
        except NotFoundError:
            return BatchResult()
        except ConurbError as error:
            error.registration_id = leg.registration.id
            return BatchResult(errors=[(leg.registration.id, error)])

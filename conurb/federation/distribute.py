"""The writes of a node that has registered others: each part goes to whom it belongs (5.6.x).

A drop-in for a node's own `provide`: the protocols call it without knowing. A write is shared out
(`conurb.federation.shares`), all parts are done at once, each within its time, and what became of
them is told together: nothing when all went well, the parts when some did, the error when none.
Batches are in `conurb.federation.distribute_batch`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from conurb.access.caller import Caller
from conurb.errors import (
    ConurbError,
    ForbiddenError,
    NotFoundError,
)
from conurb.federation.distribute_batch import BatchDistribution
from conurb.federation.distribution import Writer
from conurb.federation.legs import Leg
from conurb.federation.shares import (
    Did,
    Share,
    Shares,
    faults,
    fragment_of,
    local_fragment,
    part_of,
    told_apart,
    unsupported,
    worst,
)
from conurb.model.entity import Entity, Instance
from conurb.model.operations.entity import Report
from conurb.model.query.tree import (
    Query,
    Restriction,
    TypeSelection,
)
from conurb.node.outcomes import BatchResult

if TYPE_CHECKING:
    from conurb.model.parse import Fragment


class FederatedProvision(BatchDistribution):
    """The writes of a node and of those that it has registered."""

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

    # ── purging ───────────────────────────────────────────────────────────────────────────────

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

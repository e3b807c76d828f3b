"""Batches of writes, shared out between sources and this node (clauses 5.6.7 to 5.6.10, 5.6.20).

Each entity is shared out as if it came alone; what goes to one source goes as one batch if the
source takes batches, else entity by entity. An entity succeeds when none of its parts failed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from conurb.access.caller import Caller
from conurb.errors import (
    ConurbError,
    ForbiddenError,
    LoopDetectedError,
    NotFoundError,
    TooLargeError,
)
from conurb.federation.distribution import Distribution
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
)
from conurb.model.entity import Entity
from conurb.model.parse import Fragment
from conurb.model.query.tree import Restriction
from conurb.node.outcomes import BatchResult

if TYPE_CHECKING:
    from conurb.federation.legs import Leg

SINGLES_MAX: Final = 16
"""Entities sent one by one to a source at a time."""

Item = TypeVar("Item")


@dataclass(slots=True)
class _Plan(Generic[Item]):
    """What goes where: per source its items, what nobody takes, and what this node writes."""

    shares: dict[str, Shares] = field(default_factory=dict)
    remote: dict[str, tuple[Leg, list[tuple[Share, Item]]]] = field(default_factory=dict)
    local: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Kind(Generic[Item]):
    """One kind of batch: how its items are taken apart, and how they are written."""

    batch: str
    singles: tuple[str, ...]
    id_of: Callable[[Item], str]
    types_of: Callable[[Item], Collection[str]]
    attributes_of: Callable[[Item], Iterable[str]]
    part: Callable[[Item, Share], Item]
    local: Callable[[Item, Shares], Item]
    many: Callable[[Any, Sequence[Item], Caller], Awaitable[BatchResult]]
    one: Callable[[Any, Item, Leg, Caller], Awaitable[bool]]
    whole: bool = False


class BatchDistribution(Distribution):
    """The batches of a node that has registered others."""

    async def create_batch(self, caller: Caller, entities: Sequence[Entity]) -> BatchResult:
        """Create entities where they belong (clause 5.6.7)."""

        async def one(writer: Any, entity: Entity, _: Leg, by: Caller) -> bool:
            await writer.create(by, entity)
            return True

        return await self._distributed(
            caller,
            entities,
            _of_entities(
                "createBatch",
                ("createEntity",),
                lambda writer, items, by: writer.create_batch(by, items),
                one,
            ),
        )

    async def upsert_batch(
        self,
        caller: Caller,
        entities: Sequence[Entity],
        *,
        mode: Literal["replace", "update"] = "replace",
    ) -> BatchResult:
        """Create entities, or replace or update those that exist (clause 5.6.8)."""

        async def one(writer: Any, entity: Entity, leg: Leg, by: Caller) -> bool:
            try:
                if mode == "replace" and leg.supports("replaceEntity"):
                    await writer.replace(by, entity.id, entity)
                    return False
                if mode == "update" and leg.supports("appendAttrs"):
                    await writer.append(by, entity.id, _as_fragment(entity))
                    return False
                if mode == "update" and leg.supports("updateEntity"):
                    await writer.update(by, entity.id, _as_fragment(entity))
                    return False
            except NotFoundError:
                if not leg.supports("createEntity"):
                    raise
            await writer.create(by, entity)
            return True

        singles = ("createEntity", "replaceEntity" if mode == "replace" else "appendAttrs")
        return await self._distributed(
            caller,
            entities,
            _of_entities(
                "upsertBatch",
                singles if mode == "replace" else (*singles, "updateEntity"),
                lambda writer, items, by: writer.upsert_batch(by, items, mode=mode),
                one,
            ),
        )

    async def update_batch(
        self,
        caller: Caller,
        fragments: Sequence[tuple[str, Fragment]],
        *,
        overwrite: bool = True,
    ) -> BatchResult:
        """Append fragments to entities where they are held (clause 5.6.9)."""

        async def one(writer: Any, item: tuple[str, Fragment], leg: Leg, by: Caller) -> bool:
            if leg.supports("appendAttrs"):
                await writer.append(by, *item, overwrite=overwrite)
            else:
                await writer.update(by, *item)
            return False

        return await self._distributed(
            caller,
            fragments,
            _of_fragments(
                "updateBatch",
                ("appendAttrs", "updateEntity") if overwrite else ("appendAttrs",),
                lambda writer, items, by: writer.update_batch(by, items, overwrite=overwrite),
                one,
            ),
        )

    async def merge_batch(
        self,
        caller: Caller,
        fragments: Sequence[tuple[str, Fragment]],
        *,
        observed_at: str | None = None,
        lang: str | None = None,
    ) -> BatchResult:
        """Merge fragments into entities where they are held (clause 5.6.20)."""

        async def one(writer: Any, item: tuple[str, Fragment], _: Leg, by: Caller) -> bool:
            await writer.merge(by, *item, observed_at=observed_at, lang=lang)
            return False

        return await self._distributed(
            caller,
            fragments,
            _of_fragments(
                "mergeBatch",
                ("mergeEntity",),
                lambda writer, items, by: writer.merge_batch(
                    by, items, observed_at=observed_at, lang=lang
                ),
                one,
            ),
        )

    async def delete_batch(self, caller: Caller, entity_ids: Sequence[str]) -> BatchResult:
        """Delete entities wherever they are held (clause 5.6.10)."""

        async def one(writer: Any, entity_id: str, _: Leg, by: Caller) -> bool:
            await writer.delete(by, entity_id)
            return False

        kind: _Kind[str] = _Kind(
            batch="deleteBatch",
            singles=("deleteEntity",),
            id_of=lambda entity_id: entity_id,
            types_of=lambda _: (),
            attributes_of=lambda _: (),
            part=lambda entity_id, _: entity_id,
            local=lambda entity_id, _: entity_id,
            many=lambda writer, items, by: writer.delete_batch(by, items),
            one=one,
            whole=True,
        )
        return await self._distributed(caller, entity_ids, kind)

    # ── how ───────────────────────────────────────────────────────────────────────────────────

    async def _distributed(
        self, caller: Caller, items: Sequence[Item], kind: _Kind[Item]
    ) -> BatchResult:
        caller.require("write")
        if not items or not await self._reach.registrations.any():
            return await kind.many(self._own, items, caller)
        if len(items) > self._bounds.batch_max:
            raise TooLargeError(
                f"batch: {len(items)} entities; at most {self._bounds.batch_max} are taken"
            )
        plan, refused = await self._planned(caller, items, kind)
        if not plan.remote and not refused and len(plan.local) == len(items):
            return await kind.many(self._own, plan.local, caller)
        if caller.restriction != Restriction():
            raise ForbiddenError(
                f"{caller.name} may write some types or scopes only, and other nodes hold parts "
                "of this batch"
            )
        passed = self._reach.passed(caller)
        done: dict[str, list[Did]] = {one: [] for one in plan.shares}
        created: dict[str, None] = {}
        works = [
            self._to_source(leg, parts, kind, passed, done, created)
            for leg, parts in plan.remote.values()
        ]
        if plan.local:
            works.append(self._to_own(plan.local, kind, caller, done, created))
        await asyncio.gather(*works)
        result = BatchResult(errors=refused)
        for entity_id, shares in plan.shares.items():
            did = done[entity_id] + [Did(share, error) for share, error in shares.failures]
            errors = faults(shares, did)
            result.errors += [(entity_id, error) for error in errors]
            if not errors:
                result.success.append(entity_id)
        failed = {entity_id for entity_id, _ in result.errors}
        result.created = [one for one in created if one not in failed]
        return result

    async def _planned(
        self, caller: Caller, items: Sequence[Item], kind: _Kind[Item]
    ) -> tuple[_Plan[Item], list[tuple[str, ConurbError]]]:
        plan: _Plan[Item] = _Plan()
        refused: list[tuple[str, ConurbError]] = []
        unknown = [kind.id_of(one) for one in items if not kind.types_of(one)]
        held = {one.id: one.types for one in await self._store.find_many(unknown)}
        operations = (kind.batch, *kind.singles)
        for number, item in enumerate(items):
            if number % 50 == 49:
                await asyncio.sleep(0)
            entity_id = kind.id_of(item)
            types = kind.types_of(item) or held.get(entity_id, ())
            attributes = tuple(kind.attributes_of(item))
            legs = await self._legs(entity_id, types, None, attributes)
            if kind.whole:
                shares = of_entity(legs, operations, entity_id, types, caller.via)
            else:
                shares = share_out(
                    legs,
                    operations,
                    entity_id,
                    types=types,
                    attributes=attributes,
                    via=caller.via,
                )
            if not shares.is_own and self._reach.alias in caller.via:
                try:
                    shares = looped(shares, attributes, self._reach.alias)
                except LoopDetectedError as error:
                    refused.append((entity_id, error))
                    continue
            plan.shares[entity_id] = shares
            for share in shares.remote:
                key = share.leg.registration.id
                parts = plan.remote.setdefault(key, (share.leg, []))[1]
                parts.append((share, kind.part(item, share)))
            if shares.is_local:
                plan.local.append(kind.local(item, shares))
        return plan, refused

    async def _to_source(
        self,
        leg: Leg,
        parts: Sequence[tuple[Share, Item]],
        kind: _Kind[Item],
        caller: Caller,
        done: dict[str, list[Did]],
        created: dict[str, None],
    ) -> None:
        """Send a source its part of a batch, and note what became of it."""
        shares = {kind.id_of(item): share for share, item in parts}
        if leg.supports(kind.batch):
            try:
                items = [item for _, item in parts]
                result = await self._sent(leg, lambda writer: kind.many(writer, items, caller))
            except ConurbError as error:
                for entity_id, share in shares.items():
                    done[entity_id].append(Did(share, error))
                return
            errors = dict(result.errors)
            created.update(dict.fromkeys(one for one in result.created if one in done))
            for entity_id, share in shares.items():
                done[entity_id].append(Did(share, errors.get(entity_id)))
            return
        gate = asyncio.Semaphore(SINGLES_MAX)

        async def one(share: Share, item: Item) -> None:
            entity_id = kind.id_of(item)
            async with gate:
                try:
                    if await self._sent(leg, lambda writer: kind.one(writer, item, leg, caller)):
                        created[entity_id] = None
                except ConurbError as error:
                    done[entity_id].append(Did(share, error))
                    return
            done[entity_id].append(Did(share))

        await asyncio.gather(*(one(share, item) for share, item in parts))

    async def _to_own(
        self,
        items: Sequence[Item],
        kind: _Kind[Item],
        caller: Caller,
        done: dict[str, list[Did]],
        created: dict[str, None],
    ) -> None:
        result = await kind.many(self._own, items, caller)
        errors = dict(result.errors)
        created.update(dict.fromkeys(result.created))
        for item in items:
            entity_id = kind.id_of(item)
            done[entity_id].append(Did(None, errors.get(entity_id)))


def _of_entities(
    batch: str,
    singles: tuple[str, ...],
    many: Callable[[Any, Sequence[Entity], Caller], Awaitable[BatchResult]],
    one: Callable[[Any, Entity, Leg, Caller], Awaitable[bool]],
) -> _Kind[Entity]:
    return _Kind(
        batch=batch,
        singles=singles,
        id_of=lambda entity: entity.id,
        types_of=lambda entity: entity.types,
        attributes_of=lambda entity: entity.attrs,
        part=lambda entity, share: part_of(entity, share.attributes),
        local=lambda entity, shares: part_of(entity, shares.local),
        many=many,
        one=one,
    )


def _of_fragments(
    batch: str,
    singles: tuple[str, ...],
    many: Callable[[Any, Sequence[tuple[str, Fragment]], Caller], Awaitable[BatchResult]],
    one: Callable[[Any, tuple[str, Fragment], Leg, Caller], Awaitable[bool]],
) -> _Kind[tuple[str, Fragment]]:
    return _Kind(
        batch=batch,
        singles=singles,
        id_of=lambda item: item[0],
        types_of=lambda item: item[1].types,
        attributes_of=lambda item: item[1].attrs,
        part=lambda item, share: (item[0], fragment_of(item[1], share)),
        local=lambda item, shares: (item[0], local_fragment(item[1], shares)),
        many=many,
        one=one,
    )


def _as_fragment(entity: Entity) -> Fragment:
    """Give an entity as what is appended to one that exists."""
    return Fragment(
        entity.attrs,
        types=entity.types,
        scope=entity.scope or None,
        expires_at=entity.expires_at,
    )

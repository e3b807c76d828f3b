"""Provide: every write to a node's objects (clauses 5.6.1 to 5.6.10 and 5.6.17 to 5.6.21).

Each write is an operation of `conurb.model.operations`, guarded by what its caller may write,
handed to the store. One entity at a time raises what went wrong; a batch gives an outcome each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from conurb.access.caller import Caller
from conurb.errors import BadRequestDataError, ConflictError, ConurbError, TooLargeError
from conurb.model.changes import Change, Operation
from conurb.model.entity import Entity, Instance
from conurb.model.operations.attribute import (
    DeleteAttribute,
    DeleteScope,
    PartialUpdateAttribute,
    ReplaceAttribute,
)
from conurb.model.operations.entity import (
    AppendAttributes,
    CreateEntity,
    DeleteEntity,
    KeepAttributes,
    MergeEntity,
    ReplaceEntity,
    Report,
    UpdateAttributes,
    UpsertEntity,
)
from conurb.model.query.tree import Query, TypeSelection, link_depth
from conurb.node.bounds import Bounds
from conurb.node.guard import guard, guard_all
from conurb.node.outcomes import BatchResult
from conurb.node.selecting import select_ids

if TYPE_CHECKING:
    from conurb.model.parse import Fragment
    from conurb.store.contract import Store


class Provision:
    """The writes of one node."""

    def __init__(self, store: Store, bounds: Bounds) -> None:
        self._store = store
        self._bounds = bounds

    # ── one entity ────────────────────────────────────────────────────────────────────────────

    @property
    def own(self) -> Provision:
        """Give the writes of this node alone, whatever nodes it speaks for (6.3.18, `local`)."""
        return self

    async def create(self, caller: Caller, entity: Entity) -> BatchResult | None:
        """Create an entity (clause 5.6.1).

        Gives what became of its parts when only some of them were written, which a node alone
        never does; this holds for replacing, merging and deleting too. Raises AlreadyExistsError
        when there is one of its id.
        """
        await self._apply(caller, CreateEntity(entity))
        return None

    async def upsert(
        self, caller: Caller, entity: Entity, *, mode: Literal["replace", "update"] = "replace"
    ) -> bool:
        """Create an entity, or replace or update the one of its id; whether it was created."""
        change = await self._apply(caller, UpsertEntity(entity, mode=mode))
        return change.before is None

    async def replace(
        self,
        caller: Caller,
        entity_id: str,
        entity: Entity,
        *,
        types: TypeSelection | None = None,
    ) -> BatchResult | None:
        """Replace all of an entity but its time of creation (clause 5.6.18).

        Raises NotFoundError when there is no such entity, of `types` if given; this holds for
        every method here that takes `types`.
        """
        await self._apply(caller, ReplaceEntity(replace(entity, id=entity_id)), types)
        return None

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
        """Merge a fragment into an entity, to any depth (clauses 5.6.17, 5.5.12).

        `observed_at` (fixed width) and `lang` are the common ones of the request.
        """
        operation = MergeEntity(entity_id, fragment, observed_at=observed_at, lang=lang)
        await self._apply(caller, operation, types)
        return None

    async def update(
        self,
        caller: Caller,
        entity_id: str,
        fragment: Fragment,
        *,
        types: TypeSelection | None = None,
    ) -> Report:
        """Replace or append a fragment's attributes; nulls delete (clause 5.6.2)."""
        change = await self._apply(caller, UpdateAttributes(entity_id, fragment), types)
        return _report(change)

    async def append(
        self,
        caller: Caller,
        entity_id: str,
        fragment: Fragment,
        *,
        types: TypeSelection | None = None,
        overwrite: bool = True,
    ) -> Report:
        """Append a fragment's attributes; those that exist only with `overwrite` (clause 5.6.3)."""
        operation = AppendAttributes(entity_id, fragment, overwrite=overwrite)
        return _report(await self._apply(caller, operation, types))

    async def delete(
        self, caller: Caller, entity_id: str, *, types: TypeSelection | None = None
    ) -> BatchResult | None:
        """Delete an entity; history keeps it (clause 5.6.6)."""
        await self._apply(caller, DeleteEntity(entity_id), types)
        return None

    # ── one attribute ─────────────────────────────────────────────────────────────────────────

    async def partial_update(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        instances: Sequence[Instance],
        *,
        types: TypeSelection | None = None,
    ) -> Report | None:
        """Overwrite the members given of an attribute's instances (clauses 5.6.4, 5.5.8).

        Gives what was updated when that is only a part of it, which a node alone never does; this
        holds for replacing and deleting an attribute too.

        Raises NotFoundError when the entity has no such instance, BadRequestDataError when the
        attribute would become another kind.
        """
        operation = PartialUpdateAttribute(entity_id, attribute, tuple(instances))
        await self._apply(caller, operation, types)
        return None

    async def replace_attribute(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        instances: Sequence[Instance],
        *,
        types: TypeSelection | None = None,
    ) -> Report | None:
        """Replace instances of an attribute that exist (clause 5.6.19).

        Raises NotFoundError when the entity has no such instance.
        """
        operation = ReplaceAttribute(entity_id, attribute, tuple(instances))
        await self._apply(caller, operation, types)
        return None

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
        """Delete the default instance of an attribute, that of `dataset`, or all (clause 5.6.5).

        Raises NotFoundError when the entity has no such instance.
        """
        operation = DeleteAttribute(
            entity_id, attribute, dataset=dataset, all_instances=all_instances
        )
        await self._apply(caller, operation, types)
        return None

    async def delete_scope(
        self, caller: Caller, entity_id: str, *, types: TypeSelection | None = None
    ) -> Report | None:
        """Take the scopes away from an entity (clause 5.6.5, attribute `scope`)."""
        await self._apply(caller, DeleteScope(entity_id), types)
        return None

    # ── many entities ─────────────────────────────────────────────────────────────────────────

    async def create_batch(self, caller: Caller, entities: Sequence[Entity]) -> BatchResult:
        """Create entities (clause 5.6.7)."""
        return await self._apply_batch(caller, [CreateEntity(entity) for entity in entities])

    async def upsert_batch(
        self,
        caller: Caller,
        entities: Sequence[Entity],
        *,
        mode: Literal["replace", "update"] = "replace",
    ) -> BatchResult:
        """Create entities, or replace or update those that exist (clause 5.6.8)."""
        operations = [UpsertEntity(entity, mode=mode) for entity in entities]
        return await self._apply_batch(caller, operations)

    async def update_batch(
        self,
        caller: Caller,
        fragments: Sequence[tuple[str, Fragment]],
        *,
        overwrite: bool = True,
    ) -> BatchResult:
        """Append (id, fragment) to entities that exist (clause 5.6.9).

        An entity of which something was left as it is, because `overwrite` is False, is among the
        errors.
        """
        operations = [
            AppendAttributes(entity_id, fragment, overwrite=overwrite)
            for entity_id, fragment in fragments
        ]
        return await self._apply_batch(caller, operations)

    async def merge_batch(
        self,
        caller: Caller,
        fragments: Sequence[tuple[str, Fragment]],
        *,
        observed_at: str | None = None,
        lang: str | None = None,
    ) -> BatchResult:
        """Merge (id, fragment) into entities that exist (clause 5.6.20)."""
        operations = [
            MergeEntity(entity_id, fragment, observed_at=observed_at, lang=lang)
            for entity_id, fragment in fragments
        ]
        return await self._apply_batch(caller, operations)

    async def delete_batch(self, caller: Caller, entity_ids: Sequence[str]) -> BatchResult:
        """Delete entities (clause 5.6.10)."""
        return await self._apply_batch(caller, [DeleteEntity(one) for one in entity_ids])

    async def purge(
        self,
        caller: Caller,
        query: Query,
        *,
        drop: Sequence[str] = (),
        keep: Sequence[str] = (),
    ) -> BatchResult:
        """Delete the entities that a query selects, or only their attributes (clause 5.6.21).

        `drop` (IRIs) deletes these attributes alone, `keep` all but these; neither deletes the
        entities. `query.limit` and `query.offset` don't count. Raises TooComplexQueryError when the
        query selects more than the node takes at once; then nothing was changed.
        """
        if link_depth(query.condition):
            raise BadRequestDataError("q: a purge can't ask of linked entities (clause 5.6.21)")
        ids = await select_ids(
            self._store,
            replace(query, order=(), restriction=caller.require("write")),
            page=self._bounds.page_max,
            ids_max=self._bounds.purge_max,
        )
        operations: list[Operation] = []
        for entity_id in ids:
            if drop:
                operations.append(KeepAttributes(entity_id, drop=frozenset(drop)))
            elif keep:
                operations.append(KeepAttributes(entity_id, keep=frozenset(keep)))
            else:
                operations.append(DeleteEntity(entity_id))
        result = BatchResult()
        for start in range(0, len(operations), self._bounds.batch_max):
            part = operations[start : start + self._bounds.batch_max]
            done = await self._apply_batch(caller, part)
            result.success += done.success
            result.errors += done.errors
        return result

    # ── how ───────────────────────────────────────────────────────────────────────────────────

    async def _apply(
        self, caller: Caller, operation: Operation, types: TypeSelection | None = None
    ) -> Change:
        outcome = (await self._store.apply([guard(caller, operation, types)]))[0]
        if isinstance(outcome, ConurbError):
            raise outcome
        return outcome

    async def _apply_batch(self, caller: Caller, operations: Sequence[Operation]) -> BatchResult:
        caller.require("write")
        if len(operations) > self._bounds.batch_max:
            raise TooLargeError(
                f"batch: {len(operations)} entities; at most {self._bounds.batch_max} are taken"
            )
        if not operations:
            raise BadRequestDataError("batch: no entities given; at least one is needed")
        outcomes = await self._store.apply(guard_all(caller, operations))
        success: dict[str, None] = {}
        created: dict[str, None] = {}
        errors: list[tuple[str, ConurbError]] = []
        for operation, outcome in zip(operations, outcomes, strict=True):
            entity_id = operation.entity_id
            if isinstance(outcome, ConurbError):
                errors.append((entity_id, outcome))
                continue
            left = outcome.result.not_updated if isinstance(outcome.result, Report) else ()
            if left:
                reasons = "; ".join(f"{attribute}: {reason}" for attribute, reason in left)
                errors.append((entity_id, ConflictError(reasons)))
                continue
            success[entity_id] = None
            if outcome.before is None:
                created[entity_id] = None
        return BatchResult(list(success), list(created), errors)


def _report(change: Change) -> Report:
    report: Report = change.result
    return report

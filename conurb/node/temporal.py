"""The history of a node's objects: writes and reads (clauses 5.6.11 to 5.6.16, 5.7.3, 5.7.4).

Writes are operations of `conurb.model.operations.temporal`, guarded as every write is; a read is a
`TemporalQuery` that the store answers. The caller's restriction joins every query.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conurb.access.caller import Caller
from conurb.errors import ConurbError, InvalidRequestError, NotFoundError, TooComplexQueryError
from conurb.model.changes import Change, Operation
from conurb.model.entity import Instance
from conurb.model.evolution import HEAD, Evolution
from conurb.model.operations.temporal import (
    AppendEvolution,
    DeleteEvolution,
    DeleteInstance,
    DeleteTemporalAttribute,
    UpdateInstance,
)
from conurb.model.query.tree import (
    Aggregation,
    Query,
    Restriction,
    Selector,
    TemporalQuery,
    TimeWindow,
)
from conurb.node.bounds import Bounds
from conurb.node.guard import guard
from conurb.store.contract import EvolutionPage

if TYPE_CHECKING:
    from conurb.model.parse import TemporalFragment
    from conurb.store.contract import Store


class Temporal:
    """The history of one node."""

    def __init__(self, store: Store, bounds: Bounds) -> None:
        self._store = store
        self._bounds = bounds

    # ── writes ────────────────────────────────────────────────────────────────────────────────

    async def upsert(self, caller: Caller, entity_id: str, fragment: TemporalFragment) -> bool:
        """Create an entity with its history, or add to it (clause 5.6.11); whether it was created.

        Per (attribute, datasetId) the latest instance becomes the current one, unless the current
        one is later.
        """
        change = await self._apply(caller, AppendEvolution(entity_id, fragment))
        return change.before is None

    async def append(self, caller: Caller, entity_id: str, fragment: TemporalFragment) -> None:
        """Add instances to the history of an entity (clause 5.6.12).

        Raises NotFoundError when there is no such entity.
        """
        await self._apply(caller, AppendEvolution(entity_id, fragment, must_exist=True))

    async def update_instance(
        self, caller: Caller, entity_id: str, attribute: str, number: int, instance: Instance
    ) -> None:
        """Replace one instance in history (clause 5.6.14).

        Raises NotFoundError when there is no such entity, attribute or instance; this holds for
        the deletions too.
        """
        await self._apply_known(caller, UpdateInstance(entity_id, attribute, number, instance))

    async def delete_instance(
        self, caller: Caller, entity_id: str, attribute: str, number: int
    ) -> None:
        """Take one instance out of history (clause 5.6.15)."""
        await self._apply_known(caller, DeleteInstance(entity_id, attribute, number))

    async def delete_attribute(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        *,
        dataset: str | None = None,
        all_instances: bool = False,
    ) -> None:
        """Take an attribute out of history (clause 5.6.13).

        Its default instances, those of `dataset`, or all of them.
        """
        operation = DeleteTemporalAttribute(
            entity_id, attribute, dataset=dataset, all_instances=all_instances
        )
        await self._apply_known(caller, operation)

    async def delete(self, caller: Caller, entity_id: str) -> None:
        """Erase an entity with its whole history (clause 5.6.16)."""
        await self._apply_known(caller, DeleteEvolution(entity_id))

    async def _apply_known(self, caller: Caller, operation: Operation) -> None:
        """Apply an operation to history that the caller may know of.

        The guard sees the state of an object; what a deleted one was, only its history knows.
        """
        restriction = caller.require("write")
        if restriction != Restriction():
            selector = Selector(ids=(operation.entity_id,))
            query = TemporalQuery(Query((selector,), restriction=restriction, limit=1), last_n=1)
            seen = await self._store.evolution(query)
            if not seen.evolutions and await self._store.find(operation.entity_id) is None:
                raise NotFoundError(f"entity {operation.entity_id!r} has no history here")
        await self._apply(caller, operation)

    async def _apply(self, caller: Caller, operation: Operation) -> Change:
        outcome = (await self._store.apply([guard(caller, operation)]))[0]
        if isinstance(outcome, ConurbError):
            raise outcome
        return outcome

    # ── reads ─────────────────────────────────────────────────────────────────────────────────

    async def query(self, caller: Caller, query: TemporalQuery) -> EvolutionPage:
        """Give the page of histories that a query selects (clause 5.7.4).

        Raises TooComplexQueryError when the page is larger than this node gives,
        InvalidRequestError when an attribute that was asked for can't be aggregated so.
        """
        restriction = caller.require("read")
        if query.query.limit > self._bounds.page_max:
            raise TooComplexQueryError(
                f"limit: {query.query.limit} is more than the {self._bounds.page_max} that this "
                "node gives at once"
            )
        asked = replace(query, query=replace(query.query, restriction=restriction))
        page = await self._store.evolution(asked)
        if query.aggregation is not None:
            for evolution in page.evolutions:
                check_eligible(evolution, query.aggregation, query.attributes)
        return page

    async def retrieve(
        self, caller: Caller, entity_id: str, query: TemporalQuery
    ) -> tuple[Evolution, EvolutionPage]:
        """Give the history of one entity (clause 5.7.3), and the page that it came on.

        An entity that has nothing in the window is given without instances. Raises NotFoundError
        when there is no history of such an entity, or none of `query.attributes` in the window.
        """
        selector = Selector(ids=(entity_id,))
        inner = replace(query.query, selectors=(selector,), limit=1, offset=0, count=False)
        inner = replace(inner, attributes=query.attributes)
        page = await self.query(caller, replace(query, query=inner))
        if page.evolutions:
            return page.evolutions[0], page
        known = TemporalQuery(Query(selectors=(selector,), limit=1), TimeWindow(), last_n=1)
        whole = await self.query(caller, known)
        if not whole.evolutions:
            return await self._without_rows(caller, entity_id, query), page
        if query.attributes:
            raise NotFoundError(
                f"the history of entity {entity_id!r} has none of the attributes asked for then"
            )
        found = whole.evolutions[0]
        heads = {name: rows for name, rows in found.instances.items() if name == HEAD}
        return replace(found, instances=heads), page

    async def _without_rows(
        self, caller: Caller, entity_id: str, query: TemporalQuery
    ) -> Evolution:
        """Give the history of an entity that has no instance in it (any more)."""
        entity = await self._store.find(entity_id, caller.require("read"))
        if entity is None or query.attributes:
            raise NotFoundError(f"entity {entity_id!r} has no history here, or not of this")
        return Evolution(
            entity.id, entity.types, entity.scope, entity.created_at, entity.modified_at
        )


def check_eligible(
    evolution: Evolution, aggregation: Aggregation, attributes: tuple[str, ...]
) -> None:
    """Raise InvalidRequestError when a method took nothing of an attribute that was asked for."""
    for (attribute, _), given in evolution.aggregates.items():
        for method in aggregation.methods:
            if attribute in attributes and not given.get(method):
                raise InvalidRequestError(
                    f"aggrMethods: {method!r} can't be taken of the attribute {attribute!r} of "
                    f"{evolution.id!r}: its values aren't of a type that it knows"
                )

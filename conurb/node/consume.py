"""Consume: what a node's objects are, now or at a time (clauses 5.7.1, 5.7.2, 5.7.5 to 5.7.10).

The caller's restriction joins every query. Linked entities (clause 4.5.23) are read level by level,
one look-up per level whatever the number of relationships.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from conurb.access.caller import Caller
from conurb.errors import BadRequestDataError, NotFoundError, TooComplexQueryError
from conurb.model.entity import Entity
from conurb.model.query.tree import Query, Restriction, TypeSelection
from conurb.node.bounds import Bounds
from conurb.node.guard import is_of
from conurb.node.join import Join, inline, walk

if TYPE_CHECKING:
    from conurb.store.contract import AttributeInfo, Store, TypeInfo

DEFAULT_DATASET = "@none"
"""What stands for the default instance in a list of datasetIds (clause 4.5.5)."""


@dataclass(slots=True)
class Answer:
    """Entities that answer a query, in order.

    `linked` are, for a flat join, the linked entities that aren't among `entities`; for an inline
    join they stand inside of `entities`: the member `entity` (`entityList`) of a relationship
    holds the linked `Entity` (or a list of them). `total` is the count when it was asked for.
    """

    entities: list[Entity]
    linked: list[Entity] = field(default_factory=list)
    total: int | None = None
    more: bool = False


class Consumption:
    """The reads of one node."""

    def __init__(self, store: Store, bounds: Bounds) -> None:
        self._store = store
        self._bounds = bounds

    @property
    def own(self) -> Consumption:
        """Give the reads of this node alone, whatever nodes it speaks for (6.3.18, `local`)."""
        return self

    async def is_alone(self, caller: Caller) -> bool:
        """Whether what a caller reads here is this node's alone."""
        return True

    async def retrieve(
        self,
        caller: Caller,
        entity_id: str,
        *,
        types: TypeSelection | None = None,
        attributes: Sequence[str] = (),
        datasets: Sequence[str] = (),
        join: Join | None = None,
    ) -> Answer:
        """Give one entity, and what it is linked to (clause 5.7.1).

        Raises NotFoundError when there is none, of `types` if given, or when it has none of
        `attributes` (in one of `datasets`). The entity is given whole; a view projects it.
        """
        restriction = caller.require("read")
        entity = await self._store.find(entity_id, restriction)
        if entity is None or (types is not None and not is_of(entity.types, types)):
            raise NotFoundError(f"entity {entity_id!r} doesn't exist here")
        if attributes and not any(_has(entity, one, datasets) for one in attributes):
            raise NotFoundError(f"entity {entity_id!r} has none of the attributes asked for")
        return await self.joined(Answer([entity]), join, restriction)

    async def query(
        self,
        caller: Caller,
        query: Query,
        *,
        join: Join | None = None,
        at_us: int | None = None,
        known_at_us: int | None = None,
    ) -> Answer:
        """Give the page of entities that a query selects (clause 5.7.2).

        `at_us` asks for the state at a time, as known at `known_at_us`. Raises
        TooComplexQueryError when the page is larger than this node gives.
        """
        restriction = caller.require("read")
        if query.limit > self._bounds.page_max:
            raise TooComplexQueryError(
                f"limit: {query.limit} is more than the {self._bounds.page_max} that this node "
                "gives at once"
            )
        page = await self._store.query(
            replace(query, restriction=restriction), at_us=at_us, known_at_us=known_at_us
        )
        answer = Answer(page.entities, total=page.total, more=page.more)
        return await self.joined(answer, join, restriction)

    async def list_types(self, caller: Caller) -> list[TypeInfo]:
        """List the types that exist here, with their attributes (clauses 5.7.5, 5.7.6)."""
        return await self._store.list_types(caller.require("read"))

    async def get_type(self, caller: Caller, iri: str) -> TypeInfo:
        """Give one type (clause 5.7.7); raise NotFoundError when no entity has it."""
        for info in await self.list_types(caller):
            if info.iri == iri:
                return info
        raise NotFoundError(f"no entity of type {iri!r} exists here")

    async def list_attributes(self, caller: Caller) -> list[AttributeInfo]:
        """List the attributes that exist here (clauses 5.7.8, 5.7.9)."""
        return await self._store.list_attributes(caller.require("read"))

    async def get_attribute(self, caller: Caller, iri: str) -> AttributeInfo:
        """Give one attribute (clause 5.7.10); raise NotFoundError when no entity has it."""
        for info in await self.list_attributes(caller):
            if info.iri == iri:
                return info
        raise NotFoundError(f"no entity with the attribute {iri!r} exists here")

    async def joined(self, answer: Answer, join: Join | None, restriction: Restriction) -> Answer:
        """Add to an answer what its entities are linked to, within a restriction."""
        if join is None or not answer.entities:
            return answer
        if join.level > self._bounds.join_level_max:
            raise BadRequestDataError(
                f"joinLevel: {join.level} is over the {self._bounds.join_level_max} of this node"
            )
        linked = await walk(
            answer.entities,
            join,
            lambda ids: self._store.find_many(ids, restriction),
            entities_max=self._bounds.join_entities_max,
        )
        if join.form == "flat":
            return replace(answer, linked=list(linked.values()))
        return replace(answer, entities=inline(answer.entities, linked, join))


def _has(entity: Entity, attribute: str, datasets: Sequence[str]) -> bool:
    instances = entity.attrs.get(attribute)
    if instances is None:
        return False
    return not datasets or any(
        (one.get("datasetId") or DEFAULT_DATASET) in datasets for one in instances
    )

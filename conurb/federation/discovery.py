"""What types and attributes there are in a region, of all nodes together (5.7.5 to 5.7.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conurb.access.caller import Caller
from conurb.federation.catalogue import merge_attributes, merge_types
from conurb.federation.completeness import NotFoundHereError, completeness_of
from conurb.federation.peers import ask
from conurb.federation.reach import ATTRIBUTE, ATTRIBUTES, TYPE, TYPES, Reach
from conurb.model.query.tree import Query, Selector, TypeIs
from conurb.node.consume import Consumption
from conurb.node.node import Node

if TYPE_CHECKING:
    from conurb.store.contract import AttributeInfo, TypeInfo


class FederatedDiscovery(Consumption):
    """The types and attributes of a node and of those that it has registered."""

    def __init__(self, node: Node, own: Consumption, reach: Reach) -> None:
        super().__init__(node.store, node.bounds)
        self._own = own
        self._reach = reach

    @property
    def reach(self) -> Reach:
        """Give whom the node reaches."""
        return self._reach

    @property
    def own(self) -> Consumption:
        """Give the reads of this node alone."""
        return self._own

    async def is_alone(self, caller: Caller) -> bool:
        """Whether what a caller reads here is this node's alone."""
        return await self._reach.is_alone(caller)

    async def list_types(self, caller: Caller) -> list[TypeInfo]:
        """List the types that exist in any of the nodes (clauses 5.7.5, 5.7.6)."""
        if await self._reach.is_alone(caller):
            return await self._own.list_types(caller)
        caller = self._reach.passed(caller)
        peers, _ = await self._reach.peers(caller, Query(), TYPES)
        answers, _ = await ask(peers, lambda peer: peer.list_types(caller), caller=caller)
        return merge_types(info for _, infos in answers for info in infos)

    async def get_type(self, caller: Caller, iri: str) -> TypeInfo:
        """Give one type; raise NotFoundError when no entity of any node has it (clause 5.7.7)."""
        if await self._reach.is_alone(caller):
            return await self._own.get_type(caller, iri)
        caller = self._reach.passed(caller)
        query = Query(selectors=(Selector(types=TypeIs(iri)),))
        peers, absences = await self._reach.peers(caller, query, TYPE)
        answers, missing = await ask(peers, lambda peer: peer.find_type(caller, iri), caller=caller)
        found = merge_types(info for _, info in answers if info is not None)
        if not found:
            completeness = completeness_of(peers, [*absences, *missing])
            raise NotFoundHereError(f"no entity of type {iri!r} exists here", completeness)
        return found[0]

    async def list_attributes(self, caller: Caller) -> list[AttributeInfo]:
        """List the attributes that exist in any of the nodes (clauses 5.7.8, 5.7.9)."""
        if await self._reach.is_alone(caller):
            return await self._own.list_attributes(caller)
        caller = self._reach.passed(caller)
        peers, _ = await self._reach.peers(caller, Query(), ATTRIBUTES)
        answers, _ = await ask(peers, lambda peer: peer.list_attributes(caller), caller=caller)
        return merge_attributes(info for _, infos in answers for info in infos)

    async def get_attribute(self, caller: Caller, iri: str) -> AttributeInfo:
        """Give one attribute; raise NotFoundError when no entity has it (clause 5.7.10)."""
        if await self._reach.is_alone(caller):
            return await self._own.get_attribute(caller, iri)
        caller = self._reach.passed(caller)
        peers, absences = await self._reach.peers(caller, Query(attributes=(iri,)), ATTRIBUTE)
        answers, missing = await ask(
            peers, lambda peer: peer.find_attribute(caller, iri), caller=caller
        )
        found = merge_attributes(info for _, info in answers if info is not None)
        if not found:
            completeness = completeness_of(peers, [*absences, *missing])
            raise NotFoundHereError(
                f"no entity with the attribute {iri!r} exists here", completeness
            )
        return found[0]

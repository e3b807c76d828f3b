"""Snapshots of a region: what they freeze is what all nodes together answer (clause 5.16.1.4).

A node without registrations freezes one view of its own store. Nodes of a region are asked page
after page, so what changes meanwhile may be in it or not; each object is as it was when it was
given. Who didn't answer is said with the snapshot.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conurb.access.caller import Caller
from conurb.federation.completeness import Completeness, FederatedAnswer
from conurb.node.freezing import StoreLook
from conurb.store.contract import EvolutionPage, Page

if TYPE_CHECKING:
    from conurb.federation.reach import Reach
    from conurb.model.entity import Entity
    from conurb.model.query.tree import Query, Restriction, TemporalQuery
    from conurb.node.node import Node


class Everywhere:
    """What a node and those that it has registered hold."""

    def __init__(self, node: Node, reach: Reach) -> None:
        self._node = node
        self._reach = reach
        self._own = StoreLook(node.store)

    async def query(self, query: Query) -> tuple[Page, str | None]:
        """Give the first entities that a query selects, up to its limit."""
        if not await self._reach.registrations.any():
            return await self._own.query(query)
        caller = _reader(query.restriction)
        page_max = self._node.bounds.page_max
        found: dict[str, Entity] = {}
        offset, more, missing = 0, True, None
        while more and offset < query.limit:
            asked = replace(query, limit=min(page_max, query.limit - offset), offset=offset)
            answer = await self._node.consume.query(caller, asked)
            found |= {one.id: one for one in answer.entities}
            offset += asked.limit
            more = answer.more
            if isinstance(answer, FederatedAnswer):
                missing = missing or _said(answer.completeness)
        return Page(list(found.values()), more=more), missing

    async def evolution(self, query: TemporalQuery) -> tuple[EvolutionPage, str | None]:
        """Give a page of histories."""
        if not await self._reach.registrations.any():
            return await self._own.evolution(query)
        page = await self._node.temporal.query(_reader(query.query.restriction), query)
        completeness = getattr(page, "completeness", None)
        return page, _said(completeness) if isinstance(completeness, Completeness) else None


def _reader(restriction: Restriction) -> Caller:
    return Caller("region", frozenset({"read"}), restriction)


def _said(completeness: Completeness) -> str | None:
    return None if completeness.whole else completeness.said()


def freeze_everywhere(node: Node, reach: Reach) -> None:
    """Have the snapshots of a federated node hold what all of its nodes answer."""
    node.snapshots.look_through(Everywhere(node, reach))

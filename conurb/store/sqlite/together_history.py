"""The histories of several files read in one job.

Objects are chosen by a merge of the files' heads in order of id; then each file gives what it has
of those on the page. What one file alone has is aggregated there; of what several have, instances
are given, since aggregates of one history's parts can't tell what arrived by two ways.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import TooComplexQueryError
from conurb.store.sqlite.connections import in_readers
from conurb.store.sqlite.evolution import EvolutionSelect, Head, Rows, cut, end_of
from conurb.store.sqlite.job import Begun, Job, count_of, door_of
from conurb.store.sqlite.together import Descending
from conurb.store.together import INSTANCES_MAX, Asked, JointHistory

if TYPE_CHECKING:
    from conurb.model.evolution import Evolution
    from conurb.model.query.tree import TemporalQuery

_ID: Final = 1
"""The column of a head that holds the id."""


async def evolve_stores(
    asked: Sequence[Asked], query: TemporalQuery, *, within_s: float
) -> JointHistory:
    """Query the history of several files; see `conurb.store.together.evolve_together`."""
    return await in_readers(_HistoryJob(asked, query, time.monotonic() + within_s).run)


@dataclass(slots=True)
class _Read:
    """One file, what is on the page of it, and the rows read so far."""

    one: Begun
    select: EvolutionSelect
    evolutions: dict[int, Evolution]
    rows: Rows


class _HistoryJob(Job):
    def __init__(self, asked: Sequence[Asked], temporal: TemporalQuery, deadline_s: float) -> None:
        super().__init__(asked, deadline_s)
        self._temporal = temporal
        self._now_us = door_of(asked[0]).clock()
        wish = temporal.query
        self._end = wish.offset + wish.limit if wish.limit else 0
        self._falls = bool(wish.order and wish.order[0].descending)
        self._ids: dict[int, str] = {}

    def run(self) -> JointHistory:
        """Read the page, in this thread."""
        try:
            self.begin_all()
            joint = JointHistory()
            if self._temporal.query.count:
                self._count(joint)
            if self._temporal.query.limit:
                self._fill(joint)
            joint.failures = self.failures
            return joint
        finally:
            self.end()

    def begin(self, one: Begun) -> None:
        """Choose the objects of one file; give the first."""
        one.stand_still()
        query = replace(one.query, limit=self._end, offset=0)
        select = self._select(one, replace(self._temporal, query=query))
        arms = select.arms()
        if query.count:
            one.count = int(select.execute(select.counted(arms)).get)
            self._ids[one.number] = " UNION ALL ".join(
                f"SELECT e.id FROM {table} WHERE {where}" for table, where in arms
            )
            one.values = select.parameters.values
        if query.limit:
            one.rows = select.execute(select.chosen(arms))

    def _select(self, one: Begun, temporal: TemporalQuery) -> EvolutionSelect:
        return EvolutionSelect(one.reach(self._now_us), temporal)

    def _count(self, joint: JointHistory) -> None:
        counted = [one for one in self.begun if one.count and one.number not in self.failures]
        tally = count_of(
            self,
            counted,
            lambda one: one.connection.execute(self._ids[one.number], one.values),
            "history",
        )
        joint.total, joint.exact = tally.total, tally.exact

    # ── the page ──────────────────────────────────────────────────────────────────────────────

    def _fill(self, joint: JointHistory) -> None:
        offset, limit = self._temporal.query.offset, self._temporal.query.limit
        page: dict[str, list[tuple[Begun, Head]]] = {}
        seen: set[str] = set()
        for one, head in self._merged():
            entity_id = head[_ID]
            if entity_id in page:
                page[entity_id].append((one, head))
            elif entity_id not in seen:
                if len(page) == limit:
                    joint.more = True
                    break
                if len(seen) >= offset:
                    page[entity_id] = [(one, head)]
                seen.add(entity_id)
        alone = [parts[0] for parts in page.values() if len(parts) == 1]
        several = [part for parts in page.values() if len(parts) > 1 for part in parts]
        found = self._aggregated(alone) if self._temporal.aggregation else {}
        rest = several if self._temporal.aggregation else [*alone, *several]
        found |= self._told(rest, joint)
        for entity_id, parts in page.items():
            group = [
                (one.number, found[one.number, entity_id])
                for one, _ in parts
                if (one.number, entity_id) in found
            ]
            if group:
                joint.groups.append(group)

    def _merged(self) -> Iterator[tuple[Begun, Head]]:
        """Stream the heads of all files in order of id, as they are asked for."""
        heap: list[tuple[Any, int, Begun, Head]] = []
        for one in self.begun:
            head = self.next_row(one)
            if head is not None:
                heap.append((self._key(head), one.number, one, head))
        heapq.heapify(heap)
        while heap:
            _, number, one, head = heap[0]
            yield one, head
            following = self.next_row(one)
            if following is None:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (self._key(following), number, one, following))

    def _key(self, head: Head) -> Any:
        return Descending(head[_ID]) if self._falls else head[_ID]

    def _begun(
        self, parts: Sequence[tuple[Begun, Head]], temporal: TemporalQuery
    ) -> Iterator[_Read]:
        by_file: dict[int, tuple[Begun, list[Head]]] = {}
        for one, head in parts:
            by_file.setdefault(one.number, (one, []))[1].append(head)
        for one, heads in by_file.values():
            read = None
            with self.failing(one):
                select = self._select(one, replace(temporal, query=one.query))
                read = _Read(one, select, dict(map(select.begun, heads)), {})
            if read is not None:
                yield read

    def _aggregated(self, parts: Sequence[tuple[Begun, Head]]) -> dict[tuple[int, str], Evolution]:
        found: dict[tuple[int, str], Evolution] = {}
        for read in self._begun(parts, self._temporal):
            with self.failing(read.one):
                read.select.aggregate(read.evolutions)
                for evolution in read.evolutions.values():
                    found[read.one.number, evolution.id] = evolution
        return found

    def _told(
        self, parts: Sequence[tuple[Begun, Head]], joint: JointHistory
    ) -> dict[tuple[int, str], Evolution]:
        """Read instances: those that come first in time, of all files together."""
        temporal = replace(self._temporal, aggregation=None)
        to_aggregate = self._temporal.aggregation is not None
        if to_aggregate:
            temporal = replace(temporal, last_n=None, instance_limit=INSTANCES_MAX)
        latest_first = temporal.last_n is not None
        limit = temporal.instance_limit
        reads: list[_Read] = []
        end: int | None = None
        for read in self._begun(parts, temporal):
            with self.failing(read.one):
                read.rows = read.select.instances(list(read.evolutions))
                reads.append(read)
            # Cut after each file, so that never more than twice the bound is held.
            everything = [rows for one in reads for rows in one.rows.values()]
            if sum(map(len, everything)) > limit:
                if to_aggregate:
                    raise TooComplexQueryError(
                        f"the histories of {len(parts)} objects lie with several nodes, and have "
                        f"more than {limit} instances in this window to be put together; ask for "
                        "less time"
                    )
                end = end_of(everything, limit, latest_first=latest_first)
                for one in reads:
                    one.rows = cut(one.rows, end, latest_first=latest_first)
        if end is not None:
            # A file read after the last cut may have rows beyond its end.
            for one in reads:
                one.rows = cut(one.rows, end, latest_first=latest_first)
        joint.truncated_at_us = end
        found: dict[tuple[int, str], Evolution] = {}
        for read in reads:
            with self.failing(read.one):
                read.select.fill(read.evolutions, read.rows)
                for evolution in read.evolutions.values():
                    found[read.one.number, evolution.id] = evolution
        return found

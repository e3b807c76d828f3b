"""Observations of datastreams: pages of history, without reading more of it than a page needs.

The phenomenonTime of a filter becomes the window of the query; in order of time, forwards or
backwards, only the first (or last) observations are read. What else a filter or an order asks is
decided on observations as they are read, over a bounded number of them.
"""

from __future__ import annotations

import heapq
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from conurb.access.caller import Caller
from conurb.errors import ConurbError, NotFoundError, TooComplexQueryError
from conurb.model.changes import HistoryInstance
from conurb.model.entity import Entity
from conurb.model.query.tree import Aggregation, Query, Selector, TemporalQuery, TimeWindow
from conurb.model.time import BEGINNING, parse_us
from conurb.systems.contract import Site
from conurb.systems.monitoring.sensorthings.filters import (
    Call,
    Literal,
    Path,
    Tree,
    conjuncts,
    evaluate,
)
from conurb.systems.monitoring.sensorthings.kinds import OBSERVATIONS
from conurb.systems.monitoring.sensorthings.mapping import (
    NUMBER,
    OTHER,
    Row,
    feature_of,
    iri,
    properties_of,
    split_moment,
)
from conurb.systems.monitoring.sensorthings.options import Options, Order

SCANNED_MAX: Final = 200_000
"""How many observations one question looks at."""
STREAMS_MAX: Final = 500
"""How many datastreams are read in one query."""
FUTURE_US: Final = 2**62

Test = Callable[[Tree, Row], Awaitable[bool]]


@dataclass(slots=True)
class Observed:
    """A page of observations."""

    rows: list[Row]
    total: int | None
    more: bool


@dataclass(frozen=True, slots=True)
class Window:
    """From when (included) to when (excluded), in microseconds."""

    begin_us: int = BEGINNING
    end_us: int = FUTURE_US

    def query(self) -> TimeWindow:
        """Give it as a temporal query wants it."""
        if self.begin_us == BEGINNING and self.end_us == FUTURE_US:
            return TimeWindow()
        if self.end_us == FUTURE_US:
            return TimeWindow(relation="after", at_us=self.begin_us)
        if self.begin_us == BEGINNING:
            return TimeWindow(relation="before", at_us=self.end_us)
        return TimeWindow(relation="between", at_us=self.begin_us, end_us=self.end_us)


class Series:
    """The observations that a caller may see at a site."""

    def __init__(self, site: Site, caller: Caller) -> None:
        self._site = site
        self._caller = caller
        self._attributes = (iri(NUMBER), iri(OTHER))

    async def get(self, observation_id: str) -> Row:
        """Give one observation; raise NotFoundError when there is none."""
        entity_id, at_us = split_moment(observation_id)
        rows = await self._read((entity_id,), Window(at_us, at_us + 1), limit=10)
        if not rows:
            raise NotFoundError(f"Observations({observation_id!r:.200}) doesn't exist here")
        found = await self._site.node.consume.retrieve(self._caller, entity_id)
        return replace(rows[0], entity=found.entities[0])

    async def page(
        self,
        streams: Sequence[Entity],
        options: Options,
        test: Test | None,
        *,
        feature: str | None = None,
    ) -> Observed:
        """Give a page of the observations of some datastreams, in order of time unless asked else.

        `test` decides what is left of a filter; `feature` keeps those of one feature.
        """
        window, left = _window(options.filter)
        direction = _by_time(options.order)
        known = {one.id: one for one in streams}
        plain = not left and feature is None and direction is not None
        wanted = options.skip + options.top
        if plain:
            rows = await self._first(known, window, wanted + 1, backwards=direction == -1)
            total = await self._count(known, window) if options.count else None
            return Observed(rows[options.skip : wanted], total, len(rows) > wanted)
        rows = await self._scan(known, window)
        if feature is not None:
            rows = [row for row in rows if feature_of(row) == feature]
        if left and test is not None:
            rows = [row for row in rows if await _all(test, left, row)]
        rows = _ordered(rows, options.order)
        total = len(rows) if options.count else None
        return Observed(rows[options.skip : wanted], total, len(rows) > wanted)

    async def _first(
        self, streams: dict[str, Entity], window: Window, count: int, *, backwards: bool
    ) -> list[Row]:
        """Give the first `count` observations of all streams together, or the last."""
        if count <= 0 or not streams:
            return []
        sign = -1 if backwards else 1
        best: list[Row] = []
        ids = list(streams)
        size = max(1, min(STREAMS_MAX, SCANNED_MAX // count))
        for start in range(0, len(ids), size):
            part = ids[start : start + size]
            # Forwards, the store cuts off by time over all that it reads, and leaves out a moment
            # that it can't give whole: each datastream has one observation of each kind then.
            whole = count + len(part) * len(self._attributes)
            limit, last = (SCANNED_MAX, count) if backwards else (whole, None)
            rows = await self._read(part, window, limit=limit, last=last)
            best = heapq.nsmallest(
                count,
                [*best, *(replace(row, entity=streams[row.entity.id]) for row in rows)],
                key=lambda row: (sign * _at(row), row.entity.id),
            )
        return best

    async def _scan(self, streams: dict[str, Entity], window: Window) -> list[Row]:
        """Read every observation in a window; raise TooComplexQueryError for too many."""
        rows: list[Row] = []
        ids = list(streams)
        for start in range(0, len(ids), STREAMS_MAX):
            part = ids[start : start + STREAMS_MAX]
            rows += await self._read(part, window, limit=SCANNED_MAX + 1)
            if len(rows) > SCANNED_MAX:
                raise TooComplexQueryError(
                    f"the filter looks at over {SCANNED_MAX} observations; narrow it by "
                    "phenomenonTime or to one Datastream"
                )
        rows = [replace(row, entity=streams[row.entity.id]) for row in rows]
        return sorted(rows, key=lambda row: (_at(row), row.entity.id))

    async def _read(
        self, ids: Sequence[str], window: Window, *, limit: int, last: int | None = None
    ) -> list[Row]:
        query = TemporalQuery(
            Query((Selector(ids=tuple(ids)),), limit=len(ids)),
            window=window.query(),
            attributes=self._attributes,
            last_n=last,
            instance_limit=limit,
        )
        page = await self._site.node.temporal.query(self._caller, query)
        rows: list[Row] = []
        for evolution in page.evolutions:
            entity = Entity(evolution.id, evolution.types)
            for instances in evolution.instances.values():
                rows += [
                    Row(OBSERVATIONS, entity, one) for one in instances if _is_observation(one)
                ]
        return rows

    async def _count(self, streams: dict[str, Entity], window: Window) -> int:
        total = 0
        ids = list(streams)
        for start in range(0, len(ids), STREAMS_MAX):
            part = tuple(ids[start : start + STREAMS_MAX])
            query = TemporalQuery(
                Query((Selector(ids=part),), limit=len(part)),
                window=window.query(),
                attributes=self._attributes,
                aggregation=Aggregation(("totalCount",)),
            )
            page = await self._site.node.temporal.query(self._caller, query)
            for evolution in page.evolutions:
                for methods in evolution.aggregates.values():
                    total += sum(int(row[0]) for row in methods.get("totalCount", ()))
        return total


async def _all(test: Test, parts: Sequence[Tree], row: Row) -> bool:
    for part in parts:
        if not await test(part, row):
            return False
    return True


def _is_observation(one: HistoryInstance) -> bool:
    """Whether an instance of history is an observation: it is still held, and says when."""
    return one.instance is not None and one.superseded_us is None and "observedAt" in one.instance


def _at(row: Row) -> int:
    return 0 if row.instance is None else row.instance.at_us


def _window(tree: Tree | None) -> tuple[Window, list[Tree]]:
    """Part a filter into the window of time that it names and what is left."""
    window = Window()
    left: list[Tree] = []
    for part in conjuncts(tree):
        narrower = _narrowed(window, part)
        if narrower is None:
            left.append(part)
        else:
            window = narrower
    return window, left


def _narrowed(window: Window, part: Tree) -> Window | None:
    if not isinstance(part, Call) or part.name not in ("eq", "gt", "ge", "lt", "le"):
        return None
    left, right = part.operands
    if not (isinstance(left, Path) and left.names == ("phenomenonTime",)):
        return None
    if not isinstance(right, Literal) or not isinstance(right.value, str) or "/" in right.value:
        return None
    try:
        at_us = parse_us(right.value)
    except ConurbError:
        return None
    begin_us, end_us = window.begin_us, window.end_us
    if part.name in ("gt", "ge", "eq"):
        begin_us = max(begin_us, at_us + (part.name == "gt"))
    if part.name in ("lt", "le", "eq"):
        end_us = min(end_us, at_us + (part.name != "lt"))
    return Window(begin_us, max(begin_us, end_us))


def _by_time(order: Sequence[Order]) -> int | None:
    """Whether an order is that of time: 1 forwards (also when none is asked), -1 backwards."""
    if not order:
        return 1
    first = order[0]
    if first.path.names in (("phenomenonTime",), ("id",), ("@iot.id",)):
        return -1 if first.descending else 1
    return None


def _ordered(rows: list[Row], order: Sequence[Order]) -> list[Row]:
    for one in reversed(order):

        def key(row: Row, one: Order = one) -> tuple[int, Any]:
            document = {"@iot.id": row.id, **properties_of(row)}
            values = evaluate(one.path, document)
            value = values[0] if values else None
            if value is None:
                return (0, "")
            return (1, value) if isinstance(value, int | float) else (2, str(value))

        rows = sorted(rows, key=key, reverse=one.descending)
    return rows

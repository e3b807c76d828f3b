"""Several stores of one process read in one go: the page, the count, the histories of all.

A region asks its co-located nodes for one ordered page. To ask each by itself would cost a task, a
compilation and a page of objects per node; stores that can be read together are read by one job:
statements are compiled once and hold for all that are alike, their rows are merged as they come,
and only the objects of the page are loaded. Such a store has a `door`; others are asked one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.model.evolution import Evolution
    from conurb.model.query.tree import Query, TemporalQuery
    from conurb.store.contract import Store

COUNTED_MAX: Final = 100_000
"""Ids of several stores that are looked through for those that occur twice, for a count."""

INSTANCES_MAX: Final = 1_000_000
"""Instances of one page's objects that are put together of several stores to be aggregated."""

Run = tuple[str, str]
"""The first and the last of a run of ids; there may be others between them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One store, and what it is asked; limit, offset and order are those of the whole."""

    store: Store
    query: Query


@dataclass(slots=True)
class Joint:
    """One page of several stores: for each id on it, the entities by the number of the store.

    `exact` False says that ids which two stores hold count twice in `total`. `runs` are those of
    the ids that were counted, None when they aren't known. `failures` are stores that gave nothing,
    with the reason.
    """

    groups: list[list[tuple[int, Entity]]] = field(default_factory=list)
    more: bool = False
    total: int | None = None
    exact: bool = True
    runs: tuple[Run, ...] | None = None
    failures: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class JointHistory:
    """One page of several stores' histories: for each id on it, the parts by number of the store.

    An id with several parts has their instances, also when aggregates were asked for.
    `truncated_at_us` is as in `EvolutionPage`, of the whole; the rest is as in `Joint`.
    """

    groups: list[list[tuple[int, Evolution]]] = field(default_factory=list)
    more: bool = False
    total: int | None = None
    exact: bool = True
    truncated_at_us: int | None = None
    failures: dict[int, str] = field(default_factory=dict)


def is_readable(store: Store) -> bool:
    """Whether a store, or what it is wrapped in, can be read together with others."""
    return getattr(store, "door", None) is not None


async def query_together(
    asked: Sequence[Asked],
    *,
    within_s: float,
    at_us: int | None = None,
    known_at_us: int | None = None,
) -> Joint:
    """Query several stores that are readable together.

    A store that takes longer than `within_s` is among the failures. Raises TooComplexQueryError
    over the bounds.
    """
    from conurb.store.sqlite.together import query_stores

    return await query_stores(asked, within_s=within_s, at_us=at_us, known_at_us=known_at_us)


async def find_runs(store: Store, query: Query) -> tuple[Run, ...] | None:
    """Find where the ids of current objects of a query's types lie; None when that isn't known."""
    if not is_readable(store):
        return None
    from conurb.store.sqlite.together import runs_of_store

    return runs_of_store(store, query)


async def evolve_together(
    asked: Sequence[Asked], query: TemporalQuery, *, within_s: float
) -> JointHistory:
    """Query the history of several stores that are readable together.

    `query.query` says limit, offset and count of the whole. What is given of an object that several
    stores hold is aggregated by nobody: its parts are instances, for whoever puts them together.
    A store that takes longer than `within_s` is among the failures. Raises TooComplexQueryError
    over the bounds.
    """
    from conurb.store.sqlite.together_history import evolve_stores

    return await evolve_stores(asked, query, within_s=within_s)


def meeting(runs: Mapping[int, Sequence[Run] | None]) -> list[list[int]]:
    """Sort stores into groups of which each may hold ids of the others, transitively.

    >>> meeting({0: [("a:1", "a:9")], 1: [("b:1", "b:2")], 2: [("a:5", "a:6")], 3: []})
    [[0, 2], [1], [3]]
    """
    group_of = {number: number for number in runs}

    def root(number: int) -> int:
        while group_of[number] != number:
            number = group_of[number]
        return number

    unknown = [number for number, own in runs.items() if own is None]
    for number in runs if unknown else ():
        group_of[root(number)] = root(unknown[0])
    ordered = sorted(
        (first, last, number) for number, own in runs.items() for first, last in own or ()
    )
    end, holder = "", -1
    for first, last, number in ordered:
        if holder >= 0 and first <= end:
            group_of[root(number)] = root(holder)
            end = max(end, last)
        else:
            end, holder = last, number
    groups: dict[int, list[int]] = {}
    for number in runs:
        groups.setdefault(root(number), []).append(number)
    return list(groups.values())

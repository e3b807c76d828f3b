"""Several stores of one process read in one go: the page, the count, the histories of all.

A region asks its co-located nodes for one ordered page. To ask each by itself would cost a task, a
compilation and a page of objects per node; stores that can be read together are read by one job:
statements are compiled once and hold for all that are alike, their rows are merged as they come,
and only the objects of the page are loaded. Which stores that are, `is_readable` says; others are
asked one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from conurb.model.entity import Entity
    from conurb.model.query.tree import Query
    from conurb.store.contract import EvolutionPage, Store

COUNTED_MAX: Final = 100_000
"""Ids of several stores that are looked through for those that occur twice, for a count."""

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
    """One page of several stores' histories: each store's part by its number, and the ids in order.

    `total`, `exact` and `failures` are as in `Joint`.
    """

    ids: list[str] = field(default_factory=list)
    pages: dict[int, EvolutionPage] = field(default_factory=dict)
    more: bool = False
    total: int | None = None
    exact: bool = True
    runs: tuple[Run, ...] | None = None
    failures: dict[int, str] = field(default_factory=dict)


def is_readable(store: Store) -> bool:
    """Whether a store can be read together with others."""
    from conurb.store.sqlite.engine import SqliteStore

    return isinstance(store, SqliteStore)


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


def are_disjoint(one: Sequence[Run] | None, other: Sequence[Run] | None) -> bool:
    """Whether no id can be in both; what isn't known may hold any.

    >>> are_disjoint([("a:1", "a:9")], [("b:1", "b:3")]), are_disjoint(None, [("a", "b")])
    (True, False)
    """
    if one is None or other is None:
        return one == () or other == ()
    return all(last < begin or end < first for first, last in one for begin, end in other)

"""Whether stores can hold an object of one id, told from where their ids lie.

Ids of one owner begin alike, and an index holds them in order. So the first and the last id of a
type are two seeks, and stores whose ids lie in runs that don't meet hold none in common: their
counts add up, without a look at a single object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from conurb.model.query.tree import Query, TypeSelection
from conurb.store.sqlite.arms import types_named
from conurb.store.sqlite.sources import Reach
from conurb.store.together import Run

RUNS_MAX: Final = 64
"""Runs of ids of one store; where there are more, it may hold any id."""

_FIRST: Final = "SELECT min(id) FROM entity WHERE type = :kind"
_LAST: Final = "SELECT max(id) FROM entity WHERE type = :kind"
_FROM: Final = "SELECT id FROM entity WHERE type = ?1 AND id >= ?2 ORDER BY id LIMIT 1"
_BEFORE: Final = (
    "SELECT id FROM entity WHERE type = ?1 AND id >= ?2 AND id < ?3 ORDER BY id DESC LIMIT 1"
)
_NEXT_KIND: Final = "SELECT min(type) FROM entity WHERE type > :kind"


def runs_of(reach: Reach, query: Query, *, fine: bool) -> tuple[Run, ...] | None:
    """Give the runs of ids that entities of a query's types may have; None when too many.

    A run is all of a type, or, `fine`, all that has the same beginning, up to the last colon.
    """
    kinds = _kinds(reach, query)
    found: list[Run] = []
    if not fine:
        for kind in kinds:
            first = reach.ask(_FIRST, kind=kind)
            if first is not None:
                found.append((first, reach.ask(_LAST, kind=kind)))
        return tuple(found)
    connection = reach.connection
    for kind in kinds:
        start = ""
        while (first := connection.execute(_FROM, (kind, start)).get) is not None:
            if len(found) == RUNS_MAX:
                return None
            beginning = first[: first.rfind(":") + 1]
            if not beginning:
                return None
            # What begins so is followed by what begins with the next character after the colon.
            start = beginning[:-1] + ";"
            last = connection.execute(_BEFORE, (kind, first, start)).get or first
            found.append((first, last))
    return tuple(found)


def _kinds(reach: Reach, query: Query) -> Sequence[int]:
    """Give the short names of the types that a query may find; 0 is several types at once."""
    selections: list[TypeSelection] = []
    for selector in query.selectors:
        if selector.types is None:
            return _every_kind(reach)
        selections.append(selector.types)
    if not selections:
        return _every_kind(reach)
    named = dict.fromkeys(iri for one in selections for iri in types_named(one))
    found = [term for iri in named if (term := reach.term(iri)) is not None]
    return [0, *found] if found else []


def _every_kind(reach: Reach) -> list[int]:
    found: list[int] = []
    kind = reach.ask(_NEXT_KIND, kind=-1)
    while kind is not None:
        found.append(kind)
        kind = reach.ask(_NEXT_KIND, kind=kind)
    return found


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

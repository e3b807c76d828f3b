"""Whether stores can hold an object of one id, told from where their ids lie.

Ids of one owner begin alike, and an index holds them in order. So the first and the last id of a
type are two seeks, and stores whose ids lie in runs that don't meet hold none in common: their
counts add up, without a look at a single object.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from conurb.model.query.tree import Query, TypeSelection
from conurb.store.sqlite.arms import types_named
from conurb.store.sqlite.sources import Reach
from conurb.store.together import Run

RUNS_MAX: Final = 64
"""Runs of ids of one store; where there are more, it may hold any id."""

States = Literal["current", "history", "past"]
"""Of which objects: those of now; also those that were deleted; those of any type at any time."""

_LIVING: Final = "type = :kind"
_DELETED: Final = "type IS NULL"
_NEXT_KIND: Final = "SELECT min(type) FROM entity WHERE type > :kind"


def runs_of(
    reach: Reach, query: Query, *, fine: bool, states: States = "current"
) -> tuple[Run, ...] | None:
    """Give the runs of ids that objects of a query's types may have; None when too many.

    A run is all of a type, or, `fine`, all that has the same beginning, up to the last colon.
    """
    kinds = _every_kind(reach) if states == "past" else _kinds(reach, query)
    wheres = [(_LIVING, kind) for kind in kinds]
    if states != "current":
        wheres.append((_DELETED, 0))
    found: list[Run] = []
    for where, kind in wheres:
        if not fine:
            first = reach.ask(f"SELECT min(id) FROM entity WHERE {where}", kind=kind)
            if first is not None:
                last = reach.ask(f"SELECT max(id) FROM entity WHERE {where}", kind=kind)
                found.append((first, last))
            continue
        for run in _fine_runs(reach, where, kind):
            if run is None or len(found) == RUNS_MAX:
                return None
            found.append(run)
    return tuple(found)


def least_of(reach: Reach, query: Query) -> str | None:
    """Give an id before which none of a query's types lies; None when there is none of them."""
    runs = runs_of(reach, query, fine=False)
    return min((first for first, _ in runs or ()), default=None)


def _fine_runs(reach: Reach, where: str, kind: int) -> Iterator[Run | None]:
    """Stream runs by seeks from one to the next; None for an id that has no beginning."""
    following = f"SELECT min(id) FROM entity WHERE {where} AND id >= :start"
    preceding = f"SELECT max(id) FROM entity WHERE {where} AND id >= :start AND id < :end"
    start = ""
    while (first := reach.ask(following, kind=kind, start=start)) is not None:
        colon = first.rfind(":")
        if colon < 0:
            yield None
            return
        # What begins so is followed by what has the next character instead of the colon.
        end = first[:colon] + ";"
        yield first, reach.ask(preceding, kind=kind, start=first, end=end)
        start = end


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

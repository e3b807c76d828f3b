"""One regional event out of what several cities say about one happening.

Two statements speak of one happening when they are of the same kind (and both simulated, or both
not: an exercise never touches what is real), their times overlap (or are
no further apart than the kind's slack), and they concern the same city or neighbouring ones. An
event is a set of statements that hang together by that relation. Cities are the grain: two small
areas in neighbouring cities count as one place.

Identity derives from the cause: an event is named after its earliest statement (ties by id), and
statements that are over stay part of it, so that its name is the same whatever the order in which
statements come in, and stays when the first of them ends. A statement that was withdrawn (CAP:
Cancel) doesn't count; what it alone held together falls apart, and the parts say where they come
from.

The relation needn't be looked at pair by pair. Statements about one city that hang together form
spans of time; only the spans of neighbouring cities are compared. For n statements of k cities with
d neighbours each that is n log n + n d steps instead of n squared.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from conurb.errors import TooComplexQueryError
from conurb.systems.warnings.kinds import slack_of, worst

STATEMENTS_MAX: Final = 20_000
"""Statements that are merged at once."""

US_PER_S: Final = 1_000_000
_DIGITS: Final = 16

State = Literal["active", "superseded", "over", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Statement:
    """What one sender says: an alert, of which kind, when, about which cities.

    Times are microseconds; `end_us` is when it was to end, or did. `cities` are ids of the region's
    pack. `issued_us` is when it was said.
    """

    id: str
    owner: str
    sender: str
    kind: str
    begin_us: int
    end_us: int
    cities: tuple[str, ...]
    severity: str
    state: State
    issued_us: int
    headline: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class RegionalEvent:
    """One happening: its statements in order of time, what they amount to.

    `local` is the local part of its id. `severity` is the worst of what holds now, or the worst
    that was once all is over.
    """

    local: str
    kind: str
    begin_us: int
    end_us: int
    cities: tuple[str, ...]
    severity: str
    active: bool
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where an event comes from and goes to, by local ids."""

    merged_from: tuple[str, ...] = ()
    split_from: str | None = None


Neighbours = Mapping[str, frozenset[str]]


def merge(
    statements: Iterable[Statement],
    neighbours: Neighbours,
    *,
    slack: Callable[[str, bool], float] = lambda kind, _simulated: slack_of(kind),
) -> tuple[RegionalEvent, ...]:
    """Make regional events of statements, in order of their begin.

    `neighbours` maps a city to those that it shares a border with; `slack` gives the seconds for a
    kind, and whether it is simulated. Raises TooComplexQueryError over `STATEMENTS_MAX` statements.
    """
    kept = sorted((one for one in statements if one.state != "withdrawn"), key=_order)
    if len(kept) > STATEMENTS_MAX:
        raise TooComplexQueryError(f"{len(kept)} statements; {STATEMENTS_MAX} are merged at most")
    groups = _Groups(len(kept))
    by_kind: defaultdict[tuple[str, bool], list[int]] = defaultdict(list)
    for i, one in enumerate(kept):
        by_kind[one.kind, one.simulated].append(i)
    for key, members in by_kind.items():
        _join(kept, members, neighbours, int(slack(*key) * US_PER_S), groups)
    found: defaultdict[int, list[Statement]] = defaultdict(list)
    for i, one in enumerate(kept):
        found[groups.root(i)].append(one)
    return tuple(_event(found[root]) for root in sorted(found))


def lineage(
    event: RegionalEvent,
    previous: Mapping[str, frozenset[str]],
    current: Mapping[str, frozenset[str]],
) -> Lineage:
    """Say which events went into an event, or which one it was split from.

    `previous` and `current` map local ids to the ids of their statements, before and now.
    """
    own = current[event.local]
    others = sorted(
        local for local, members in previous.items() if local != event.local and members & own
    )
    gone = tuple(local for local in others if local not in current)
    if event.local in previous:
        return Lineage(merged_from=gone)
    # A new name: either its first statement is earlier than all it took in, or it was cut off.
    cut = next((local for local in others if local in current), None)
    return Lineage(merged_from=gone if cut is None else (), split_from=cut)


def successor(members: frozenset[str], current: Mapping[str, frozenset[str]]) -> str | None:
    """Find the event that now holds most of the statements of one that is gone."""
    held = {local: len(members & now) for local, now in current.items() if members & now}
    return max(sorted(held), key=held.__getitem__, default=None)


def related(one: Statement, other: Statement, neighbours: Neighbours, slack_us: int) -> bool:
    """Whether two statements speak of one happening: what `merge` holds without asking by pairs."""
    if (one.kind, one.simulated) != (other.kind, other.simulated):
        return False
    if max(one.begin_us, other.begin_us) > min(one.end_us, other.end_us) + slack_us:
        return False
    near = set(one.cities).union(*(neighbours.get(city, ()) for city in one.cities))
    return not near.isdisjoint(other.cities)


@dataclass(slots=True)
class _Span:
    """Statements about one city that hang together: from when to when, and one of them."""

    begin_us: int
    end_us: int
    member: int


class _Groups:
    """Sets of numbers that are joined (union-find); the root of a set is its least member."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def root(self, i: int) -> int:
        parents = self._parents
        while parents[i] != i:
            parents[i] = parents[parents[i]]
            i = parents[i]
        return i

    def join(self, i: int, j: int) -> None:
        a, b = self.root(i), self.root(j)
        if a != b:
            self._parents[max(a, b)] = min(a, b)


def _join(
    statements: Sequence[Statement],
    members: Sequence[int],
    neighbours: Neighbours,
    slack_us: int,
    groups: _Groups,
) -> None:
    by_city: defaultdict[str, list[_Span]] = defaultdict(list)
    for i in members:  # in order of begin
        one = statements[i]
        for city in one.cities:
            spans = by_city[city]
            last = spans[-1] if spans else None
            if last is not None and one.begin_us <= last.end_us + slack_us:
                groups.join(last.member, i)
                last.end_us = max(last.end_us, one.end_us)
            else:
                spans.append(_Span(one.begin_us, one.end_us, i))
    for city, spans in by_city.items():
        for other in neighbours.get(city, ()):
            if city < other and other in by_city:
                _join_spans(spans, by_city[other], slack_us, groups)


def _join_spans(
    some: Sequence[_Span], others: Sequence[_Span], slack_us: int, groups: _Groups
) -> None:
    """Join the spans of two neighbouring cities that overlap; both lists rise in time."""
    i = j = 0
    while i < len(some) and j < len(others):
        one, other = some[i], others[j]
        if max(one.begin_us, other.begin_us) <= min(one.end_us, other.end_us) + slack_us:
            groups.join(one.member, other.member)
        if one.end_us <= other.end_us:
            i += 1
        else:
            j += 1


def _order(one: Statement) -> tuple[int, int, str]:
    return one.begin_us, one.issued_us, one.id


def _event(statements: Sequence[Statement]) -> RegionalEvent:
    first = statements[0]
    active = [one for one in statements if one.state == "active"]
    telling = active or statements
    return RegionalEvent(
        local=event_local(first),
        kind=first.kind,
        begin_us=first.begin_us,
        end_us=max(one.end_us for one in telling),
        cities=tuple(sorted({city for one in telling for city in one.cities})),
        severity=worst(one.severity for one in telling),
        active=bool(active),
        statements=tuple(statements),
    )


def event_local(first: Statement) -> str:
    """Give the local part of the id of the event that begins with a statement."""
    digest = hashlib.sha256(f"{first.kind}\n{first.id}".encode()).hexdigest()
    return f"{first.kind}-{digest[:_DIGITS]}"

"""Which slots of an index may hold an entity by its id (clauses 5.2.8 and 5.12).

A slot names an id, a pattern of ids, or neither. Patterns stand under the text that every id of
theirs begins with, so that one id is tried on the few patterns that it can be found by.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Final

from conurb.model.query.automaton import Automaton
from conurb.model.query.pattern import Anchor, Chars, parse
from conurb.model.query.pattern import Sequence as InSequence
from conurb.model.registration import EntityInfo

_LATEST: Final = "\U0010ffff"
"""No character comes after it: the end of a range of texts with one beginning."""


@dataclass(slots=True)
class _Pattern:
    automaton: Automaton
    prefix: str
    mask: int = 0


class Identifiers:
    """The ids and patterns of slots; a number stands for a set of slots."""

    __slots__ = ("_any", "_by_prefix", "_ids", "_lengths", "_masks", "_patterns")

    def __init__(self) -> None:
        self._any = 0
        self._masks: dict[str, int] = {}
        self._ids: list[str] = []
        self._patterns: dict[str, _Pattern] = {}
        self._by_prefix: dict[str, dict[str, _Pattern]] = {}
        self._lengths: Counter[int] = Counter()

    def put(self, entity: EntityInfo | None, bit: int) -> None:
        """Put a slot's bit under what it names; an id takes precedence over a pattern."""
        if entity is not None and entity.id is not None:
            if entity.id not in self._masks:
                insort(self._ids, entity.id)
            self._masks[entity.id] = self._masks.get(entity.id, 0) | bit
        elif entity is not None and entity.id_pattern is not None:
            self._pattern(entity.id_pattern).mask |= bit
        else:
            self._any |= bit

    def drop(self, entity: EntityInfo | None, bit: int) -> None:
        """Take a slot's bit away."""
        if entity is not None and entity.id is not None:
            self._masks[entity.id] &= ~bit
            if not self._masks[entity.id]:
                del self._masks[entity.id]
                del self._ids[bisect_left(self._ids, entity.id)]
        elif entity is not None and entity.id_pattern is not None:
            self._forget(entity.id_pattern, bit)
        else:
            self._any &= ~bit

    def find(self, ids: Sequence[str], within: int) -> int:
        """Give the slots of `within` that may hold one of the ids."""
        mask = self._any
        for one in ids:
            mask |= self._masks.get(one, 0)
            for length in self._lengths:
                for pattern in self._by_prefix.get(one[:length], {}).values():
                    if pattern.mask & within & ~mask and pattern.automaton.search(one):
                        mask |= pattern.mask
        return mask & within

    def alike(self, id_pattern: str, within: int, *, every: bool = False) -> int:
        """Give the slots of `within` that may hold an id that a pattern is found in.

        Two patterns may always have an id in common, unless their ids begin differently; with
        `every` also then, as clause 5.12 says it.
        """
        automaton, prefix = _read(id_pattern)
        mask = self._any
        for pattern in self._patterns.values():
            if every or pattern.prefix.startswith(prefix) or prefix.startswith(pattern.prefix):
                mask |= pattern.mask
        start = bisect_left(self._ids, prefix)
        end = bisect_left(self._ids, prefix + _LATEST) if prefix else len(self._ids)
        found = (
            self._masks[one]
            for one in self._ids[start:end]
            if self._masks[one] & within and automaton.search(one)
        )
        return reduce(or_, found, mask) & within

    def _pattern(self, text: str) -> _Pattern:
        pattern = self._patterns.get(text)
        if pattern is None:
            automaton, prefix = _read(text)
            pattern = self._patterns[text] = _Pattern(automaton, prefix)
            if prefix not in self._by_prefix:
                self._by_prefix[prefix] = {}
                self._lengths[len(prefix)] += 1
            self._by_prefix[prefix][text] = pattern
        return pattern

    def _forget(self, text: str, bit: int) -> None:
        pattern = self._patterns[text]
        pattern.mask &= ~bit
        if pattern.mask:
            return
        del self._patterns[text]
        beside = self._by_prefix[pattern.prefix]
        del beside[text]
        if not beside:
            del self._by_prefix[pattern.prefix]
            length = len(pattern.prefix)
            self._lengths[length] -= 1
            if not self._lengths[length]:
                del self._lengths[length]


def _read(text: str) -> tuple[Automaton, str]:
    r"""Read a pattern, and what every text begins with that it is found in.

    >>> _read(r"\Aurn:ngsi-ld:Bus:[0-9]+\Z")[1]
    'urn:ngsi-ld:Bus:'
    """
    node = parse(text)
    prefix = ""
    items = node.items if isinstance(node, InSequence) else (node,)
    if items and items[0] == Anchor("A"):
        for item in items[1:]:
            if not isinstance(item, Chars) or item.ranges[0][0] != item.ranges[-1][1]:
                break
            prefix += chr(item.ranges[0][0])
    return Automaton(node), prefix

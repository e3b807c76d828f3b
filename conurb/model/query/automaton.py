"""Decide whether a portable regular expression is found in a text, in time linear in the text.

Python's own engine tries every way through a pattern, and a pattern comes from outside: `(a+)+b`
would hold a worker for ever. Here a pattern becomes states, and a text is read once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from conurb.model.query.pattern import Anchor, Chars, Choice, Node, Ranges, Repeat, Sequence, parse

COMPILED_MAX: Final = 256
"""Compiled patterns kept in memory."""
CACHED_STEPS_MAX: Final = 20_000
"""Steps of one automaton kept in memory; over that they are forgotten and found again."""


class Automaton:
    """Decides whether a pattern is found in a text, in time linear in the text."""

    __slots__ = ("_anchored", "_epsilon", "_final", "_moves", "_start", "_steps")

    def __init__(self, node: Node) -> None:
        self._epsilon: list[list[tuple[str, int]]] = []
        self._moves: list[tuple[Ranges, int] | None] = []
        self._steps: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        start = self._state()
        self._final = self._build(node, start)
        self._anchored = self._closed({start}, at_start=True)
        self._start = self._closed({start}, at_start=False)

    def _state(self) -> int:
        self._epsilon.append([])
        self._moves.append(None)
        return len(self._moves) - 1

    def _build(self, node: Node, start: int) -> int:
        """Add the states of a tree after `start`; give the last."""
        if isinstance(node, Sequence):
            for item in node.items:
                start = self._build(item, start)
            return start
        end = self._state()
        if isinstance(node, Chars):
            self._moves[start] = (node.ranges, end)
            # A state has one move; what follows starts from a fresh one.
            return end
        if isinstance(node, Anchor):
            self._epsilon[start].append((node.which, end))
        elif isinstance(node, Choice):
            for item in node.items:
                fresh = self._state()
                self._epsilon[start].append(("", fresh))
                self._epsilon[self._build(item, fresh)].append(("", end))
        else:
            self._repeat(node, start, end)
        return end

    def _repeat(self, node: Repeat, start: int, end: int) -> None:
        for _ in range(node.low):
            start = self._build(node.item, self._after(start))
        if node.high is None:
            loop = self._after(start)
            self._epsilon[loop].append(("", end))
            self._epsilon[self._build(node.item, self._after(loop))].append(("", loop))
            return
        for _ in range(node.high - node.low):
            self._epsilon[start].append(("", end))
            start = self._build(node.item, self._after(start))
        self._epsilon[start].append(("", end))

    def _after(self, state: int) -> int:
        fresh = self._state()
        self._epsilon[state].append(("", fresh))
        return fresh

    def _closed(
        self, states: set[int], *, at_start: bool = False, at_end: bool = False
    ) -> frozenset[int]:
        """Follow the empty steps that are open here."""
        seen = set(states)
        stack = list(states)
        while stack:
            for sign, target in self._epsilon[stack.pop()]:
                is_open = not sign or (at_start if sign == "A" else at_end)
                if is_open and target not in seen:
                    seen.add(target)
                    stack.append(target)
        return frozenset(seen)

    def _step(self, states: frozenset[int], char: str) -> frozenset[int]:
        code = ord(char)
        reached = set(self._start)
        for state in states:
            move = self._moves[state]
            if move is not None and any(low <= code <= high for low, high in move[0]):
                reached.add(move[1])
        result = self._closed(reached)
        if len(self._steps) >= CACHED_STEPS_MAX:
            self._steps.clear()
        self._steps[states, char] = result
        return result

    def search(self, text: str) -> bool:
        """Whether the pattern is found anywhere in the text."""
        states = self._anchored | self._start
        steps, final = self._steps, self._final
        for char in text:
            if final in states:
                return True
            following = steps.get((states, char))
            states = self._step(states, char) if following is None else following
        return final in states or final in self._closed(set(states), at_start=not text, at_end=True)


@lru_cache(maxsize=COMPILED_MAX)
def automaton(text: str) -> Automaton:
    """Give the automaton of a pattern, kept for the next time."""
    return Automaton(parse(text))


def search(expression: str, text: str) -> bool:
    """Whether a regular expression is found anywhere in a text.

    Raises BadRequestDataError when it can't be read (never for a portable form).
    """
    return automaton(expression).search(text)

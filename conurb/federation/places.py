"""Where and under which scopes registered sources are: two indexes that answer with sets of bits.

Bit n of every number stands for slot n of `conurb.federation.route.Index`, so that what one index
says and what another one says meet by `&`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from conurb.model.geometry import EARTH_RADIUS_M, Geometry, distance_m, to_shapely
from conurb.model.query.match import reference
from conurb.model.query.tree import GeoCondition, ScopeAll, ScopeCondition, ScopeIs

if TYPE_CHECKING:
    from shapely import STRtree
    from shapely.geometry.base import BaseGeometry

_ROUNDING: Final = 1.001
"""Boxes around circles are this much wider, so that rounding excludes nothing."""


def bits_of(mask: int) -> list[int]:
    """List the numbers of the bits that are set, lowest first.

    >>> bits_of(0b1010)
    [1, 3]
    """
    text = bin(mask)[:1:-1]
    found = []
    at = text.find("1")
    while at >= 0:
        found.append(at)
        at = text.find("1", at + 1)
    return found


def mask_of(numbers: list[int]) -> int:
    """Set the bits of these numbers.

    >>> bin(mask_of([1, 3]))
    '0b1010'
    """
    if not numbers:
        return 0
    flags = bytearray(max(numbers) // 8 + 1)
    for number in numbers:
        flags[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(flags, "little")


# ── scopes ────────────────────────────────────────────────────────────────────────────────────


@dataclass(slots=True)
class _Level:
    here: int = 0
    below: int = 0
    children: dict[str, _Level] = field(default_factory=dict)


class Scopes:
    """The scopes of slots, as a tree of their levels."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root = _Level()

    def put(self, scope: str, bit: int) -> None:
        """Put a slot's bit under a scope."""
        level = self._root
        level.below |= bit
        for name in scope.split("/")[1:]:
            level = level.children.setdefault(name, _Level())
            level.below |= bit
        level.here |= bit

    def drop(self, scopes: Sequence[str], bit: int) -> None:
        """Take a slot's bit away from all of its scopes."""
        steps: list[tuple[_Level, str, _Level]] = []
        for scope in scopes:
            level = self._root
            for name in scope.split("/")[1:]:
                steps.append((level, name, level.children[name]))
                level = level.children[name]
            level.here &= ~bit
        for parent, name, level in reversed(steps):
            level.below &= ~bit
            if not level.below:
                parent.children.pop(name, None)
        self._root.below &= ~bit

    def find(self, condition: ScopeCondition) -> int:
        """Give the slots whose scopes satisfy a scope query (clause 4.19)."""
        if isinstance(condition, ScopeIs):
            return _find(self._root, condition.pattern.split("/")[1:])
        masks = [self.find(item) for item in condition.items]
        found = masks[0]
        for mask in masks[1:]:
            found = found & mask if isinstance(condition, ScopeAll) else found | mask
        return found


def _find(level: _Level, wanted: list[str]) -> int:
    if not wanted:
        return level.here
    head, rest = wanted[0], wanted[1:]
    if head == "#":
        return level.below
    if head != "+":
        child = level.children.get(head)
        return 0 if child is None else _find(child, rest)
    found = 0
    for child in level.children.values():
        found |= _find(child, rest)
    return found


# ── areas ─────────────────────────────────────────────────────────────────────────────────────


class Areas:
    """The areas of slots, of one property: `location` or one of the spaces."""

    __slots__ = ("_numbers", "_shapes", "_tree", "mask")

    def __init__(self) -> None:
        self.mask = 0
        self._shapes: dict[int, tuple[Geometry, BaseGeometry]] = {}
        self._numbers: list[int] = []
        self._tree: STRtree | None = None

    def put(self, number: int, area: Geometry) -> None:
        """Put a slot's area."""
        self._shapes[number] = (area, to_shapely(area))
        self.mask |= 1 << number
        self._tree = None

    def drop(self, number: int) -> None:
        """Take a slot's area away, if it has one."""
        if self._shapes.pop(number, None) is not None:
            self.mask &= ~(1 << number)
            self._tree = None

    def find(self, condition: GeoCondition, within: int) -> int:
        """Give the slots of `within` whose area may hold what stands in the relation asked for.

        An entity that lies in an area can be inside of, meet, or hold what the query names only
        where the two have a point in common; it can be disjoint, or farther away, anywhere.
        """
        document, shape = reference(condition.geometry_wkt)
        if condition.relation == "near":
            if condition.distance_m_max is None:
                return self.mask & within
            return self._near(document, shape, condition.distance_m_max, within)
        if condition.is_elsewhere:
            return self.mask & within
        numbers = self._numbers_in(shape, within)
        return mask_of([one for one in numbers if self._shapes[one][1].intersects(shape)])

    def _near(
        self, document: Geometry, shape: BaseGeometry, distance_m_max: float, within: int
    ) -> int:
        from shapely import box

        west, south, east, north = shape.bounds
        reach = math.degrees(distance_m_max / EARTH_RADIUS_M) * _ROUNDING
        widest = math.cos(math.radians(min(90.0, max(abs(south), abs(north)) + reach)))
        across = reach / widest if widest > reach / 180 else 360.0
        if west - across < -180 or east + across > 180:
            west, east, across = -180.0, 180.0, 0.0
        around = box(west - across, south - reach, east + across, north + reach)
        return mask_of(
            [
                one
                for one in self._numbers_in(around, within)
                if distance_m(self._shapes[one][0], document) <= distance_m_max
            ]
        )

    def _numbers_in(self, shape: BaseGeometry, within: int) -> list[int]:
        """Give the slots of `within` whose boxes meet the box of a shape."""
        if self._tree is None:
            from shapely import STRtree

            self._numbers = list(self._shapes)
            self._tree = STRtree([shape for _, shape in self._shapes.values()])
        found = (self._numbers[at] for at in self._tree.query(shape).tolist())
        return [number for number in found if within >> number & 1]

"""Where a store's objects lie, measured: by type and attribute, with whether they move.

A region leaves a node out of a geographic query only by this, never by what somebody once declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Kind = tuple[str, str]
"""The IRIs of a type and of a GeoProperty."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The box of all geometries of one kind, in degrees, and how many they are.

    `moves` says that one of them at least was observed at a time, or has lain elsewhere before.
    """

    west: float
    south: float
    east: float
    north: float
    count: int
    moves: bool


@dataclass(frozen=True, slots=True)
class Extents:
    """What was measured at `at_us`, when the journal ended at `seq`: it holds until that goes on.

    A kind that isn't there has no geometry.
    """

    seq: int
    at_us: int
    kinds: Mapping[Kind, Extent]

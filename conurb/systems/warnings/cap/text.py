"""The forms that CAP packs into text: lists of references, quoted words, polygons, circles.

Reading gives None for what isn't of the form, so that the caller can say where it stood.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from conurb.systems.warnings.cap.alert import Circle, Reference
from conurb.systems.warnings.cap.shape import find_time

POLYGON_PAIRS_MIN: Final = 4
"""Pairs of a polygon, the first and the last one being the same (clause 3.2.4)."""

_NUMBER: Final = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)"
_PAIR: Final = re.compile(rf"({_NUMBER}),({_NUMBER})", re.ASCII)
_CIRCLE: Final = re.compile(rf"({_NUMBER}),({_NUMBER})\s+({_NUMBER})", re.ASCII)
_WORD: Final = re.compile(r'"([^"]*)"|(\S+)')


def quoted_words(text: str) -> tuple[str, ...]:
    """Split at spaces, keeping what stands in double quotes whole (clause 3.2.1, addresses).

    >>> quoted_words('one "number two"')
    ('one', 'number two')
    """
    return tuple(quoted or plain for quoted, plain in _WORD.findall(text))


def write_words(words: Iterable[str]) -> str:
    """Join words by spaces, those with spaces in double quotes."""
    return " ".join(f'"{word}"' if re.search(r"\s", word) else word for word in words)


def find_references(text: str, *, loose: bool = False) -> tuple[Reference, ...] | None:
    """Read a list of sender,identifier,sent; None when it isn't one."""
    found = []
    for word in text.split():
        parts = word.split(",")
        sent = find_time(parts[-1], loose=loose)
        if len(parts) != 3 or not parts[0] or not parts[1] or sent is None:
            return None
        found.append(Reference(parts[0], parts[1], sent))
    return tuple(found)


def find_polygon(text: str) -> tuple[tuple[float, float], ...] | None:
    """Read pairs latitude,longitude of a closed ring in WGS84 degrees; None when it isn't one."""
    ring = []
    for word in text.split():
        match = _PAIR.fullmatch(word)
        if match is None or not _on_earth(pair := (float(match[1]), float(match[2]))):
            return None
        ring.append(pair)
    if len(ring) < POLYGON_PAIRS_MIN or ring[0] != ring[-1]:
        return None
    return tuple(ring)


def find_circle(text: str) -> Circle | None:
    """Read latitude,longitude radius; None when it isn't a circle."""
    match = _CIRCLE.fullmatch(text.strip())
    if match is None:
        return None
    latitude, longitude, radius_km = map(float, match.groups())
    if not _on_earth((latitude, longitude)) or radius_km < 0 or not math.isfinite(radius_km):
        return None
    return Circle(latitude, longitude, radius_km)


def write_polygon(ring: Iterable[tuple[float, float]]) -> str:
    """Write pairs latitude,longitude."""
    return " ".join(f"{write_number(lat)},{write_number(lon)}" for lat, lon in ring)


def write_circle(circle: Circle) -> str:
    """Write latitude,longitude radius."""
    centre = f"{write_number(circle.latitude)},{write_number(circle.longitude)}"
    return f"{centre} {write_number(circle.radius_km)}"


def write_number(value: float) -> str:
    """Write a number exactly and without an exponent.

    >>> write_number(31.23), write_number(1e-7), write_number(120.0)
    ('31.23', '0.0000001', '120')
    """
    text = format(Decimal(repr(float(value))), "f")
    return text.removesuffix(".0")


def _on_earth(pair: tuple[float, float]) -> bool:
    return -90.0 <= pair[0] <= 90.0 and -180.0 <= pair[1] <= 180.0

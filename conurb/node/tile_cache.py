"""Tiles that are kept, found again by where they lie and of which types they are."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from conurb.model.geometry import bounds
from conurb.model.query.tree import Query, TypeAll, TypeAny, TypeIs, TypeSelection
from conurb.model.tiles.quad import BUFFER, EXTENT, Square, mercator

if TYPE_CHECKING:
    from conurb.model.entity import Attributes
    from conurb.store.contract import Record

BYTES_MAX: Final = 4 * 1024 * 1024
"""Bytes of the tiles that one node keeps."""

ENTRY_BYTES: Final = 500
"""What keeping a tile costs besides its bytes."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tile lies, and the query that says of which types it is; no square: anywhere."""

    query: Query
    square: Square | None

    def types(self) -> tuple[str | None, ...]:
        """Give the types whose objects concern it; (None,) for any."""
        found: list[str | None] = []
        for selector in self.query.selectors:
            if selector.types is None:
                return (None,)
            found += types_of(selector.types)
        return tuple(found) or (None,)


def types_of(selection: TypeSelection) -> list[str]:
    """List the types that a selection names."""
    if isinstance(selection, TypeIs):
        return [selection.iri]
    assert isinstance(selection, TypeAll | TypeAny)  # noqa: S101 - says it to the type checker
    return [iri for item in selection.items for iri in types_of(item)]


@dataclass(slots=True)
class _Kept(Generic[T]):
    place: Place
    value: T


class _Pending(Generic[T]):
    """A tile while it is drawn: what changes meanwhile spoils it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.spoiled = False
        self.value: T | None = None

    def keep(self, value: T) -> None:
        """Give what was drawn."""
        self.value = value


class TileCache(Generic[T]):
    """Keeps the tiles that were asked for last, up to a number of bytes."""

    def __init__(self, *, size: Callable[[T], int], bytes_max: int = BYTES_MAX) -> None:
        self._size = size
        self._bytes_max = bytes_max
        self._bytes = 0
        self._kept: OrderedDict[Hashable, _Kept[T]] = OrderedDict()
        self._pending: set[_Pending[T]] = set()
        self._by_place: defaultdict[tuple[str | None, Square | None], set[Hashable]] = defaultdict(
            set
        )
        self._levels: defaultdict[str | None, defaultdict[int, int]] = defaultdict(
            lambda: defaultdict(int)
        )

    def __len__(self) -> int:
        return len(self._kept)

    def find(self, key: Hashable) -> T | None:
        """Find what is kept under a key."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._kept.move_to_end(key)
        return kept.value

    @contextmanager
    def drawing(self, key: Hashable, place: Place) -> Iterator[_Pending[T]]:
        """Keep what is given to `keep` inside, unless something on it has changed meanwhile."""
        pending: _Pending[T] = _Pending(place)
        self._pending.add(pending)
        try:
            yield pending
        finally:
            self._pending.discard(pending)
        if pending.value is not None and not pending.spoiled:
            self._keep(key, _Kept(place, pending.value))

    def clear(self) -> None:
        """Let go of everything."""
        for pending in self._pending:
            pending.spoiled = True
        self._kept.clear()
        self._by_place.clear()
        self._levels.clear()
        self._bytes = 0

    def touch(self, record: Record) -> None:
        """Let go of the tiles that an entry of the journal concerns."""
        if not self._kept and not self._pending:
            return
        boxes = list(_boxes(record))
        for iri in (*record.types, None):
            for key in list(self._by_place.get((iri, None), ())):
                self._drop(key)
            levels = self._levels.get(iri)
            for z in list(levels or ()):
                self._touch_level(iri, z, boxes)
        for pending in self._pending:
            types = pending.place.types()
            if types == (None,) or set(types) & set(record.types):
                pending.spoiled = True

    def _touch_level(self, iri: str | None, z: int, boxes: list[_Box]) -> None:
        kept = self._levels[iri][z]
        for box in boxes:
            columns, rows = box.span(z)
            if len(columns) * len(rows) > kept:
                places = [
                    square
                    for type_, square in list(self._by_place)
                    if type_ == iri
                    and square is not None
                    and square.z == z
                    and square.x in columns
                    and square.y in rows
                ]
            else:
                places = [Square(z, x, y) for x in columns for y in rows]
            for square in places:
                for key in list(self._by_place.get((iri, square), ())):
                    self._drop(key)

    def _keep(self, key: Hashable, kept: _Kept[T]) -> None:
        self._drop(key)
        self._kept[key] = kept
        self._bytes += self._size(kept.value) + ENTRY_BYTES
        square = kept.place.square
        for iri in kept.place.types():
            self._by_place[iri, square].add(key)
            if square is not None:
                self._levels[iri][square.z] += 1
        while self._bytes > self._bytes_max and self._kept:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self._bytes -= self._size(kept.value) + ENTRY_BYTES
        square = kept.place.square
        for iri in kept.place.types():
            keys = self._by_place[iri, square]
            keys.discard(key)
            if not keys:
                del self._by_place[iri, square]
            if square is not None:
                self._levels[iri][square.z] -= 1
                if not self._levels[iri][square.z]:
                    del self._levels[iri][square.z]


@dataclass(frozen=True, slots=True)
class _Box:
    """A box in the square world, 0 to 1 from the north-west."""

    west: float
    north: float
    east: float
    south: float

    def span(self, z: int) -> tuple[range, range]:
        """Give the columns and rows of a level on which something of it is drawn."""
        side, margin = 1 << z, BUFFER / EXTENT
        columns = _clamped(self.west * side - margin, self.east * side + margin, side)
        return columns, _clamped(self.north * side - margin, self.south * side + margin, side)


def _clamped(low: float, high: float, side: int) -> range:
    return range(max(0, int(low // 1)), min(side - 1, int(high // 1)) + 1)


def _boxes(record: Record) -> Iterator[_Box]:
    """Give where an object was and where it is."""
    yield from _boxes_of(record.before)
    if record.after is not None:
        yield from _boxes_of(record.after.attrs)


def _boxes_of(attrs: Attributes) -> Iterator[_Box]:
    for instances in attrs.values():
        for instance in instances:
            if instance["type"] == "GeoProperty":
                yield _box(instance["value"])


def _box(geometry: Any) -> _Box:
    west, south, east, north = bounds(geometry)
    left, top = mercator(west, north)
    right, bottom = mercator(east, south)
    return _Box(left, top, right, bottom)

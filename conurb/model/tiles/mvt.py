"""The bytes of a vector tile (Mapbox Vector Tile 2.1): layers written, and layers put together.

A layer is written feature by feature; what two nodes drew of one layer becomes one layer by
moving the numbers of its keys and values, without looking at geometries. Points that stand for many
have a number, that of their cell, and add up. Measured against the libraries that there are in
docs/decisions/0009.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_
from typing import Any, Final

from conurb.model.tiles.quad import EXTENT

POINT: Final = 1
LINE: Final = 2
POLYGON: Final = 3

COUNT_KEY: Final = "point_count"
"""The property that says how many objects a point with a number stands for."""

ID_KEY: Final = "id"
"""The property that says which object a feature is of."""

MOVE_TO: Final = 1
LINE_TO: Final = 2
CLOSE_PATH: Final = 7

_DOUBLE: Final = struct.Struct("<d")
_SMALL: Final = tuple(bytes((n,)) for n in range(128))

# Tags of the protocol buffer: number of the field << 3 | kind of wire.
_TILE_LAYER: Final = b"\x1a"
_LAYER_NAME: Final = 0x0A
_LAYER_FEATURE: Final = 0x12
_LAYER_KEY: Final = 0x1A
_LAYER_VALUE: Final = 0x22
_FEATURE_TAGS: Final = 0x12
_FEATURE_KIND: Final = b"\x18"
_FEATURE_GEOMETRY: Final = 0x22

Scalar = str | int | float | bool


def varint(number: int) -> bytes:
    """Write a number in as few bytes as it needs."""
    if number < 128:
        return _SMALL[number]
    out = bytearray()
    while number >= 128:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def varints(numbers: Iterable[int]) -> bytes:
    """Write numbers one after the other."""
    out = bytearray()
    append = out.append
    for number in numbers:
        rest = number
        while rest >= 128:
            append(rest & 0x7F | 0x80)
            rest >>= 7
        append(rest)
    return bytes(out)


def zigzag(number: int) -> int:
    """Write the sign of a number into its last bit.

    >>> [zigzag(n) for n in (0, -1, 1, -2)]
    [0, 1, 2, 3]
    """
    return (number << 1) ^ (number >> 63)


def unzigzag(number: int) -> int:
    """Read a number that `zigzag` has written."""
    return (number >> 1) ^ -(number & 1)


def field(tag: int, body: bytes) -> bytes:
    """Write a field of variable length."""
    size = len(body)
    return _SMALL[tag] + (_SMALL[size] if size < 128 else varint(size)) + body


def value_bytes(value: Scalar) -> bytes:
    """Write the value of a property."""
    if isinstance(value, str):
        return field(0x0A, value.encode())
    if isinstance(value, bool):
        return b"\x38\x01" if value else b"\x38\x00"
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return b"\x28" + varint(value) if value >= 0 else b"\x30" + varint(zigzag(value))
    return b"\x19" + _DOUBLE.pack(value)


class LayerWriter:
    """Writes one layer."""

    def __init__(self, name: str, *, extent: int = EXTENT) -> None:
        self._name = name
        self._extent = extent
        self._keys: dict[str, bytes] = {}
        self._values: dict[bytes, bytes] = {}
        self._numbers: dict[tuple[type, Scalar], bytes] = {}
        self._features: list[bytes] = []

    def __len__(self) -> int:
        return len(self._features)

    def add(
        self,
        kind: int,
        geometry: bytes,
        properties: Mapping[str, Scalar],
        *,
        number: int | None = None,
    ) -> None:
        """Add a feature: its kind, its commands as bytes, its properties, its number if any."""
        keys, numbers = self._keys, self._numbers
        tags: list[bytes] = []
        for name, value in properties.items():
            # Numbers are kept as the bytes that they are written in.
            key = keys.get(name)
            if key is None:
                key = keys[name] = varint(len(keys))
            tags.append(key)
            tags.append(numbers.get((value.__class__, value)) or self._number(value))
        said = b"".join(tags)
        body = _FEATURE_KIND + _SMALL[kind] + field(_FEATURE_GEOMETRY, geometry)
        if said:
            body = field(_FEATURE_TAGS, said) + body
        if number is not None:
            body = b"\x08" + varint(number) + body
        self._features.append(field(_LAYER_FEATURE, body))

    def _number(self, value: Scalar) -> bytes:
        written = value_bytes(value)
        number = self._values.get(written)
        if number is None:
            number = self._values[written] = varint(len(self._values))
        self._numbers[value.__class__, value] = number
        return number

    def layer(self) -> bytes:
        """Give the layer as it stands in a tile; nothing when it has no features."""
        if not self._features:
            return b""
        keys = [field(_LAYER_KEY, key.encode()) for key in self._keys]
        return _layer(self._name, self._features, keys, self._values, self._extent)


def _layer(
    name: str,
    features: Sequence[bytes],
    keys: Sequence[bytes],
    values: Iterable[bytes],
    extent: int,
) -> bytes:
    body = b"".join(
        (
            b"\x78\x02",
            field(_LAYER_NAME, name.encode()),
            *features,
            *keys,
            *(field(_LAYER_VALUE, value) for value in values),
            b"\x28",
            varint(extent),
        )
    )
    return b"".join((_TILE_LAYER, varint(len(body)), body))


# ── reading as far as merging needs it ────────────────────────────────────────────────────────


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a number; give it and where it ends."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 128:
            return number, at
        shift += 7


def iter_fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Stream the fields of a message: number of the field, and its number or its bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = read_varint(data, at)
        wire = tag & 7
        if wire == 0:
            value, at = read_varint(data, at)
            yield tag >> 3, value
        elif wire == 2:
            length, at = read_varint(data, at)
            yield tag >> 3, data[at : at + length]
            at += length
        elif wire == 1:
            yield tag >> 3, data[at : at + 8]
            at += 8
        elif wire == 5:
            yield tag >> 3, data[at : at + 4]
            at += 4
        else:
            raise ValueError(f"a field has the unknown wire kind {wire}")


def read_varints(data: bytes) -> list[int]:
    """Read numbers that stand one after the other."""
    numbers, at, end = [], 0, len(data)
    while at < end:
        number, at = read_varint(data, at)
        numbers.append(number)
    return numbers


def iter_layers(tile: bytes) -> Iterator[bytes]:
    """Stream the bodies of a tile's layers."""
    for number, value in iter_fields(tile):
        if number == 3:
            yield value


def merge_layers(name: str, tiles: Sequence[bytes], *, extent: int = EXTENT) -> bytes:
    """Put the layers of several tiles together into one layer of a name.

    Every layer has to have the extent given. An object is taken from the first tile that has it.
    Raises ValueError for what isn't a tile.
    """
    merging = Merging()
    for tile in tiles:
        merging.take(tile)
    return merging.layer(name, extent)


@dataclass(slots=True)
class Merging:
    """What was taken from several tiles, with the numbers that keys and values get here.

    Objects of the ids `without` aren't taken, nor those that an earlier tile had already, whose ids
    are `repeated`; `dropped` says how many points weren't taken. `crowds` maps the number of a cell
    to how many there are, and to the sums of their places.
    """

    without: Collection[str] = ()
    repeated: set[str] = field_(default_factory=set)
    dropped: int = 0
    _features: list[bytes] = field_(default_factory=list)
    _keys: dict[bytes, int] = field_(default_factory=dict)
    _values: dict[bytes, int] = field_(default_factory=dict)
    _crowds: dict[int, tuple[int, int, int]] = field_(default_factory=dict)
    _taken: set[bytes] = field_(default_factory=set)

    def take(self, tile: bytes) -> None:
        """Take the features of a tile; raise ValueError when it isn't one."""
        taken: set[bytes] = set()
        try:
            for body in iter_layers(tile):
                self._take_layer(body, taken)
        except (IndexError, TypeError) as error:
            raise ValueError(f"not a vector tile: {error}") from error
        self._taken |= taken

    def _take_layer(self, body: bytes, taken: set[bytes]) -> None:
        """Take the features of a layer, and note their ids."""
        found: list[bytes] = []
        key_numbers: list[int] = []
        value_numbers: list[int] = []
        values: list[bytes] = []
        of_id = None
        for number, part in iter_fields(body):
            if number == 2:
                found.append(part)
            elif number == 3:
                if part == ID_KEY.encode():
                    of_id = len(key_numbers)
                key_numbers.append(self._keys.setdefault(part, len(self._keys)))
            elif number == 4:
                values.append(part)
                value_numbers.append(self._values.setdefault(part, len(self._values)))
        without = {value_bytes(one) for one in self.without}
        for feature in found:
            if feature.startswith(b"\x08") and self._add_crowd(feature, values):
                continue
            identity = None if of_id is None else _identity(feature, of_id, values)
            if identity is not None and (identity in self._taken or identity in without):
                self.dropped += dict(iter_fields(feature)).get(3) == POINT
                if identity not in without:
                    self.repeated.update(text.decode() for _, text in iter_fields(identity))
                continue
            if identity is not None:
                taken.add(identity)
            renumbered = _renumbered(feature, (key_numbers, value_numbers))
            self._features.append(field(_LAYER_FEATURE, renumbered))

    def _add_crowd(self, feature: bytes, values: list[bytes]) -> bool:
        """Add a point that stands for many to its cell; False for anything else."""
        parts = dict(iter_fields(feature))
        commands, tags = read_varints(parts[4]), read_varints(parts[2])
        if len(commands) != 3 or len(tags) != 2:
            return False
        [(kind, count)] = iter_fields(values[tags[1]])
        if kind not in (4, 5):
            return False
        x, y = (unzigzag(one) for one in commands[1:])
        known = self._crowds.get(parts[1], (0, 0, 0))
        self._crowds[parts[1]] = known[0] + count, known[1] + x * count, known[2] + y * count
        return True

    def layer(self, name: str, extent: int = EXTENT) -> bytes:
        """Write what was taken as one layer."""
        for number, (count, x, y) in self._crowds.items():
            key = self._keys.setdefault(COUNT_KEY.encode(), len(self._keys))
            value = self._values.setdefault(value_bytes(count), len(self._values))
            place = varints((MOVE_TO | 1 << 3, zigzag(x // count), zigzag(y // count)))
            body = b"".join(
                (
                    b"\x08" + varint(number),
                    field(_FEATURE_TAGS, varints((key, value))),
                    b"\x18" + _SMALL[POINT],
                    field(_FEATURE_GEOMETRY, place),
                )
            )
            self._features.append(field(_LAYER_FEATURE, body))
        if not self._features:
            return b""
        keys = [field(_LAYER_KEY, key) for key in self._keys]
        return _layer(name, self._features, keys, self._values, extent)


def _identity(feature: bytes, of_id: int, values: list[bytes]) -> bytes | None:
    """Give the id of a feature as its value is written; None without one."""
    tags = read_varints(dict(iter_fields(feature)).get(2, b""))
    for key, value in zip(tags[::2], tags[1::2], strict=True):
        if key == of_id and values[value].startswith(b"\x0a"):
            return values[value]
    return None


def _renumbered(feature: bytes, numbers: tuple[list[int], list[int]]) -> bytes:
    out: list[bytes] = []
    for number, part in iter_fields(feature):
        if number == 1:
            out.append(b"\x08" + varint(part))
        elif number == 2:
            tags = read_varints(part)
            out.append(field(_FEATURE_TAGS, varints(numbers[n % 2][t] for n, t in enumerate(tags))))
        elif number == 3:
            out.append(b"\x18" + varint(part))
        elif number == 4:
            out.append(field(_FEATURE_GEOMETRY, part))
    return b"".join(out)

"""A reader of vector tiles for tests, written apart from the writer it is to judge."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Feature:
    """One feature: number, kind (1 point, 2 line, 3 polygon), parts of units, properties."""

    number: int | None = None
    kind: int = 0
    parts: list[list[tuple[int, int]]] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)


def read_tile(data: bytes) -> dict[str, list[Feature]]:
    """Read a tile: layer to features; a name may stand for one layer alone."""
    layers: dict[str, list[Feature]] = {}
    for number, body in _messages(data):
        assert number == 3, "a tile has layers alone"
        name, features = _layer(body)
        assert name not in layers, "two layers of one name"
        layers[name] = features
    return layers


def _layer(data: bytes) -> tuple[str, list[Feature]]:
    name, version, extent = "", 0, 0
    keys: list[str] = []
    values: list[Any] = []
    raw: list[bytes] = []
    for number, part in _messages(data):
        match number:
            case 1:
                name = part.decode()
            case 2:
                raw.append(part)
            case 3:
                keys.append(part.decode())
            case 4:
                values.append(_value(part))
            case 5:
                extent = part
            case 15:
                version = part
    assert (version, extent) == (2, 4096)
    return name, [_feature(one, keys, values) for one in raw]


def _feature(data: bytes, keys: list[str], values: list[Any]) -> Feature:
    feature = Feature()
    for number, part in _messages(data):
        match number:
            case 1:
                feature.number = part
            case 2:
                tags = _numbers(part)
                assert len(tags) % 2 == 0
                pairs = zip(tags[::2], tags[1::2], strict=True)
                feature.properties = {keys[k]: values[v] for k, v in pairs}
            case 3:
                feature.kind = part
            case 4:
                feature.parts = _geometry(_numbers(part))
    return feature


def _geometry(numbers: list[int]) -> list[list[tuple[int, int]]]:
    parts: list[list[tuple[int, int]]] = []
    x = y = at = 0
    while at < len(numbers):
        command, count = numbers[at] & 7, numbers[at] >> 3
        at += 1
        if command == 7:
            assert len(parts[-1]) >= 3, "a ring has three corners at least"
            continue
        for _ in range(count):
            x += _unzigzag(numbers[at])
            y += _unzigzag(numbers[at + 1])
            at += 2
            if command == 1:
                parts.append([])
            parts[-1].append((x, y))
    return parts


def area(ring: list[tuple[int, int]]) -> float:
    """Measure a ring by the surveyor's formula: positive for an outer one."""
    pairs = zip(ring, [*ring[1:], ring[0]], strict=True)
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs) / 2


def _value(data: bytes) -> Any:
    [(number, part)] = list(_messages(data))
    if number == 1:
        return part.decode()
    if number == 2:
        return struct.unpack("<f", part)[0]
    if number == 3:
        return struct.unpack("<d", part)[0]
    if number == 6:
        return _unzigzag(part)
    return bool(part) if number == 7 else part


def _unzigzag(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


def _messages(data: bytes) -> list[tuple[int, Any]]:
    found: list[tuple[int, Any]] = []
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        match tag & 7:
            case 0:
                value, at = _number(data, at)
                found.append((tag >> 3, value))
            case 1:
                found.append((tag >> 3, data[at : at + 8]))
                at += 8
            case 2:
                size, at = _number(data, at)
                found.append((tag >> 3, data[at : at + size]))
                at += size
            case 5:
                found.append((tag >> 3, data[at : at + 4]))
                at += 4
            case other:
                raise AssertionError(f"wire kind {other}")
    assert at == len(data)
    return found


def _numbers(data: bytes) -> list[int]:
    numbers, at = [], 0
    while at < len(data):
        number, at = _number(data, at)
        numbers.append(number)
    return numbers


def _number(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, at
        shift += 7

"""The token with which a listener comes back: how far it was told, node by node."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from typing import Final

import orjson

from conurb.errors import BadRequestDataError

LENGTH_MAX: Final = 20_000
"""Characters of one token."""

TOLD_BYTES_MAX: Final = 200_000
"""Bytes that a token says."""


def write_token(positions: Mapping[str, int]) -> str:
    """Write how far a listener was told.

    >>> read_token(write_token({"wuxi": 12}))
    {'wuxi': 12}
    """
    said = zlib.compress(orjson.dumps(positions, option=orjson.OPT_SORT_KEYS), 6)
    return base64.urlsafe_b64encode(said).rstrip(b"=").decode()


def read_token(text: str) -> dict[str, int]:
    """Read a token; raise BadRequestDataError when it isn't one."""
    try:
        if len(text) > LENGTH_MAX:
            raise ValueError("too long")
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        reader = zlib.decompressobj()
        said = orjson.loads(reader.decompress(raw, TOLD_BYTES_MAX))
        if not isinstance(said, dict) or not all(
            isinstance(one, int) and 0 <= one < 2**62 for one in said.values()
        ):
            raise ValueError("not positions")
    except (ValueError, binascii.Error, zlib.error) as error:
        raise BadRequestDataError(
            f"Last-Event-ID: {text!r:.60} is not an id that this node has given"
        ) from error
    return said

"""What couldn't be read or stored is set aside in a file, so that one bad message stops nothing.

One JSON document per line: when, which part, why, and what it was. On disk before the source's
position moves on. Bounded: a file that is full becomes `NAME.jsonl.1`, replacing the one before.
"""

from __future__ import annotations

import asyncio
import base64
import os
from pathlib import Path
from typing import Any, Final

import orjson

BYTES_MAX: Final = 64 * 1024 * 1024
BODY_BYTES_MAX: Final = 1024 * 1024
"""How much of a message is kept."""


class DeadLetters:
    """The dead-letter file of one part."""

    def __init__(self, path: Path, *, bytes_max: int = BYTES_MAX) -> None:
        self.path = path
        self._bytes_max = bytes_max

    async def put(self, *, at: str, why: str, body: bytes = b"", **about: Any) -> None:
        """Set something aside; return when it is on disk."""
        letter = {"at": at, "why": why, **about, **_written(body)}
        line = orjson.dumps(letter, option=orjson.OPT_APPEND_NEWLINE, default=repr)
        await asyncio.to_thread(self._append, line)

    def _append(self, line: bytes) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists() and self.path.stat().st_size + len(line) > self._bytes_max:
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        with self.path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())


def _written(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    kept = body[:BODY_BYTES_MAX]
    cut = {"bodyBytes": len(body)} if len(kept) < len(body) else {}
    try:
        return {"body": kept.decode("utf-8"), **cut}
    except UnicodeDecodeError:
        return {"bodyBase64": base64.b64encode(kept).decode("ascii"), **cut}

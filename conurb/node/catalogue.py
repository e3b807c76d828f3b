"""The catalogue of preloaded @contexts: which URL is answered by which file.

With it a node in a closed network knows the @contexts that it needs before it starts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from conurb.errors import ConfigError
from conurb.node.context_fetch import unavailable


def read_catalogue(file: Path) -> dict[str, Path]:
    """Read a catalogue of preloaded @contexts: a JSON object of URL to file beside it.

    Raises ConfigError when it isn't one, or a file is missing.
    """
    try:
        document = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise ConfigError(f"catalogue of @contexts {file}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"catalogue of @contexts {file}: not a JSON object of URL to file")
    catalogue = {url: file.parent / str(name) for url, name in document.items()}
    for url, path in catalogue.items():
        if not path.is_file():
            raise ConfigError(f"catalogue of @contexts {file}: {url} names {path}, no such file")
    return catalogue


def read_preloaded(url: str, path: Path) -> Any:
    """Read a preloaded document; raise ContextUnavailableError when it can't be read."""
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise unavailable(url, f"its preloaded file {path} can't be read: {error}") from error

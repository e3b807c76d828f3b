"""Choose the engine of a store by its URL or path."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from conurb.errors import ConfigError, NotFoundError
from conurb.model.time import Clock, system_clock
from conurb.store.contract import Store


def open_store(url_or_path: str | Path, *, clock: Clock = system_clock) -> Store:
    """Make the store that a URL or path names; it is opened by its `open`.

    A path or `sqlite:///path` is the embedded engine (a missing file is created),
    `postgresql://user@host/database?schema=name` is PostgreSQL with PostGIS. Raises ConfigError for
    anything else, or when the driver for PostgreSQL isn't installed.
    """
    text = str(url_or_path)
    if _is_postgres(text):
        return _open_postgres(text, clock)
    path = _sqlite_path(text)
    from conurb.store.sqlite.engine import SqliteStore

    return SqliteStore(path, clock=clock)


def require_there(url_or_path: str) -> None:
    """Raise NotFoundError when the file of an embedded store isn't there, rather than make one."""
    if _is_postgres(url_or_path):
        return
    path = _sqlite_path(url_or_path)
    if not path.is_file():
        raise NotFoundError(f"there is no store at {path}")


def _is_postgres(text: str) -> bool:
    return text.startswith(("postgresql://", "postgres://"))


def _sqlite_path(text: str) -> Path:
    scheme = urlsplit(text).scheme if "://" in text else ""
    if scheme not in ("", "sqlite"):
        raise ConfigError(
            f"store: {text!r} is neither a path, nor sqlite:///path, nor postgresql://..."
        )
    path = unquote(text.removeprefix("sqlite://")) if scheme else text
    if scheme and not path.startswith("/"):
        raise ConfigError(f"store: {text!r}: write sqlite:///relative/path or sqlite:////absolute")
    if scheme:
        path = path[1:]
    if not path:
        raise ConfigError("store: the path is empty")
    return Path(path).expanduser()


def _open_postgres(url: str, clock: Clock) -> Store:
    try:
        from conurb.store.postgres.engine import PostgresStore
    except ImportError as error:
        raise ConfigError(
            "store: PostgreSQL needs the extra 'postgres' (pip install 'conurb[postgres]')"
        ) from error
    store: Store = PostgresStore(url, clock=clock)
    return store

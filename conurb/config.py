"""Settings of one process: one TOML file and `CONURB_*` variables, checked at start, passed in.

Everything that an operator may choose is a field of `Settings`, typed and with its default. The
TOML file has the same names as the fields; an environment variable `CONURB_` plus the name in
capitals goes before it, and what is given on the command line before both. Nothing else in
Conurb reads the environment. Stands on `conurb.errors` alone.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from conurb.errors import ConfigError

PREFIX: Final = "CONURB_"
_MIB: Final = 1024 * 1024
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})
PORT_MAX: Final = 65_535
PLACES: Final = frozenset({"node", "region"})
"""Where parts of a system run (`conurb.systems.contract.Place`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator may choose, with defaults that suit one node on one's own machine.

    `store` is a path or URL as `conurb.store.engines.open_store` takes it. `contexts` names a
    catalogue of preloaded @contexts (JSON: URL to file). `public_url` is where others reach this
    process, without a path; without it, answers name the address that the request came to.
    `outbound` is the allow-list of `conurb.access.outbound`: where the process may send to;
    `fetch_contexts` says whether an unknown @context may be fetched from them at all.
    `systems` are switched on by name ("all": every one that is installed); the table `system` has
    a table of options for each, `places` says what parts of them run at the default tenant.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    store: str = "conurb.sqlite"
    data_folder: Path = Path("conurb-data")
    contexts: Path | None = None
    node_id: str | None = None
    public_url: str | None = None

    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tokens: Path | None = None
    insecure_open: bool = False

    outbound: tuple[str, ...] | None = None
    fetch_contexts: bool = False
    context_timeout_s: float = 5.0
    context_bytes_max: int = 4 * _MIB
    context_lifetime_s: int = 86_400
    contexts_max: int = 512

    systems: tuple[str, ...] = ()
    system: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    places: tuple[str, ...] = ("node", "region")
    check_types: bool = False
    replay: bool = False
    recordings: Path | None = None

    body_bytes_max: int = 64 * _MIB
    body_depth_max: int = 128
    batch_max: int = 10_000
    page_default: int = 20
    page_max: int = 1000
    offset_max: int = 10_000_000
    temporal_instances_max: int = 10_000
    query_text_max: int = 16_384
    freshness_s: float = 60.0
    journal_keep_s: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= PORT_MAX:
            raise ConfigError(f"port: {self.port} is not between 0 and {PORT_MAX}")
        for name in (
            "body_bytes_max",
            "body_depth_max",
            "batch_max",
            "page_default",
            "page_max",
            "temporal_instances_max",
            "contexts_max",
            "context_bytes_max",
            "query_text_max",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}: {getattr(self, name)} is not at least 1")
        if self.freshness_s < 0:
            raise ConfigError(f"freshness_s: {self.freshness_s:g} is below 0")
        if self.journal_keep_s < 0:
            raise ConfigError(f"journal_keep_s: {self.journal_keep_s} is below 0")
        if self.page_default > self.page_max:
            raise ConfigError(
                f"page_default: {self.page_default} is over page_max, {self.page_max}"
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigError("tls_certificate and tls_key go together: one of them is missing")
        if not self.places or set(self.places) - PLACES:
            raise ConfigError(
                f"places: {', '.join(self.places) or 'nothing'} is not one or more of "
                f"{', '.join(sorted(PLACES))}"
            )
        if self.recordings is not None and not self.recordings.is_dir():
            raise ConfigError(f"recordings: there is no folder {self.recordings}")
        for name in ("contexts", "tls_certificate", "tls_key"):
            path = getattr(self, name)
            if path is not None and not path.is_file():
                raise ConfigError(f"{name}: there is no file {path}")

    @property
    def tokens_path(self) -> Path:
        """Give the file in which tokens are kept: `tokens`, or one in the data folder."""
        return self.tokens or self.data_folder / "tokens.json"

    @property
    def is_open(self) -> bool:
        """Whether everybody who can reach the process may do everything."""
        return self.insecure_open or (self.loopback and self.tokens is None)

    @property
    def outbound_allowed(self) -> tuple[str, ...]:
        """Give where the process may send to: `outbound`, or what suits who can reach it.

        Whoever asks an open process on loopback is on this machine and may send anywhere without
        it; others could use it to reach into its network, and get loopback alone.
        """
        if self.outbound is not None:
            return self.outbound
        return ("*",) if self.loopback and self.is_open else ("loopback",)

    @property
    def loopback(self) -> bool:
        """Whether the process listens to its own machine alone."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def load_settings(
    file: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Read settings from a TOML file, the environment and what was given on the command line.

    `overrides` of None count as not given. Raises ConfigError, naming the setting, its value and
    where it stood, for an unknown name, a value of the wrong type, or one out of bounds.
    """
    values: dict[str, Any] = {}
    if file is not None:
        values.update(_from_toml(file))
    values.update(_from_environ(os.environ if environ is None else environ))
    values.update({k: v for k, v in (overrides or {}).items() if v is not None})
    return Settings(**{name: _typed(name, value) for name, value in values.items()})


_TYPES: Final[dict[str, str]] = {field.name: str(field.type) for field in fields(Settings)}


def _from_toml(file: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not TOML: {error}") from error
    for name in document:
        if name not in _TYPES:
            raise ConfigError(f"{file}: there is no setting {name!r}; settings: {_names()}")
    return document


def _from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: environ[PREFIX + name.upper()]
        for name in _TYPES
        if environ.get(PREFIX + name.upper(), "") != ""
    }


def _typed(name: str, value: Any) -> Any:
    """Turn what a file, a variable or a flag gave into the type of the setting."""
    kind = _TYPES.get(name)
    if kind is None:
        raise ConfigError(f"there is no setting {name!r}; settings: {_names()}")
    try:
        if kind == "bool":
            return value if isinstance(value, bool) else _flag(str(value))
        if kind == "int":
            return _whole(value)
        if kind == "float":
            return float(value)
        if kind.startswith("Path"):
            return Path(value).expanduser()
        if kind.startswith("tuple"):
            items = value.split(",") if isinstance(value, str) else value
            return tuple(str(item).strip() for item in items if str(item).strip())
        if kind.startswith("Mapping"):
            return _tables(value)
        return str(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: {value!r} is not {_wanted(kind)}") from error


def _flag(text: str) -> bool:
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError(text)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError(value)
    return int(value)


def _tables(value: Any) -> dict[str, dict[str, Any]]:
    """Read tables by name: from TOML as they are, from a variable as JSON."""
    tables = json.loads(value) if isinstance(value, str) else value
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise TypeError(value)
    return tables


def _wanted(kind: str) -> str:
    words = {"bool": "true or false", "int": "a whole number", "float": "a number"}
    if kind.startswith("Mapping"):
        return "tables by name"
    return words.get(kind, "a list of texts" if kind.startswith("tuple") else "a path")


def _names() -> str:
    return ", ".join(sorted(_TYPES))

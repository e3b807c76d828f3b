"""Finds systems: those of this package and anybody else's, by one entry-point group.

A package offers a system with, in its pyproject.toml,

    [project.entry-points."conurb.systems"]
    noise = "city_noise.system:SYSTEM"

Nothing is imported before it is asked for; one that can't be imported is listed with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from conurb.errors import ConfigError
from conurb.systems.contract import System

GROUP: Final = "conurb.systems"
EVERY: Final = "all"
"""What stands for every system that is installed."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A system that is installed: where it comes from, and why it can't be loaded if so."""

    name: str
    package: str
    version: str
    system: System | None
    error: str | None = None


def names() -> tuple[str, ...]:
    """Give the names of the systems that are installed, without importing them."""
    return tuple(sorted({one.name for one in entry_points(group=GROUP)}))


def list_systems() -> list[Listed]:
    """List the systems that are installed, by name."""
    return [_listed(one) for one in sorted(entry_points(group=GROUP), key=lambda one: one.name)]


def get_system(name: str) -> System:
    """Load a system; raise ConfigError when it isn't installed or can't be loaded."""
    found = [one for one in entry_points(group=GROUP) if one.name == name]
    if not found:
        known = ", ".join(names()) or "none"
        raise ConfigError(f"there is no system {name!r}; systems installed: {known}")
    if len({one.value for one in found}) > 1:
        values = ", ".join(sorted({one.value for one in found}))
        raise ConfigError(f"two packages offer a system {name!r}: {values}")
    return _load(found[0])


def get_systems(wanted: Iterable[str]) -> tuple[System, ...]:
    """Load the systems of some names (`EVERY`: all), each once, in the order given.

    Raises ConfigError when one of them isn't installed or can't be loaded.
    """
    chosen: list[str] = []
    for name in wanted:
        chosen += names() if name == EVERY else (name,)
    systems = tuple(get_system(name) for name in dict.fromkeys(chosen))
    _check_apart(systems)
    return systems


def _load(entry: EntryPoint) -> System:
    try:
        system = entry.load()
    except Exception as error:
        raise ConfigError(f"system {entry.name!r} ({entry.value}): {error!r}") from error
    if not isinstance(system, System):
        raise ConfigError(f"system {entry.name!r}: {entry.value} is not a System")
    if system.name != entry.name:
        raise ConfigError(
            f"system {entry.name!r}: {entry.value} calls itself {system.name!r}; "
            "the entry point has to have its name"
        )
    return system


def _listed(entry: EntryPoint) -> Listed:
    about = entry.dist
    package, version = (about.name, about.version) if about is not None else ("", "")
    try:
        return Listed(entry.name, package, version, _load(entry))
    except ConfigError as error:
        return Listed(entry.name, package, version, None, error.detail)


def _check_apart(systems: Sequence[System]) -> None:
    """Raise ConfigError when two systems claim one path or one layer."""
    owners: dict[tuple[str, str], str] = {}
    for system in systems:
        claims = {("the path", one.path.split("/")[1]) for one in system.endpoints}
        claims |= {("the layer", one.id) for one in system.layers}
        for claim in claims:
            other = owners.setdefault(claim, system.name)
            if other != system.name:
                raise ConfigError(
                    f"systems {other!r} and {system.name!r} both claim {claim[0]} {claim[1]!r}"
                )

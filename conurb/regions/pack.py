"""A region pack: a folder that says which cities form a region, and what is known of them.

Written by hand, and kept when a pack is built again:

- `region.toml`: id, names, time zone, groups of cities (a plan's list), roles, centre points, and
  facts that have no year of their own
- `sources.toml`: where the figures come from (`conurb.regions.figures`); optional

Derived by `conurb region new`:

- `cities.csv`: id, code, names, province, centre point
- `boundaries.geojson`: one feature per city, WGS84, with source, licence and how it was made
- `figures.csv`: figures by city and year in base units; optional
"""

from __future__ import annotations

import csv
import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from conurb.errors import BadRequestDataError, NotFoundError
from conurb.regions.figures import Figure, Sources, read_figures, read_sources

REGION_FILE: Final = "region.toml"
CITIES_FILE: Final = "cities.csv"
BOUNDARIES_FILE: Final = "boundaries.geojson"
SOURCES_FILE: Final = "sources.toml"
FIGURES_FILE: Final = "figures.csv"
_FILES: Final = (REGION_FILE, CITIES_FILE, BOUNDARIES_FILE, SOURCES_FILE, FIGURES_FILE)

Names = Mapping[str, str]
"""Language (zh, en) to text."""


@dataclass(frozen=True, slots=True)
class Group:
    """Cities that a document names together: a plan's list, a pilot."""

    id: str
    name: Names
    source: str
    cities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """A value per city that has no year of its own, such as the year a policy began."""

    attribute: str
    source: str
    note: str | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Centres:
    """Centre points of cities by one source: longitude, latitude in degrees."""

    source: str
    note: str | None
    points: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class City:
    """One city of a region; `centre` is longitude, latitude in degrees."""

    id: str
    code: str
    name: Names
    province: Names
    centre: tuple[float, float]
    boundary: Mapping[str, Any]
    role: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Definition:
    """What `region.toml` says."""

    id: str
    name: Names
    timezone: ZoneInfo
    groups: tuple[Group, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    centres: tuple[Centres, ...] = ()
    facts: tuple[Fact, ...] = ()

    def find_centres(self, city: str) -> Centres | None:
        """Find the source that says where a city's centre is."""
        return next((centres for centres in self.centres if city in centres.points), None)

    def role_of(self, city: str) -> str | None:
        """Give the role of a city, if it has one."""
        return next((role for role, cities in self.roles.items() if city in cities), None)


@dataclass(frozen=True, slots=True)
class Pack:
    """A region pack as read; `provenance` is what `boundaries.geojson` says of itself."""

    folder: Path
    definition: Definition
    cities: tuple[City, ...]
    provenance: Mapping[str, Any]
    sources: Sources | None

    def iter_figures(self) -> Iterator[Figure]:
        """Stream the figures, city by city and year by year."""
        path = self.folder / FIGURES_FILE
        if self.sources is not None and path.is_file():
            yield from read_figures(path, self.sources)

    def digest(self) -> str:
        """Give a digest of everything in the pack: another digest, another content."""
        digest = hashlib.sha256()
        for name in _FILES:
            path = self.folder / name
            digest.update(path.read_bytes() if path.is_file() else b"")
            digest.update(name.encode())
        return digest.hexdigest()


def shipped_packs() -> list[str]:
    """List the names of the packs that ship."""
    root = resources.files("conurb.regions")
    return sorted(
        item.name for item in root.iterdir() if item.is_dir() and (item / REGION_FILE).is_file()
    )


def find_folder(name: str) -> Path:
    """Give the folder of a pack: a shipped one by name, any other by its path.

    Raises NotFoundError when neither is there.
    """
    if name in shipped_packs():
        return Path(str(resources.files("conurb.regions") / name))
    folder = Path(name)
    if (folder / REGION_FILE).is_file():
        return folder
    raise NotFoundError(
        f"region {name!r}: neither a folder with a {REGION_FILE} nor one of the packs that ship: "
        f"{', '.join(shipped_packs())}"
    )


def read_pack(name: str | Path) -> Pack:
    """Read a pack, by the name of a shipped one or by its folder.

    Raises NotFoundError without such a pack, BadRequestDataError for what is wrong in it.
    """
    folder = name if isinstance(name, Path) else find_folder(name)
    definition = read_definition(folder / REGION_FILE)
    boundaries = json.loads((folder / BOUNDARIES_FILE).read_text("utf-8"))
    shapes = {feature["id"]: feature["geometry"] for feature in boundaries["features"]}
    sources_path = folder / SOURCES_FILE
    pack = Pack(
        folder=folder,
        definition=definition,
        cities=tuple(_iter_cities(folder / CITIES_FILE, definition, shapes)),
        provenance={key: value for key, value in boundaries.items() if key != "features"},
        sources=read_sources(sources_path) if sources_path.is_file() else None,
    )
    _check_members(pack)
    return pack


def read_definition(path: Path) -> Definition:
    """Read `region.toml`; raise BadRequestDataError naming what is missing."""
    document = tomllib.loads(path.read_text("utf-8"))
    try:
        return Definition(
            id=document["id"],
            name=document["name"],
            timezone=ZoneInfo(document["timezone"]),
            groups=tuple(
                Group(item["id"], item["name"], item["source"], tuple(item["cities"]))
                for item in document.get("groups", ())
            ),
            roles={key: tuple(cities) for key, cities in document.get("roles", {}).items()},
            centres=tuple(
                Centres(
                    item["source"],
                    item.get("note"),
                    {city: (float(x), float(y)) for city, (x, y) in item["points"].items()},
                )
                for item in document.get("centres", ())
            ),
            facts=tuple(
                Fact(item["attribute"], item["source"], item.get("note"), item["values"])
                for item in document.get("facts", ())
            ),
        )
    except KeyError as error:
        raise BadRequestDataError(f"{path.name}: {error.args[0]} is missing") from error
    except ZoneInfoNotFoundError as error:
        raise BadRequestDataError(f"{path.name}: timezone {document['timezone']!r}") from error


def _iter_cities(
    path: Path, definition: Definition, shapes: Mapping[str, Mapping[str, Any]]
) -> Iterator[City]:
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            identity = row["id"]
            if identity not in shapes:
                raise BadRequestDataError(f"{BOUNDARIES_FILE}: no boundary of {identity!r}")
            yield City(
                id=identity,
                code=row["code"],
                name={"zh": row["name_zh"], "en": row["name_en"]},
                province={"zh": row["province_zh"], "en": row["province_en"]},
                centre=(float(row["lon"]), float(row["lat"])),
                boundary=shapes[identity],
                role=definition.role_of(identity),
                groups=tuple(group.id for group in definition.groups if identity in group.cities),
            )


def _check_members(pack: Pack) -> None:
    """Raise BadRequestDataError when the files by hand name a city that the region hasn't."""
    known = {city.id for city in pack.cities}
    breaks = pack.sources.breaks if pack.sources is not None else ()
    named = [
        *((f"group {group.id}", group.cities) for group in pack.definition.groups),
        *((f"role {role}", cities) for role, cities in pack.definition.roles.items()),
        *((f"fact {fact.attribute}", fact.values) for fact in pack.definition.facts),
        *((f"break {item.note!r}", item.cities) for item in breaks),
    ]
    for what, cities in named:
        unknown = sorted(set(cities) - known)
        if unknown:
            raise BadRequestDataError(
                f"{pack.definition.id}: {what} names {', '.join(unknown)}, not a city of the region"
            )

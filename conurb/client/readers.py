"""The files that can be loaded, as a stream of entity documents, each with the place it stands at.

A line that is wrong doesn't end the stream: it comes out as a `Fault`, so that the rest loads and
the caller can say which line it was.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from conurb.client.mapping import ColumnMapping, RowMapper
from conurb.errors import ConfigError, InputError, InvalidRequestError

SUFFIXES: Final = (
    ".csv",
    ".tsv",
    ".geojson",
    ".json",
    ".jsonld",
    ".ndjson",
    ".parquet",
    ".geoparquet",
)
FIELD_SIZE_MAX: Final = 1 << 24
"""Bytes of one CSV cell; a boundary as text is long, a runaway quote is longer."""


@dataclass(frozen=True, slots=True)
class Read:
    """One entity document and where in the file it stands. `temporal`: its row speaks of a time."""

    place: str
    document: dict[str, Any]
    temporal: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A place in a file that can't be loaded, and why."""

    place: str
    reason: str


Reader = Callable[[Path, ColumnMapping], Iterator[Read | Fault]]


def iter_file(path: Path, mapping: ColumnMapping) -> Iterator[Read | Fault]:
    """Stream the entity documents of a file, by its suffix.

    Raises InvalidRequestError when the file can't be read at all, or isn't of a kind that can be
    loaded.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise InvalidRequestError(
            f"{path}: can't tell what it is by {path.suffix!r}; known: {', '.join(SUFFIXES)}"
        )
    if not path.is_file():
        raise InvalidRequestError(f"{path}: there is no such file")
    yield from reader(path, mapping)


def _mapped(
    mapper: RowMapper, place: str, row: dict[str, Any], geometry: Any = None
) -> Read | Fault:
    try:
        return Read(place, mapper.entity(row, geometry), temporal=mapper.timed)
    except InputError as error:
        return Fault(place, error.detail)


def _iter_csv(path: Path, mapping: ColumnMapping) -> Iterator[Read | Fault]:
    csv.field_size_limit(FIELD_SIZE_MAX)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = next(lines)
        except StopIteration:
            raise InvalidRequestError(f"{path}: the file is empty, a header is expected") from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise InvalidRequestError(f"{path}: {error}; CSV in UTF-8 is expected") from error
        mapper = RowMapper(mapping, header)
        while True:
            try:
                cells = next(lines)
            except StopIteration:
                return
            except (UnicodeDecodeError, csv.Error) as error:
                yield Fault(f"line {lines.line_num + 1}", f"can't be read: {error}")
                if isinstance(error, UnicodeDecodeError):
                    return
                continue
            place = f"line {lines.line_num}"
            if not cells:
                continue
            if len(cells) != len(header):
                yield Fault(place, f"{len(cells)} cells where the header has {len(header)}")
                continue
            yield _mapped(mapper, place, dict(zip(header, cells, strict=True)))


def _load_json(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"{path} is not JSON: {error}") from error


def _iter_geojson(path: Path, mapping: ColumnMapping) -> Iterator[Read | Fault]:
    document = _load_json(path)
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise InvalidRequestError(f"{path}: a GeoJSON FeatureCollection is expected")
    yield from _iter_features(features, mapping)


def _iter_features(features: list[Any], mapping: ColumnMapping) -> Iterator[Read | Fault]:
    mapper: RowMapper | None = None
    header = {
        name: None
        for feature in features
        if isinstance(feature, dict)
        for name in ({"id": None} if "id" in feature else {}) | (feature.get("properties") or {})
    }
    for number, feature in enumerate(features, start=1):
        place = f"feature {number}"
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            yield Fault(place, "is not a GeoJSON Feature")
            continue
        mapper = mapper or RowMapper(mapping, list(header))
        row = {"id": feature.get("id"), **(feature.get("properties") or {})}
        yield _mapped(mapper, place, row, feature.get("geometry"))


def _iter_entities(path: Path, mapping: ColumnMapping) -> Iterator[Read | Fault]:
    document = _load_json(path)
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        yield from _iter_features(document.get("features") or [], mapping)
        return
    for number, entity in enumerate(document if isinstance(document, list) else [document], 1):
        yield _entity(f"entity {number}", entity)


def _iter_lines(path: Path, mapping: ColumnMapping) -> Iterator[Read | Fault]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield _entity(f"line {number}", orjson.loads(line))
            except orjson.JSONDecodeError as error:
                yield Fault(f"line {number}", f"is not JSON: {error}")


def _entity(place: str, entity: Any) -> Read | Fault:
    """Take an NGSI-LD entity; arrays of instances with times make it a temporal one."""
    if not isinstance(entity, dict) or not isinstance(entity.get("id"), str):
        return Fault(place, "is not an NGSI-LD entity: an object with id and type is expected")
    return Read(place, entity, temporal=_is_evolution(entity))


def _is_evolution(entity: dict[str, Any]) -> bool:
    """Whether an attribute has two instances of one datasetId, which only history can hold."""
    for value in entity.values():
        if isinstance(value, list) and len(value) > 1:
            datasets = [item.get("datasetId") for item in value if isinstance(item, dict)]
            if len(set(datasets)) < len(datasets):
                return True
    return False


def _iter_parquet(path: Path, mapping: ColumnMapping) -> Iterator[Read | Fault]:
    try:
        import geopandas as gpd
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ConfigError(
            "GeoParquet needs the extra 'frames': pip install 'conurb[frames]'"
        ) from error
    try:
        if b"geo" in (pq.read_schema(path).metadata or {}):
            frame = gpd.read_parquet(path)
            geometries = frame.geometry.to_crs(4326) if frame.crs else frame.geometry
            shapes = [None if shape is None else shape.__geo_interface__ for shape in geometries]
            frame = frame.drop(columns=frame.geometry.name)
        else:
            frame = pq.read_table(path).to_pandas()
            shapes = [None] * len(frame)
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"{path} can't be read as Parquet: {error}") from error
    header = [str(column) for column in frame.columns]
    mapper = RowMapper(mapping, header)
    columns = [frame[column].tolist() for column in frame.columns]
    for number, cells in enumerate(zip(*columns, strict=True), start=1):
        row = dict(zip(header, cells, strict=True))
        yield _mapped(mapper, f"row {number}", row, shapes[number - 1])


_READERS: Final[dict[str, Reader]] = {
    ".csv": _iter_csv,
    ".tsv": _iter_csv,
    ".geojson": _iter_geojson,
    ".json": _iter_entities,
    ".jsonld": _iter_entities,
    ".ndjson": _iter_lines,
    ".parquet": _iter_parquet,
    ".geoparquet": _iter_parquet,
}

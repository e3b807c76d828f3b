"""Answers of the API as (Geo)DataFrames; needs the extra `frames`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import ConfigError
from conurb.model.entity import VALUE_MEMBER

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

HISTORY_COLUMNS: Final = ("id", "attribute", "dataset", "time", "period", "value", "unit")
_NOT_ATTRIBUTES: Final = frozenset(
    {"id", "type", "scope", "@context", "createdAt", "modifiedAt", "deletedAt", "expiresAt"}
)


def objects_frame(entities: Iterable[dict[str, Any]]) -> gpd.GeoDataFrame:
    """Build a GeoDataFrame of simplified entities: index `id`, geometry `location` in EPSG:4326.

    Objects without a location have an empty geometry.
    """
    try:
        import geopandas as gpd
        import pandas as pd
    except ImportError as error:
        raise ConfigError("frames need the extra: pip install 'conurb[frames]'") from error
    from shapely.geometry import shape

    rows, shapes = [], []
    for entity in entities:
        row = {name: value for name, value in entity.items() if name != "@context"}
        place = default_instance(row.pop("location", None))
        shapes.append(shape(place) if isinstance(place, dict) else None)
        rows.append(row)
    frame = pd.DataFrame(rows)
    if "id" in frame:
        frame = frame.set_index("id")
    return gpd.GeoDataFrame(frame, geometry=gpd.GeoSeries(shapes, index=frame.index, crs=4326))


def default_instance(value: Any) -> Any:
    """Take what a simplified attribute says: of several instances the default one, of a wrapped
    value (a language map, a vocabulary's name) what is wrapped (clause 4.5.4)."""
    if isinstance(value, dict) and set(value) == {"dataset"}:
        datasets = value["dataset"]
        value = datasets.get("@none", next(iter(datasets.values()), None))
    if isinstance(value, dict) and len(value) == 1:
        return value.get("languageMap", value.get("vocab", value))
    return value


def history_frame(evolutions: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Build a long DataFrame of temporal evolutions (normalized form), ordered by time."""
    try:
        import pandas as pd
    except ImportError as error:
        raise ConfigError("frames need the extra: pip install 'conurb[frames]'") from error
    rows = [row for evolution in evolutions for row in iter_history(evolution)]
    frame = pd.DataFrame(rows, columns=list(HISTORY_COLUMNS))
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601")
    return frame.sort_values(["id", "attribute", "dataset", "time"], ignore_index=True)


def iter_history(evolution: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    """Stream the instances of one temporal evolution as rows of `HISTORY_COLUMNS`."""
    for name, instances in evolution.items():
        if name in _NOT_ATTRIBUTES:
            continue
        for instance in instances if isinstance(instances, list) else [instances]:
            member = VALUE_MEMBER.get(instance.get("type", ""), "value")
            yield (
                evolution["id"],
                name,
                instance.get("datasetId"),
                instance.get("observedAt") or instance.get("modifiedAt"),
                _sub_value(instance, "period"),
                instance.get(member),
                instance.get("unitCode"),
            )


def _sub_value(instance: dict[str, Any], name: str) -> Any:
    """Take the value of a sub-attribute, None without it."""
    sub = instance.get(name)
    return sub.get("value") if isinstance(sub, dict) else None

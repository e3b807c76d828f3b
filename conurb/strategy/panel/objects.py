"""A panel from objects: the yearly figures of cities as their histories hold them, by period.

A region's cities, cities outside of it held as figure objects by a node of statistics, and a region
pack are all read by the same path: temporal evolutions in normalized form, in which an instance of
a year carries its `period`. Which node is asked, and how, is the reader's business
(`HistoryReader`; a connection of `conurb.connect` is one, to a running node or to an open store).

A column is named by its attribute, with `@source` where instances carry a datasetId: of several
sources of one figure none is silently the figure.
"""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, Protocol

import numpy as np

from conurb.errors import InputError, NotFoundError
from conurb.model.time import parse_us, shown_us
from conurb.regions.objects import city_id, figure_history
from conurb.regions.pack import Pack
from conurb.strategy.panel.origin import Origin
from conurb.strategy.panel.table import CELLS_MAX, Panel
from conurb.strategy.warning import StrategyWarning

CITY: Final = "City"
DATASET_PREFIX: Final = "urn:ngsi-ld:dataset:"
_YEAR: Final = re.compile(r"\d{4}")
_NOT_ATTRIBUTES: Final = frozenset(
    {"id", "type", "scope", "@context", "createdAt", "modifiedAt", "deletedAt", "expiresAt"}
)

Document = Mapping[str, Any]
"""A raw JSON document: the temporal evolution of one object."""


class HistoryReader(Protocol):
    """Whoever can give the temporal evolutions of objects of a type."""

    def iter_histories(
        self, type: str, attributes: Sequence[str] = (), **params: str
    ) -> Iterator[dict[str, Any]]:
        """Stream evolutions in normalized form; of some attributes only, where they are named."""
        ...


def read_objects(
    reader: HistoryReader,
    type: str = CITY,
    *,
    columns: Sequence[str] | None = None,
    years: Sequence[int] | None = None,
    **params: str,
) -> Panel:
    """Read a panel from the objects of a region (or of any node) by a temporal query.

    `type` may name several ("City,CityFigure"), `columns` the figures wanted ("population",
    "gdp@yearbooks-real"; all, when not given), `params` are further parameters of the query (`q`,
    `scopeQ` ...). Units are the last part of the objects' ids. Errors and warnings as in
    `panel_of_evolutions`.
    """
    asked = dict.fromkeys(name.split("@")[0] for name in columns or ())
    found = reader.iter_histories(type, tuple(asked), **params)
    return panel_of_evolutions(found, columns=columns, years=years)


def read_pack_panel(
    pack: Pack, *, columns: Sequence[str] | None = None, years: Sequence[int] | None = None
) -> Panel:
    """Read a panel from the figures of a region pack: the one that its region's objects give."""
    return panel_of_evolutions(_iter_pack(pack), columns=columns, years=years)


def panel_of_evolutions(
    evolutions: Iterable[Document],
    *,
    columns: Sequence[str] | None = None,
    years: Sequence[int] | None = None,
) -> Panel:
    """Group the instances of temporal evolutions by object and `period` into a panel.

    Instances without the period of a year are left out with a warning that counts them. Raises
    InputError for two figures of one year, a figure that isn't a number, units that differ within a
    column, or nothing to read; NotFoundError for a column asked for that isn't there.
    """
    documents = list(evolutions)
    if not documents:
        raise InputError("There are no objects to make a panel of")
    units = _unit_names([document["id"] for document in documents])
    cells: dict[str, dict[tuple[str, int], tuple[float, Origin]]] = {}
    measures: dict[str, str] = {}
    undated: Counter[str] = Counter()
    seen: dict[str, None] = {}
    for document in documents:
        unit = units[document["id"]]
        for attribute, instance in _iter_instances(document):
            name = _column(attribute, instance.get("datasetId"))
            seen[name] = None
            if columns is not None and name not in columns:
                continue
            period = _sub(instance, "period")
            if not (isinstance(period, str | int) and _YEAR.fullmatch(str(period))):
                undated[name] += 1
                continue
            if years is not None and int(period) not in years:
                continue
            _put(cells.setdefault(name, {}), unit, int(period), name, document["id"], instance)
            _measure(measures, name, unit, instance.get("unitCode"))
    # Attributes without any figure of a year (a fact, a reading) aren't meant by "all".
    _warn_of_undated(
        {name: n for name, n in undated.items() if columns is not None or name in cells}
    )
    _check_asked(columns, cells, seen)
    return _build(cells, list(dict.fromkeys(units.values())), columns, measures)


def _build(
    cells: Mapping[str, Mapping[tuple[str, int], tuple[float, Origin]]],
    units: Sequence[str],
    columns: Sequence[str] | None,
    measures: Mapping[str, str],
) -> Panel:
    years = sorted({year for column in cells.values() for _, year in column})
    there = {unit for column in cells.values() for unit, _ in column}
    kept = [unit for unit in units if unit in there]
    if not kept:
        raise InputError("The objects have no figures with the period of a year")
    if len(kept) * len(years) > CELLS_MAX:
        raise InputError(f"{len(kept)} objects x {len(years)} years is more than {CELLS_MAX} cells")
    row_of = {name: i for i, name in enumerate(kept)}
    col_of = {year: t for t, year in enumerate(years)}
    figures, origins = {}, {}
    for name in columns if columns is not None else sorted(cells):
        values = np.full((len(kept), len(years)), np.nan)
        said = np.full(values.shape, None, dtype=np.object_)
        for (unit, year), (value, origin) in cells[name].items():
            values[row_of[unit], col_of[year]] = value
            said[row_of[unit], col_of[year]] = origin
        figures[name], origins[name] = values, said
    return Panel(tuple(kept), tuple(years), figures, measures, origins)


def _put(
    column: dict[tuple[str, int], tuple[float, Origin]],
    unit: str,
    year: int,
    name: str,
    object_id: str,
    instance: Document,
) -> None:
    value = instance.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{name} of {object_id} for {year} is {value!r}, not a number")
    if (unit, year) in column:
        raise InputError(
            f"{object_id} has two figures of {name} for {year}: {column[unit, year][0]:g} and "
            f"{value:g}"
        )
    column[unit, year] = (float(value), _origin(name, object_id, instance))


def _origin(name: str, object_id: str, instance: Document) -> Origin:
    observed = instance.get("observedAt")
    return Origin(
        object=object_id,
        attribute=name.split("@", maxsplit=1)[0],
        dataset=instance.get("datasetId"),
        time=None if observed is None else shown_us(parse_us(observed, name="observedAt")),
        source=_sub(instance, "source"),
        series_break=_sub(instance, "seriesBreak"),
    )


def _measure(measures: dict[str, str], name: str, unit: str, code: str | None) -> None:
    if code is None:
        return
    if measures.setdefault(name, code) != code:
        raise InputError(
            f"{name} is in {measures[name]} and, of {unit}, in {code}: figures of two units can't "
            "stand in one column"
        )


def _iter_instances(document: Document) -> Iterator[tuple[str, Document]]:
    for name, given in document.items():
        if name not in _NOT_ATTRIBUTES:
            for instance in given if isinstance(given, list) else [given]:
                if isinstance(instance, Mapping) and instance.get("type", "Property") == "Property":
                    yield name, instance


def _iter_pack(pack: Pack) -> Iterator[Document]:
    """Stream a pack's figures as the evolutions of its cities, without storing them."""
    zone = pack.definition.timezone
    for city, figures in groupby(pack.iter_figures(), key=lambda one: one.city):
        yield {"id": city_id(city), "type": CITY, **figure_history(figures, zone, str)}


def _column(attribute: str, dataset: str | None) -> str:
    """Name a column: urn:ngsi-ld:dataset:{source}:{scale} becomes attribute@source."""
    if dataset is None or dataset == "@none":
        return attribute
    if not dataset.startswith(DATASET_PREFIX):
        return f"{attribute}@{dataset}"
    return f"{attribute}@{dataset.removeprefix(DATASET_PREFIX).removesuffix(':prefecture')}"


def _unit_names(ids: Sequence[str]) -> dict[str, str]:
    """Give each object the last part of its id as a name; the whole id where that isn't unique."""
    local = {one: one.rsplit(":", 1)[-1] for one in ids}
    count = Counter(local[one] for one in dict.fromkeys(ids))
    return {one: name if count[name] == 1 else one for one, name in local.items()}


def _sub(instance: Document, name: str) -> Any:
    """Take the value of a sub-attribute, None without it."""
    sub = instance.get(name)
    if isinstance(sub, list):
        sub = sub[0] if sub else None
    return sub.get("value") if isinstance(sub, Mapping) else sub


def _warn_of_undated(undated: Mapping[str, int]) -> None:
    if undated:
        said = ", ".join(f"{count} of {name}" for name, count in sorted(undated.items()))
        warnings.warn(
            f"Left out because their period isn't a year: {said}", StrategyWarning, stacklevel=4
        )


def _check_asked(
    columns: Sequence[str] | None, cells: Mapping[str, object], seen: Iterable[str]
) -> None:
    for name in columns or ():
        if name not in cells:
            known = sorted(seen)
            alike = [one for one in known if one.split("@")[0] == name.split("@")[0]]
            raise NotFoundError(
                f"The objects have no yearly figures {name!r}; there are {alike or known}"
            )

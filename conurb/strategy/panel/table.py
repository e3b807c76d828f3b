"""A panel: figures of units (cities) over years, one array [N x T] per column.

Everything in the strategy rooms reads this one form. It is plain on purpose: it holds figures and
the units that they are measured in, never fills a gap, and says exactly which cell is missing when
a model needs all of them. Missing is NaN. Every figure knows where it comes from (`origin`).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from conurb.errors import InputError, NotFoundError
from conurb.strategy.panel.origin import Origin

Figures: TypeAlias = NDArray[np.float64]
Origins: TypeAlias = NDArray[np.object_]
"""Per cell [N x T] an `Origin`, or None where nothing is recorded."""

MISSING = frozenset({"", "na", "nan", "null", "none"})
"""Texts (lower case) that mean that there is no figure."""
CELLS_NAMED_MAX = 5
"""How many cells an error names before it only counts the others."""
CELLS_MAX = 50_000_000
"""The largest unit-year grid of one column; beyond, a key column was most likely mistaken."""


def name_cells(units: Sequence[str], years: Sequence[int], mask: ArrayLike) -> str:
    """Name the first cells where a mask [N x T] is true, and count the others."""
    places = np.argwhere(np.asarray(mask))
    named = ", ".join(f"{units[i]} {years[t]}" for i, t in places[:CELLS_NAMED_MAX])
    more = len(places) - CELLS_NAMED_MAX
    return f"{named} and {more} more" if more > 0 else named


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures of `units` (N names) over `years` (T, ascending), by column.

    `columns` maps a name to float64 [N x T], read-only, NaN where there is no figure.
    `measures` maps a column to its unit of measure where that is known ("t", "CNY", "persons").
    `origins` maps a column to the origins of its cells [N x T], where they were recorded; `table`
    names the table that everything else was read from.
    """

    units: tuple[str, ...]
    years: tuple[int, ...]
    columns: Mapping[str, Figures]
    measures: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, Origins] = field(default_factory=dict)
    table: str | None = None
    _rows: Mapping[str, int] = field(init=False, repr=False, compare=False)
    _years: Mapping[int, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_rows", {name: i for i, name in enumerate(self.units)})
        object.__setattr__(self, "_years", {year: t for t, year in enumerate(self.years)})
        if len(self._rows) != len(self.units):
            raise InputError("The panel names a unit twice")
        if list(self.years) != sorted(set(self.years)):
            raise InputError(f"The panel's years must ascend without repeats, not {self.years}")
        frozen: dict[str, Figures] = {}
        for name, given in self.columns.items():
            figures = np.array(given, dtype=np.float64)
            if figures.shape != self.shape:
                raise InputError(
                    f"Column {name!r} has shape {figures.shape}, "
                    f"the panel has {self.shape} (units x years)"
                )
            if np.isinf(figures).any():
                where = name_cells(self.units, self.years, np.isinf(figures))
                raise InputError(f"Column {name!r} is infinite at {where}")
            figures.setflags(write=False)
            frozen[name] = figures
        unknown = sorted(set(self.measures) - set(frozen))
        if unknown:
            raise InputError(f"Units of measure are given for columns that aren't there: {unknown}")
        recorded: dict[str, Origins] = {}
        for name, cells in self.origins.items():
            if name not in frozen or np.shape(cells) != self.shape:
                raise InputError(f"Origins of {name!r} don't fit a column of {self.shape}")
            recorded[name] = np.array(cells, dtype=np.object_)
            recorded[name].setflags(write=False)
        object.__setattr__(self, "origins", MappingProxyType(recorded))
        object.__setattr__(self, "columns", MappingProxyType(frozen))
        object.__setattr__(self, "measures", MappingProxyType(dict(self.measures)))

    @property
    def shape(self) -> tuple[int, int]:
        """Give (N, T)."""
        return len(self.units), len(self.years)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, object]],
        *,
        unit: str,
        time: str,
        columns: Sequence[str] | None = None,
        measures: Mapping[str, str] | None = None,
        table: str | None = None,
    ) -> Self:
        """Read a panel from long rows, one row per unit and year.

        `unit` and `time` name the key columns; `columns` the figures to take (all that hold only
        numbers, when not given); `table` says in origins what table it was. Units keep the order
        in which they first come. A unit-year that has no row, or an empty figure, is NaN. Raises
        InputError for a unit-year given twice, a year that isn't a whole number, text in a column
        asked for; NotFoundError for a column that isn't there.
        """
        given = list(rows)
        if not given:
            raise InputError("There are no rows to make a panel of")
        present = list(dict.fromkeys(name for row in given for name in row))
        keys = (unit, time)
        for name in (*keys, *(columns or ())):
            if name not in present:
                raise NotFoundError(f"There is no column {name!r}; there are {present}")
        places = _places(given, unit=unit, time=time)
        units = list(dict.fromkeys(place[0] for place in places))
        years = sorted({place[1] for place in places})
        if len(units) * len(years) > CELLS_MAX:
            raise InputError(
                f"{len(units)} units x {len(years)} years is more than {CELLS_MAX} cells: "
                f"are {unit!r} and {time!r} the keys?"
            )
        row_of = {name: i for i, name in enumerate(units)}
        col_of = {year: t for t, year in enumerate(years)}
        taken: dict[str, Figures] = {}
        for name in columns if columns is not None else [n for n in present if n not in keys]:
            figures = np.full((len(units), len(years)), np.nan)
            try:
                for place, row in zip(places, given, strict=True):
                    figures[row_of[place[0]], col_of[place[1]]] = _figure(row.get(name))
            except ValueError as error:
                if columns is None:
                    continue
                raise InputError(
                    f"Column {name!r} of {place[0]} {place[1]} is {row.get(name)!r}, not a number"
                ) from error
            taken[name] = figures
        return cls(tuple(units), tuple(years), taken, dict(measures or {}), table=table)

    @classmethod
    def from_csv(
        cls,
        path: Path | str,
        *,
        unit: str,
        time: str,
        columns: Sequence[str] | None = None,
        measures: Mapping[str, str] | None = None,
        encoding: str = "utf-8-sig",
    ) -> Self:
        """Read a panel from a CSV file with a header, one row per unit and year.

        Arguments and errors as in `from_rows`; a row with too many or too few fields is an
        InputError that gives its line.
        """
        with Path(path).open(encoding=encoding, newline="") as file:
            reader = csv.reader(file)
            header = next(reader, None)
            if header is None:
                raise InputError(f"{path} is empty")
            rows = []
            for fields in reader:
                if len(fields) != len(header):
                    raise InputError(
                        f"{path} line {reader.line_num} has {len(fields)} fields, "
                        f"the header has {len(header)}"
                    )
                rows.append(dict(zip(header, fields, strict=True)))
        return cls.from_rows(
            rows, unit=unit, time=time, columns=columns, measures=measures, table=Path(path).name
        )

    def get(self, name: str) -> Figures:
        """Give one column [N x T], NaN where missing; NotFoundError when it isn't there."""
        try:
            return self.columns[name]
        except KeyError:
            raise NotFoundError(
                f"The panel has no column {name!r}; it has {sorted(self.columns)}"
            ) from None

    def get_complete(self, name: str) -> Figures:
        """Give one column [N x T] without gaps; InputError that names the cells missing."""
        figures = self.get(name)
        gaps = np.isnan(figures)
        if gaps.any():
            raise InputError(
                f"Column {name!r} has no figure for {name_cells(self.units, self.years, gaps)}; "
                "this needs a balanced panel: select units and years, or give the figures"
            )
        return figures

    def stack(self, names: Sequence[str]) -> Figures:
        """Give several complete columns as [N x T x K]; errors as in `get_complete`."""
        return np.stack([self.get_complete(name) for name in names], axis=2)

    def select(
        self, *, units: Sequence[str] | None = None, years: Sequence[int] | None = None
    ) -> Self:
        """Give the panel of some units (in the order asked for) and some years."""
        kept_units = self.units if units is None else tuple(units)
        kept_years = self.years if years is None else tuple(sorted(years))
        for kind, asked, there in (
            ("unit", kept_units, self.units),
            ("year", kept_years, self.years),
        ):
            unknown = sorted(set(asked) - set(there))  # type: ignore[type-var]
            if unknown:
                raise NotFoundError(f"The panel has no {kind} {unknown[0]!r}")
        grid = np.ix_(
            [self._rows[name] for name in kept_units], [self._years[year] for year in kept_years]
        )
        columns = {name: figures[grid] for name, figures in self.columns.items()}
        origins = {name: cells[grid] for name, cells in self.origins.items()}
        return replace(self, units=kept_units, years=kept_years, columns=columns, origins=origins)

    def with_columns(
        self,
        columns: Mapping[str, Figures],
        measures: Mapping[str, str] | None = None,
        origins: Mapping[str, Origins] | None = None,
    ) -> Self:
        """Give the panel with further columns [N x T]; one of the same name is replaced."""
        measured = {name: text for name, text in self.measures.items() if name not in columns}
        recorded = {name: cells for name, cells in self.origins.items() if name not in columns}
        return replace(
            self,
            columns={**self.columns, **columns},
            measures={**measured, **(measures or {})},
            origins={**recorded, **(origins or {})},
        )

    def place(self, unit: str, year: int) -> tuple[int, int]:
        """Give (row, column) of a unit and year; NotFoundError when either isn't there."""
        if unit not in self._rows:
            raise NotFoundError(f"The panel has no unit {unit!r}")
        if year not in self._years:
            raise NotFoundError(
                f"The panel has no year {year!r}; it has {self.years[0]} to {self.years[-1]}"
            )
        return self._rows[unit], self._years[year]

    def origin(self, name: str, unit: str, year: int) -> Origin:
        """Give where one figure comes from; of a table without records, its cell."""
        self.get(name)
        i, t = self.place(unit, year)
        found = self.origins[name][i, t] if name in self.origins else None
        if isinstance(found, Origin):
            return found
        return Origin(object=unit, attribute=name, time=str(year), source=self.table)

    def flagged(self, name: str) -> dict[tuple[str, int], tuple[str, ...]]:
        """Give the breaks flagged in one column: (unit, year) to what is said of them."""
        self.get(name)
        if name not in self.origins:
            return {}
        return {
            (unit, year): cell.breaks()
            for unit, row in zip(self.units, self.origins[name], strict=True)
            for year, cell in zip(self.years, row, strict=True)
            if isinstance(cell, Origin) and cell.breaks()
        }


def _figure(value: object) -> float:
    """Read one cell; raise ValueError when it isn't a number."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        text = value.strip()
        return math.nan if text.lower() in MISSING else float(text)
    if isinstance(value, int | float | np.number):
        return float(value)
    raise ValueError(type(value).__name__)


def _places(
    table: Sequence[Mapping[str, object]], *, unit: str, time: str
) -> list[tuple[str, int]]:
    """Give (unit, year) of every row, each once."""
    places: dict[tuple[str, int], int] = {}
    for number, row in enumerate(table, start=1):
        name = "" if row.get(unit) is None else str(row[unit]).strip()
        if not name:
            raise InputError(f"Row {number} has no {unit!r}")
        try:
            year = _figure(row.get(time))
            whole = int(year)
        except ValueError as error:
            raise InputError(
                f"Row {number} ({name}) has {time} {row.get(time)!r}, not a year"
            ) from error
        if whole != year:
            raise InputError(f"Row {number} ({name}) has {time} {year}, not a whole year")
        if (name, whole) in places:
            raise InputError(
                f"{name} {whole} is given twice, in rows {places[name, whole]} and {number}"
            )
        places[name, whole] = number
    return list(places)

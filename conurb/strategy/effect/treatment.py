"""A treatment table: which unit is treated from which year on.

Treatment is absorbing: once treated, a unit stays so. A status that switches off is refused here,
because every estimator of this room would silently read the years after as treated.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

import numpy as np

from conurb.errors import InputError
from conurb.strategy.panel import MISSING, Figures, Panel


@dataclass(frozen=True, slots=True)
class Treatment:
    """The first treated year by unit; a unit that isn't named is never treated.

    `name` says what the treatment is, for tables ("low-carbon pilot").
    """

    first: Mapping[str, int]
    name: str = "treatment"

    def __post_init__(self) -> None:
        for unit, year in self.first.items():
            if isinstance(year, bool) or int(year) != year:
                raise InputError(f"The first treated year of {unit} is {year!r}, not a year")
        whole = {unit: int(year) for unit, year in self.first.items()}
        object.__setattr__(self, "first", MappingProxyType(whole))

    @classmethod
    def from_column(cls, panel: Panel, column: str, *, name: str = "treatment") -> Self:
        """Read the first treated year from a column of a panel; NaN and 0 mean never.

        Raises InputError where a unit's figure changes from year to year.
        """
        figures = panel.get(column)
        first: dict[str, int] = {}
        for unit, row in zip(panel.units, figures, strict=True):
            given = {float(v) for v in row[~np.isnan(row)] if v != 0}
            if len(given) > 1:
                raise InputError(
                    f"{column!r} of {unit} changes over the years ({sorted(given)}); it should be "
                    "the one year in which treatment began"
                )
            if given:
                first[unit] = _year(given.pop(), unit)
        return cls(first, name)

    @classmethod
    def from_status(cls, panel: Panel, column: str, *, name: str = "treatment") -> Self:
        """Read the first treated year from a column of 0 and 1 by unit and year.

        Raises InputError for a unit whose treatment switches off, with the year, and for figures
        other than 0 and 1 or missing.
        """
        status = panel.get_complete(column)
        strange = ~np.isin(status, (0.0, 1.0))
        if strange.any():
            i, t = np.argwhere(strange)[0]
            raise InputError(
                f"{column!r} of {panel.units[i]} {panel.years[t]} is {status[i, t]:g}; "
                "a treatment status is 0 or 1"
            )
        first: dict[str, int] = {}
        for unit, row in zip(panel.units, status, strict=True):
            off = np.flatnonzero(np.diff(row) < 0)
            if len(off):
                raise InputError(
                    f"The treatment of {unit} switches off in {panel.years[off[0] + 1]}; "
                    "it must stay on once it began"
                )
            if row.any():
                first[unit] = panel.years[int(np.argmax(row))]
        return cls(first, name)

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, object]],
        *,
        unit: str,
        first: str,
        name: str = "treatment",
    ) -> Self:
        """Read a table of one row per unit; an empty or zero `first` means never.

        Raises InputError for a unit given two different years.
        """
        years: dict[str, int] = {}
        for number, row in enumerate(rows, start=1):
            if unit not in row or first not in row:
                raise InputError(
                    f"Row {number} lacks {unit!r} or {first!r}; it has {sorted(map(str, row))}"
                )
            who, text = str(row[unit]).strip(), str(row[first]).strip()
            if text.lower() in MISSING:
                continue
            try:
                year = _year(float(text), who)
            except ValueError as error:
                raise InputError(f"The first treated year of {who} is {text!r}") from error
            if year and years.setdefault(who, year) != year:
                raise InputError(f"{who} has two first treated years: {years[who]} and {year}")
        return cls(years, name)

    @classmethod
    def from_csv(
        cls,
        path: Path | str,
        *,
        unit: str,
        first: str,
        name: str = "treatment",
        encoding: str = "utf-8-sig",
    ) -> Self:
        """Read a CSV file with a header; arguments and errors as in `from_rows`."""
        with Path(path).open(encoding=encoding, newline="") as file:
            return cls.from_rows(csv.DictReader(file), unit=unit, first=first, name=name)

    def status(self, panel: Panel) -> Figures:
        """Give 1 where a unit of a panel is treated and 0 elsewhere [N x T]."""
        first = np.array([self.first.get(unit, math.inf) for unit in panel.units])
        return np.asarray(np.array(panel.years) >= first[:, None], dtype=np.float64)

    def cohorts(self) -> Mapping[int, tuple[str, ...]]:
        """Give the units by first treated year, ascending."""
        years = sorted(set(self.first.values()))
        return {year: tuple(u for u, f in self.first.items() if f == year) for year in years}


def _year(value: float, unit: str) -> int:
    if not math.isfinite(value) or value != int(value):
        raise InputError(f"The first treated year of {unit} is {value}, not a whole year")
    return int(value)

"""A panel in and out: frames, Parquet, Stata, CSV; and its provenance as a table.

Parquet keeps everything (units of measure and origins go into its metadata); Stata keeps figures,
full column names and measures (as variable labels); CSV and frames keep figures. Needs the extra
`frames`, except for CSV.
"""

from __future__ import annotations

import csv
import json
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from conurb.errors import ConfigError, InputError
from conurb.strategy.panel.origin import Origin
from conurb.strategy.panel.table import Panel

if TYPE_CHECKING:
    import pandas as pd

STATA_NAME_MAX: Final = 32
STATA_LABEL_MAX: Final = 80
STATA_VERSION: Final = 118
"""Stata 14 and later: text in UTF-8."""
_METADATA: Final = b"conurb.panel"
_LABEL: Final = re.compile(r"(?P<name>.*?)(?: \[(?P<measure>[^\]]*)\])?")

Row = dict[str, object]


def from_frame(
    frame: pd.DataFrame,
    *,
    unit: str,
    time: str,
    columns: Sequence[str] | None = None,
    measures: Mapping[str, str] | None = None,
    table: str = "DataFrame",
) -> Panel:
    """Read a panel from a DataFrame, one row per unit and year; keys may stand in its index.

    Arguments and errors as in `Panel.from_rows`.
    """
    flat = (
        frame.reset_index() if {unit, time} & {str(name) for name in frame.index.names} else frame
    )
    # By column, because records of mixed types would turn whole numbers into text or back.
    names = [str(name) for name in flat.columns]
    if len(set(names)) != len(names):
        raise InputError("The frame names a column twice")
    cells = [flat[name].astype(object).where(flat[name].notna(), None) for name in flat.columns]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
    return Panel.from_rows(
        rows, unit=unit, time=time, columns=columns, measures=measures, table=table
    )


def to_frame(panel: Panel, *, unit: str = "unit", time: str = "year") -> pd.DataFrame:
    """Give a long DataFrame: a row per unit and year, gaps as NaN; measures in `attrs`."""
    pandas = _pandas()
    n, t = panel.shape
    frame: pd.DataFrame = pandas.DataFrame(
        {
            unit: np.repeat(np.array(panel.units, dtype=object), t),
            time: np.tile(np.array(panel.years), n),
            **{name: figures.ravel() for name, figures in panel.columns.items()},
        }
    )
    frame.attrs["measures"] = dict(panel.measures)
    return frame


def write_csv(panel: Panel, path: Path | str, *, unit: str = "unit", time: str = "year") -> None:
    """Write a CSV with a row per unit and year; a gap is an empty field, figures are exact."""
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([unit, time, *panel.columns])
        for i, name in enumerate(panel.units):
            for t, year in enumerate(panel.years):
                figures = [float(column[i, t]) for column in panel.columns.values()]
                writer.writerow([name, year, *("" if np.isnan(x) else repr(x) for x in figures)])


def write_parquet(
    panel: Panel, path: Path | str, *, unit: str = "unit", time: str = "year"
) -> None:
    """Write a Parquet file that holds figures, measures and origins."""
    arrow, parquet = _arrow()
    table = arrow.Table.from_pandas(to_frame(panel, unit=unit, time=time), preserve_index=False)
    said = {
        "unit": unit,
        "time": time,
        "measures": dict(panel.measures),
        "table": panel.table,
        "origins": {
            name: [None if one is None else asdict(one) for one in cells.ravel()]
            for name, cells in panel.origins.items()
        },
    }
    metadata = {**(table.schema.metadata or {}), _METADATA: json.dumps(said).encode()}
    parquet.write_table(table.replace_schema_metadata(metadata), str(path))


def read_parquet(
    path: Path | str,
    *,
    unit: str | None = None,
    time: str | None = None,
    columns: Sequence[str] | None = None,
    measures: Mapping[str, str] | None = None,
) -> Panel:
    """Read a panel from a Parquet file: one that `write_parquet` wrote, or any with the keys named.

    Raises InputError for another file without `unit` and `time`; further as in `Panel.from_rows`.
    """
    arrow, parquet = _arrow()
    try:
        table = parquet.read_table(str(path))
    except (OSError, arrow.ArrowInvalid) as error:
        raise InputError(f"{path} can't be read as Parquet: {error}") from error
    said = json.loads((table.schema.metadata or {}).get(_METADATA, b"{}"))
    keys = (unit or said.get("unit"), time or said.get("time"))
    if keys[0] is None or keys[1] is None:
        raise InputError(f"{path}: which columns are the unit and the year? give unit= and time=")
    panel = from_frame(
        table.to_pandas(),
        unit=keys[0],
        time=keys[1],
        columns=columns,
        measures=measures if measures is not None else _kept(said.get("measures"), columns),
        table=said.get("table") or Path(path).name,
    )
    return panel.with_columns({}, origins=_origins(panel, said.get("origins") or {}))


def write_stata(panel: Panel, path: Path | str, *, unit: str = "unit", time: str = "year") -> None:
    """Write a Stata file (.dta, version 118) that `xtset` takes.

    Names are cut down to what Stata allows; the full name and the measure stand in the variable's
    label. Units are text, and numbered in `{unit}_id` from 1 in the panel's order.
    """
    frame = to_frame(panel, unit=unit, time=time)
    frame.attrs.clear()
    names = stata_names([unit, time, f"{unit}_id", *panel.columns])
    frame.insert(1, f"{unit}_id", np.repeat(np.arange(1, panel.shape[0] + 1), panel.shape[1]))
    labels = {names[unit]: "unit", names[time]: "year", names[f"{unit}_id"]: "number of the unit"}
    for name in panel.columns:
        measure = panel.measures.get(name)
        labels[names[name]] = f"{name} [{measure}]" if measure else name
    over = {name: text for name, text in labels.items() if len(text) > STATA_LABEL_MAX}
    if over:
        raise InputError(
            f"The label {next(iter(over.values()))!r} is longer than the {STATA_LABEL_MAX} "
            "characters of Stata: give the column a shorter name"
        )
    frame.rename(columns=names).to_stata(
        path, write_index=False, version=STATA_VERSION, variable_labels=labels
    )


def read_stata(
    path: Path | str,
    *,
    unit: str,
    time: str,
    columns: Sequence[str] | None = None,
    measures: Mapping[str, str] | None = None,
) -> Panel:
    """Read a panel from a Stata file (.dta).

    Labels of the form "name [measure]", as `write_stata` gives, bring back full names and measures.
    Arguments and errors as in `Panel.from_rows`; `columns` are full names.
    """
    pandas = _pandas()
    try:
        with pandas.io.stata.StataReader(path, convert_categoricals=True) as reader:
            labels = reader.variable_labels()
            frame = reader.read()
    except (OSError, ValueError, struct.error) as error:
        raise InputError(f"{path} can't be read as a Stata file: {error}") from error
    names, found = {}, {}
    for short, label in labels.items():
        match = _LABEL.fullmatch(label)
        full = match["name"] if match else ""
        if short not in (unit, time, f"{unit}_id") and stata_names([full]).get(full) == short:
            names[short] = full
            if match and match["measure"]:
                found[full] = match["measure"]
    frame = frame.rename(columns=names).drop(columns=f"{unit}_id", errors="ignore")
    return from_frame(
        frame,
        unit=unit,
        time=time,
        columns=columns,
        measures=measures if measures is not None else _kept(found, columns),
        table=Path(path).name,
    )


def stata_names(names: Sequence[str]) -> dict[str, str]:
    """Give each name one that Stata allows: 32 letters, digits and _, each once.

    >>> stata_names(["gdp@yearbooks-real", "2020"])
    {'gdp@yearbooks-real': 'gdp_yearbooks_real', '2020': '_2020'}
    """
    given: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^0-9A-Za-z_]", "_", name) or "_"
        plain = f"_{plain}" if plain[0].isdigit() else plain
        short, number = plain[:STATA_NAME_MAX], 1
        while short in given.values():
            number += 1
            end = f"_{number}"
            short = plain[: STATA_NAME_MAX - len(end)] + end
        given[name] = short
    return given


def iter_provenance(panel: Panel) -> Iterator[Row]:
    """Stream every figure with where it comes from, a row per cell that has one."""
    for name, figures in panel.columns.items():
        for i, unit in enumerate(panel.units):
            for t, year in enumerate(panel.years):
                if not np.isnan(figures[i, t]):
                    origin = panel.origin(name, unit, year)
                    yield {
                        "unit": unit,
                        "year": year,
                        "column": name,
                        "value": float(figures[i, t]),
                        "measure": panel.measures.get(name),
                        "object": origin.object,
                        "attribute": origin.attribute,
                        "dataset": origin.dataset,
                        "time": origin.time,
                        "source": origin.source,
                        "break": "; ".join(origin.breaks()) or None,
                        "made": origin.made,
                    }


def _origins(
    panel: Panel, said: Mapping[str, Sequence[Mapping[str, Any] | None]]
) -> dict[str, Any]:
    """Build origins of a panel again from what a file says; of columns that were read."""
    found = {}
    for name, cells in said.items():
        if name in panel.columns:
            column = np.full(panel.shape[0] * panel.shape[1], None, dtype=np.object_)
            for k, one in enumerate(cells):
                column[k] = None if one is None else _origin(one)
            found[name] = column.reshape(panel.shape)
    return found


def _origin(said: Mapping[str, Any]) -> Origin:
    inputs = tuple(_origin(one) for one in said["inputs"])
    return Origin(**{**said, "inputs": inputs})


def _kept(
    measures: Mapping[str, str] | None, columns: Sequence[str] | None
) -> dict[str, str] | None:
    if measures is None or columns is None:
        return None if measures is None else dict(measures)
    return {name: text for name, text in measures.items() if name in columns}


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise ConfigError("frames need the extra: pip install 'conurb[frames]'") from error
    return pd


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError("Parquet needs the extra: pip install 'conurb[frames]'") from error
    return pyarrow, pyarrow.parquet

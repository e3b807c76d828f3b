"""Write a GTFS feed as a zip file: the same rows give the same bytes."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, BinaryIO, Final

from conurb.systems.transport.gtfs.tables import FILES, Row, clock_text, columns_of

DEGREE_DECIMALS: Final = 6
_EPOCH_OF_ZIP: Final = (1980, 1, 1, 0, 0, 0)


def write_feed(target: BinaryIO, tables: Mapping[type[Row], Iterable[Row]]) -> dict[str, int]:
    """Write the rows of each file into a zip; give the number of rows by file.

    Rows are streamed. A file without rows isn't written.
    """
    counts: dict[str, int] = {}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for table, name in FILES.items():
            rows = iter(tables.get(table, ()))
            first = next(rows, None)
            if first is None:
                continue
            info = zipfile.ZipInfo(name, _EPOCH_OF_ZIP)
            info.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(info, "w", force_zip64=True) as binary:
                text = io.TextIOWrapper(binary, encoding="utf-8", newline="")
                counts[name] = _write_table(text, table, first, rows)
                text.flush()
                text.detach()
    return counts


def _write_table(text: io.TextIOWrapper, table: type[Row], first: Row, rows: Iterable[Row]) -> int:
    writer = csv.writer(text, lineterminator="\r\n")
    columns = [(one.name, _WRITERS[one.kind]) for one in columns_of(table)]
    writer.writerow([name for name, _ in columns])
    count = 1
    writer.writerow(_cells(first, columns))
    for row in rows:
        writer.writerow(_cells(row, columns))
        count += 1
    return count


def _cells(row: Row, columns: list[tuple[str, Callable[[Any], str]]]) -> list[str]:
    values = ((getattr(row, name), write) for name, write in columns)
    return ["" if value is None else write(value) for value, write in values]


def _date(value: date) -> str:
    return value.strftime("%Y%m%d")


def _degrees(value: float) -> str:
    return f"{value:.{DEGREE_DECIMALS}f}"


def _float(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


_WRITERS: Final[dict[str, Callable[[Any], str]]] = {
    "text": str,
    "id": str,
    "url": str,
    "int": str,
    "enum": str,
    "float": _float,
    "lat": _degrees,
    "lon": _degrees,
    "date": _date,
    "clock": clock_text,
    "colour": str,
}

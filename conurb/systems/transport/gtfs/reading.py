"""Read a GTFS feed from a zip file or a folder: tolerant, streaming, every fault with its place.

A row that lacks what it needs is left out; a cell that can't be read is left empty where the column
is optional. Either way a `Problem` says file, line, column, value, and what was expected. Only a
feed that isn't one at all raises.
"""

from __future__ import annotations

import csv
import io
import math
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar

from conurb.errors import BadRequestDataError, InvalidRequestError, TooLargeError
from conurb.systems.transport.gtfs.tables import FILES, REQUIRED_FILES, Column, Row, columns_of

FILE_BYTES_MAX: Final = 4 * 1024**3
"""Of one file, unpacked: a zip can claim anything."""

FIELD_CHARACTERS_MAX: Final = 131_072
PROBLEMS_KEPT_MAX: Final = 1_000
"""Problems that are kept in full; all are counted."""

_CLOCK: Final = re.compile(r"(\d{1,3}):([0-5]\d):([0-5]\d)", re.ASCII)
_DATE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
_COLOUR: Final = re.compile(r"[0-9A-Fa-f]{6}", re.ASCII)
_INT: Final = re.compile(r"-?\d{1,18}", re.ASCII)

AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of a feed: where it is, what stood there, and what was expected.

    `line` counts from 1 with the header; 0 speaks of the file. `lost` says that the row was left
    out.
    """

    file: str
    line: int
    column: str
    value: str
    expected: str
    lost: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        what = f" {self.column}: {self.value!r:.60}" if self.column else ""
        return f"{place}{what}: {self.expected}{' (row left out)' if self.lost else ''}"


@dataclass(slots=True)
class Problems:
    """The faults found so far: all counted, the first of them kept."""

    kept: list[Problem] = field(default_factory=list)
    count: int = 0
    rows_lost: int = 0

    def add(self, problem: Problem) -> None:
        """Count a problem, and keep it while there is room."""
        self.count += 1
        self.rows_lost += problem.lost
        if len(self.kept) < PROBLEMS_KEPT_MAX:
            self.kept.append(problem)


class Feed(AbstractContextManager["Feed"]):
    """An open GTFS feed. Rows are streamed; `problems` fills while they are.

    `source` is a zip file, a folder, or an open binary file of a zip. Raises InvalidRequestError
    when it is neither, BadRequestDataError when files that every feed needs are missing.
    """

    def __init__(self, source: Path | BinaryIO) -> None:
        self.problems = Problems()
        self._zip: zipfile.ZipFile | None = None
        self._folder: Path | None = None
        if isinstance(source, Path) and source.is_dir():
            self._folder = source
            names = {one.name: one.name for one in source.iterdir() if one.is_file()}
        else:
            try:
                self._zip = zipfile.ZipFile(source)
            except (OSError, zipfile.BadZipFile) as error:
                raise InvalidRequestError(
                    f"{source} is neither a folder nor a zip file of a GTFS feed: {error}"
                ) from error
            names = _members(self._zip)
        self._names = names
        missing = [name for name in REQUIRED_FILES if name not in names]
        if not {"calendar.txt", "calendar_dates.txt"} & set(names):
            missing.append("calendar.txt or calendar_dates.txt")
        if missing:
            self.close()
            raise BadRequestDataError(f"{source} is no GTFS feed: {', '.join(missing)} missing")

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self._zip is not None:
            self._zip.close()

    @property
    def files(self) -> frozenset[str]:
        """Give the names of the files that are there."""
        return frozenset(self._names)

    def unread(self) -> list[str]:
        """List the files that are there and aren't read."""
        return sorted(name for name in self._names if name not in FILES.values())

    def rows(self, table: type[AnyRow]) -> Iterator[AnyRow]:
        """Stream the rows of one file; none when it isn't there."""
        name = FILES[table]
        if name not in self._names:
            return
        try:
            with self._open(name) as binary:
                text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="replace", newline="")
                yield from _read_table(text, name, table, self.problems)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            # Broken within, or encrypted: what was read of it by then counts.
            self.problems.add(Problem(name, 0, "", "", f"can't be unpacked: {error}", lost=True))

    def _open(self, name: str) -> Any:
        member = self._names[name]
        if self._folder is not None:
            path = self._folder / member
            size = path.stat().st_size
        else:
            assert self._zip is not None  # noqa: S101 -- one of the two is there
            size = self._zip.getinfo(member).file_size
        if size > FILE_BYTES_MAX:
            raise TooLargeError(f"{name}: {size} bytes unpacked; at most {FILE_BYTES_MAX}")
        if self._folder is not None:
            return (self._folder / member).open("rb")
        assert self._zip is not None  # noqa: S101
        return self._zip.open(member)


def _members(archive: zipfile.ZipFile) -> dict[str, str]:
    """Find the files of a zip: at its root or, where that has none, in its one folder."""
    files = [name for name in archive.namelist() if not name.endswith("/")]
    root = {name: name for name in files if "/" not in name and "\\" not in name}
    if "stops.txt" in root:
        return root
    nested = {
        name.rsplit("/", 1)[1]: name
        for name in files
        if name.count("/") == 1 and not name.startswith("__MACOSX")
    }
    return nested if "stops.txt" in nested else root


def _read_table(
    text: io.TextIOWrapper, name: str, table: type[AnyRow], problems: Problems
) -> Iterator[AnyRow]:
    csv.field_size_limit(FIELD_CHARACTERS_MAX)
    lines = csv.reader(text, skipinitialspace=True)
    header = [cell.strip() for cell in next(lines, [])]
    columns = columns_of(table)
    readers, missing = _plan(columns, header)
    for column in missing:
        problems.add(Problem(name, 1, column.name, "", "this column is needed", lost=True))
    if missing:
        return
    width = len(header)
    cells: list[str]
    while True:
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            problems.add(Problem(name, lines.line_num, "", "", f"not CSV: {error}", lost=True))
            continue
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        if len(cells) != width:
            problems.add(
                Problem(name, lines.line_num, "", "", f"{len(cells)} cells, {width} in the header")
            )
            cells = cells + [""] * (width - len(cells))
        row = _read_row(table, readers, cells, name, lines.line_num, problems)
        if row is not None:
            yield row


Reader = tuple[int, Column, Callable[[str, Column], Any]]


def _plan(columns: Sequence[Column], header: list[str]) -> tuple[list[Reader], list[Column]]:
    """Say for each column that is there which cell it is and how it is read."""
    readers = []
    missing = []
    for column in columns:
        if column.name in header:
            readers.append((header.index(column.name), column, _READERS[column.kind]))
        elif column.required:
            missing.append(column)
    return readers, missing


def _read_row(
    table: type[AnyRow],
    readers: Sequence[Reader],
    cells: Sequence[str],
    name: str,
    line: int,
    problems: Problems,
) -> AnyRow | None:
    values: dict[str, Any] = {}
    for index, column, read in readers:
        cell = cells[index].strip()
        if not cell:
            if column.required:
                problems.add(Problem(name, line, column.name, "", "a value is needed", lost=True))
                return None
            continue
        try:
            values[column.name] = read(cell, column)
        except ValueError as error:
            problems.add(Problem(name, line, column.name, cell, str(error), lost=column.required))
            if column.required:
                return None
    return table(**values)


def read_clock(cell: str) -> int:
    """Read H:MM:SS, hours may pass 24, as seconds; raise ValueError.

    >>> read_clock("25:01:01")
    90061
    """
    match = _CLOCK.fullmatch(cell)
    if match is None:
        raise ValueError("a time such as 25:10:00 is expected")
    return int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])


def read_date(cell: str) -> date:
    """Read YYYYMMDD; raise ValueError."""
    match = _DATE.fullmatch(cell)
    if match is None:
        raise ValueError("a date such as 20260131 is expected")
    try:
        return date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError as error:
        raise ValueError(f"no such day: {error}") from error


def _number(cell: str, _column: Column) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise ValueError("a number is expected") from error
    # Python alone reads 1_000 and inf as numbers.
    if "_" in cell or not math.isfinite(value):
        raise ValueError("a finite number is expected")
    return value


def _degrees(bound: float) -> Callable[[str, Column], float]:
    def read(cell: str, column: Column) -> float:
        value = _number(cell, column)
        if abs(value) > bound:
            raise ValueError(f"degrees from -{bound:g} to {bound:g} are expected")
        return value

    return read


def _int(cell: str, _column: Column) -> int:
    if not _INT.fullmatch(cell):
        raise ValueError("an integer is expected")
    return int(cell)


def _enum(cell: str, column: Column) -> int:
    value = _int(cell, column)
    if value not in column.choices:
        raise ValueError(f"one of {', '.join(map(str, column.choices))} is expected")
    return value


def _colour(cell: str, _column: Column) -> str:
    if not _COLOUR.fullmatch(cell):
        raise ValueError("six hexadecimal digits are expected")
    return cell.upper()


_READERS: Final[dict[str, Callable[[str, Column], Any]]] = {
    "text": lambda cell, _column: cell,
    "id": lambda cell, _column: cell,
    "url": lambda cell, _column: cell,
    "int": _int,
    "enum": _enum,
    "float": _number,
    "lat": _degrees(90.0),
    "lon": _degrees(180.0),
    "date": lambda cell, _column: read_date(cell),
    "clock": lambda cell, _column: read_clock(cell),
    "colour": _colour,
}

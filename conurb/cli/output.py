"""What commands print: a table for people, JSON, GeoJSON or CSV for programs.

Everything that is asked for goes to standard output, everything else (progress, summaries, errors)
to standard error, so that a pipe gets data only.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

import orjson
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

CELL_WIDTH_MAX: Final = 60
JsonFlag = Annotated[bool, Parameter(negative="", help="Print a JSON array.")]
"""The flag of a command by which a program reads what a person is told."""

Row = Mapping[str, Any]

# What is printed is data: `:x:` in an id isn't a picture, `[bold]` in a name isn't a style.
out: Final = Console(markup=False, emoji=False)
err: Final = Console(stderr=True, markup=False, emoji=False)


def print_json(document: Any) -> None:
    """Print a document as indented JSON."""
    data = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.write(data.decode())


def print_csv(rows: Iterable[Row], columns: Sequence[str]) -> None:
    """Print rows as CSV with a header; compound values are JSON within their cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([plain(row.get(column)) for column in columns] for row in rows)
    sys.stdout.write(text.getvalue())


def print_table(rows: Sequence[Row], columns: Sequence[str], *, empty: str) -> None:
    """Print rows as a table, or say `empty` when there are none."""
    if not rows:
        err.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = all(
            isinstance(row.get(column), (int, float)) and not isinstance(row.get(column), bool)
            for row in rows
            if row.get(column) is not None
        )
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    # Folding by the width of a terminal is for people; a pipe gets whole lines.
    console = (
        out
        if out.is_terminal
        else Console(width=sum(map(_width, columns)) + 10_000, markup=False, emoji=False)
    )
    console.print(table)


def _width(column: str) -> int:
    return len(column) + CELL_WIDTH_MAX


def _cell(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:,}"
    text = plain(value)
    return text if len(text) <= CELL_WIDTH_MAX else text[: CELL_WIDTH_MAX - 1] + "…"


def plain(value: Any) -> str:
    """Write a value as one cell of text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and "coordinates" in value:
        return _geometry(value)
    if isinstance(value, dict) and value and all(isinstance(v, str) for v in value.values()):
        return " / ".join(value.values())
    return orjson.dumps(value).decode()


def _geometry(value: Mapping[str, Any]) -> str:
    coordinates = value["coordinates"]
    if value.get("type") == "Point":
        return f"{coordinates[0]}, {coordinates[1]}"
    return str(value.get("type"))


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Give the columns of rows, in the order in which they first appear; `id` and `type` first."""
    seen = {"id": None, "type": None}
    present: dict[str, None] = {}
    for row in rows:
        present |= dict.fromkeys(row)
    return [name for name in (seen | present) if name in present]

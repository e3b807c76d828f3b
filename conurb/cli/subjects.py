"""Which figures a strategy command reads: a region that is up, its pack, or the user's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Group, Parameter
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from conurb.cli.asking import NodeOptions
from conurb.cli.output import err, print_csv, print_json, print_table
from conurb.errors import InvalidRequestError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conurb.strategy.effect.treatment import Treatment
    from conurb.strategy.panel import Panel
    from conurb.strategy.report.subject import Subject

TABLE_GROUP: Final = Group("Which figures", sort_key=80)
PRINT_GROUP: Final = Group("Output", sort_key=91)
_YEARS: Final = ("year", "since")
READERS: Final = (".csv", ".parquet", ".dta")


@Parameter(name="*", group=TABLE_GROUP)
@dataclass(frozen=True, slots=True)
class TableOptions:
    """A table of the user's, in the place of a region's figures."""

    panel: Annotated[
        Path | None, Parameter(help="CSV, Parquet or Stata file, a row per city and year.")
    ] = None
    unit: Annotated[str, Parameter(help="Its column of cities.")] = "city"
    time: Annotated[str, Parameter(help="Its column of years.")] = "year"
    pack: Annotated[
        bool, Parameter(negative="", help="Read the region pack alone; ask no node.")
    ] = False

    def read(self) -> Panel | None:
        """Read the table, None when none was named."""
        return None if self.panel is None else read_table(self.panel, self.unit, self.time)


@Parameter(name="*", group=PRINT_GROUP)
@dataclass(frozen=True, slots=True)
class PrintOptions:
    """How rows are printed: a table unless one of these is given."""

    json: Annotated[bool, Parameter(negative="", help="Print JSON.")] = False
    csv: Annotated[bool, Parameter(negative="", help="Print CSV with a header.")] = False

    def show(
        self, rows: Sequence[Mapping[str, Any]], *, said: Sequence[str] = (), **facts: Any
    ) -> None:
        """Print rows; `said` goes beside them, `facts` into the JSON with them.

        Raises InvalidRequestError when two forms were asked for.
        """
        if self.json and self.csv:
            raise InvalidRequestError("--json and --csv exclude each other; give one")
        if self.json:
            print_json({**facts, "notes": list(said), "rows": list(rows)})
            return
        columns = list(rows[0]) if rows else []
        if self.csv:
            print_csv(rows, columns)
        else:
            print_table([_rounded(row) for row in rows], columns, empty="nothing was found")
        for one in said:
            err.print(one, highlight=False)


def read_table(path: Path, unit: str, time: str) -> Panel:
    """Read a panel from a file, by how its name ends.

    Raises InvalidRequestError for another ending, or a file that isn't there.
    """
    from conurb.strategy.panel import Panel
    from conurb.strategy.panel.files import read_parquet, read_stata

    if not path.is_file():
        raise InvalidRequestError(f"{path}: there is no such file")
    if path.suffix == ".csv":
        return Panel.from_csv(path, unit=unit, time=time)
    if path.suffix == ".parquet":
        return read_parquet(path, unit=unit, time=time)
    if path.suffix == ".dta":
        return read_stata(path, unit=unit, time=time)
    raise InvalidRequestError(f"{path}: a name that ends with {', '.join(READERS)} is expected")


def read_treatment(path: Path, *, unit: str, time: str, name: str | None = None) -> Treatment:
    """Read a treatment table: a CSV with a row per city and the year from which it is treated."""
    from conurb.strategy.effect.treatment import Treatment

    if not path.is_file():
        raise InvalidRequestError(f"{path}: there is no such file")
    return Treatment.from_csv(path, unit=unit, first=time, name=name or path.stem)


def read_subject(
    region: str,
    node: NodeOptions,
    *,
    pack: bool,
    treatment: Treatment | None = None,
    needed: bool = False,
) -> Subject:
    """Read a region from the node that answers, or from its pack: with `pack`, or when none does.

    A node that was named by --url, or is `needed`, and doesn't answer is an error; that the pack
    was read is said.
    """
    from conurb.strategy.report.subject import read_pack_subject, read_region

    if not pack:
        try:
            with node.connect() as connection:
                return read_region(connection, region, treatment=treatment)
        except UnavailableError as error:
            if needed or node.url is not None:
                raise
            err.print(
                f"{error.detail}. Reading the region pack {region!r} instead.",
                style="yellow",
                highlight=False,
            )
    return read_pack_subject(region, treatment=treatment)


def span(text: str | None) -> range | None:
    """Read years such as "2000-2019"; None when nothing was asked for."""
    if text is None:
        return None
    first, _, last = text.partition("-")
    try:
        years = range(int(first), int(last or first) + 1)
    except ValueError as error:
        raise InvalidRequestError(f"--years {text!r}: such as 2000-2019 is expected") from error
    if not years:
        raise InvalidRequestError(f"--years {text!r}: the last year comes before the first")
    return years


def names(text: str | None) -> list[str]:
    """Split names joined by commas."""
    return [one.strip() for one in (text or "").split(",") if one.strip()]


@contextmanager
def steps(total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar that moves by each step; off where standard error isn't a terminal."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
        console=err,
        disable=not err.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task("reading figures", total=total)

        def step(done: str) -> None:
            progress.update(task, advance=1, description=done)

        yield step


def _rounded(row: Mapping[str, Any]) -> dict[str, Any]:
    """Cut figures down to what a table for people can hold."""
    found: dict[str, Any] = {}
    for key, value in row.items():
        if key in _YEARS:
            found[key] = str(value)  # 2,017 isn't a year
        else:
            found[key] = float(f"{value:.4g}") if isinstance(value, float) else value
    return found

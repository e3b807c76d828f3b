"""A timetable in memory: the rows of a feed that was made here, not read from files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from conurb.systems.transport.gtfs.reading import Feed, Problems
from conurb.systems.transport.gtfs.tables import FILES, Row

AnyRow = TypeVar("AnyRow", bound=Row)


@dataclass(frozen=True, slots=True)
class Timetable:
    """The rows of a feed by their class."""

    tables: Mapping[type[Row], Sequence[Row]]
    problems: Problems = field(default_factory=Problems)

    def rows(self, table: type[AnyRow]) -> Iterable[AnyRow]:
        """Give the rows of one file."""
        rows: Iterable[AnyRow] = self.tables.get(table, ())  # type: ignore[assignment]
        return rows


def take(feed: Feed) -> Timetable:
    """Take every row of an open feed into memory."""
    return Timetable({table: tuple(feed.rows(table)) for table in FILES}, feed.problems)

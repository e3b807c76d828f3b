"""Temporal queries: which objects answer, and their instances in the window.

Objects are chosen by one statement, as a page of current state is; a deleted object answers with
what its last head said. Their instances are then read series by series, a series being one
(object, attribute, datasetId), which is how history is clustered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import apsw

from conurb.model.changes import HistoryInstance
from conurb.model.evolution import HEAD, Evolution
from conurb.model.query.tree import Query, TemporalQuery
from conurb.store.contract import EvolutionPage
from conurb.store.sqlite import geography
from conurb.store.sqlite.aggregate import Aggregator
from conurb.store.sqlite.arms import type_arms
from conurb.store.sqlite.predicates import Predicates
from conurb.store.sqlite.rows import HEAD_TERM, HISTORY_COLUMNS, Terms, texts
from conurb.store.sqlite.sources import Current, Parameters, Reach, conjunction
from conurb.store.sqlite.windows import DEFAULT_DATASET, InWindow, Window, deleted_row

_HEAD: Final = "e.eid, e.id, e.types, e.scope, e.created, e.modified"

Series = tuple[int, int, int]
"""(eid, attribute's term, dataset's term)."""
Head = tuple[Any, ...]
"""The columns of `_HEAD`, and whether the object is gone."""
Row = tuple[Any, ...]
"""A row's time, and `HISTORY_COLUMNS`."""
Rows = dict[tuple[int, int], list[Row]]
"""(eid, attribute's term) to its rows."""


def select_evolutions(
    connection: apsw.Connection, terms: Terms, query: TemporalQuery, *, now_us: int
) -> EvolutionPage:
    """Answer a temporal query."""
    reach = Reach(connection, terms, Parameters(), now_us)
    return EvolutionSelect(reach, query).run()


class EvolutionSelect:
    """The statements of one temporal query on one file."""

    def __init__(self, reach: Reach, temporal: TemporalQuery) -> None:
        self.reach = reach
        self.temporal = temporal
        self.query: Query = temporal.query
        self.parameters = reach.parameters
        self.predicates = Predicates(reach, self.query.restriction)
        self.window = Window(temporal.window, self._scope("AND g.at <= {n}.at"))
        self.source = InWindow(reach, self.window)
        self.attrs = self._numbers(temporal.attributes)
        self.datasets = self._dataset_numbers()

    def _numbers(self, attributes: tuple[str, ...]) -> list[int] | None:
        if not attributes:
            return None
        found = (self.reach.term(iri) for iri in attributes)
        return [number for number in found if number is not None]

    def _dataset_numbers(self) -> list[int] | None:
        if not self.query.datasets:
            return None
        found = (
            0 if dataset == DEFAULT_DATASET else self.reach.term(dataset)
            for dataset in self.query.datasets
        )
        return [number for number in found if number is not None]

    def execute(self, statement: str, **more: Any) -> apsw.Cursor:
        """Run a statement with the query's parameters and some more."""
        return self.reach.connection.execute(statement, {**self.parameters.values, **more})

    # ── which objects ─────────────────────────────────────────────────────────────────────────

    def run(self) -> EvolutionPage:
        """Run the statements."""
        arms = self.arms()
        page = EvolutionPage([])
        if self.query.count:
            page.total = int(self.execute(self.counted(arms)).get)
        if self.query.limit > 0:
            rows = list(self.execute(self.chosen(arms)))
            page.more = len(rows) > self.query.limit
            evolutions = dict(map(self.begun, rows[: self.query.limit]))
            page.evolutions = list(evolutions.values())
            self._fill(page, evolutions)
        return page

    def counted(self, arms: list[tuple[str, str]]) -> str:
        """Write the statement that counts the objects."""
        counts = " UNION ALL ".join(
            f"SELECT count(*) AS c FROM {table} WHERE {where}" for table, where in arms
        )
        return f"SELECT sum(c) FROM ({counts})"

    def arms(self) -> list[tuple[str, str]]:
        """Give the arms: what stands behind FROM, and behind WHERE."""
        query = self.query
        common = self._common()
        general = [self.predicates.selector(self.source, s) for s in query.selectors]
        selected = "1" if not general or "1" in general else f"({' OR '.join(general)})"
        deleted = conjunction([selected, common])
        arms = [(deleted_row("e"), deleted)]
        if len(query.selectors) == 1 and not query.selectors[0].ids:
            selector = replace(query.selectors[0], types=None)
            rest = self.predicates.selector(self.source, selector)
            alive = Current(self.reach)
            kinds = type_arms(
                self.reach, alive, self.predicates, query.selectors[0].types, query.restriction
            )
            arms += [
                ("entity e", conjunction(["e.type IS NOT NULL", kind, rest, common]))
                for kind in kinds
            ]
        else:
            arms.append(("entity e", conjunction(["e.type IS NOT NULL", selected, common])))
        return arms

    def _common(self) -> str:
        query, source, predicates = self.query, self.source, self.predicates
        parts = [self._has_rows()]
        if query.condition is not None:
            parts.append(predicates.condition(source, query.condition))
        if query.geo is not None:
            parts.append(self._geo())
        if self.temporal.window.timeproperty != "observedAt" and query.scope is not None:
            parts.append((self._scope("") or "1").replace("{n}", "e"))
        parts.append(predicates.restriction(source))
        return conjunction(parts)

    def _geo(self) -> str:
        geo = self.query.geo
        nodes = self.source.nodes(geo.attribute) if geo is not None else None
        if geo is None or nodes is None:
            return "0"
        fits = geography.instance_predicate(nodes.body, geo, self.parameters)
        return (
            f"EXISTS (SELECT 1 FROM {nodes.tables[0]} WHERE {' AND '.join((*nodes.where, fits))})"
        )

    def _scope(self, bound: str) -> str | None:
        """Give the predicate that the head in force for row `{n}` satisfies the scope query."""
        if self.query.scope is None:
            return None
        fits = self.predicates.scope(Current(self.reach, "z"), self.query.scope)
        return (
            "EXISTS (SELECT 1 FROM (SELECT g.body -> '$.scope' AS scope FROM history g "
            f"WHERE g.eid = {{n}}.eid AND g.attr = {HEAD_TERM} AND g.dataset = 0 "
            f"AND g.superseded IS NULL {bound} ORDER BY g.at DESC LIMIT 1) z WHERE {fits})"
        )

    def _has_rows(self) -> str:
        """Give the predicate that there is a row in the window."""
        parts = ["w.eid = e.eid", f"w.attr <> {HEAD_TERM}"]
        asked = self._numbers(self.query.attributes)
        if asked is not None:
            parts.append(f"w.attr IN ({', '.join(map(str, asked)) or 'NULL'})")
        if self.datasets is not None:
            parts.append(f"w.dataset IN ({', '.join(map(str, self.datasets)) or 'NULL'})")
        parts.append(self.window.where("w", self.parameters))
        return f"EXISTS (SELECT 1 FROM history w WHERE {' AND '.join(parts)})"

    def chosen(self, arms: list[tuple[str, str]]) -> str:
        """Write the statement that gives the heads of the objects, one more than asked."""
        limit = self.parameters.add(self.query.limit + 1)
        offset = self.parameters.add(self.query.offset)
        direction = " DESC" if self.query.order and self.query.order[0].descending else ""
        selects = " UNION ALL ".join(
            f"SELECT {_HEAD}, e.type IS NULL FROM {table} WHERE {where}" for table, where in arms
        )
        return f"{selects} ORDER BY 2{direction} LIMIT {limit} OFFSET {offset}"

    def begun(self, row: Head) -> tuple[int, Evolution]:
        """Give an object's short name, and its history without instances yet."""
        eid, entity_id, types, scope, created, modified, _ = row
        deleted = self.reach.connection.execute(
            "SELECT CASE WHEN body IS NULL THEN at END FROM history WHERE eid = ? AND attr = ? "
            "AND dataset = 0 AND superseded IS NULL ORDER BY at DESC LIMIT 1",
            (eid, HEAD_TERM),
        ).get
        return eid, Evolution(
            entity_id, texts(types), texts(scope), created, modified, deleted_us=deleted
        )

    # ── their instances ───────────────────────────────────────────────────────────────────────

    def _fill(self, page: EvolutionPage, evolutions: dict[int, Evolution]) -> None:
        if self.temporal.aggregation is not None:
            self.aggregate(evolutions)
            return
        limit = self.temporal.instance_limit
        rows = self.instances(list(evolutions))
        if sum(map(len, rows.values())) > limit:
            end = end_of(rows.values(), limit, latest_first=self.temporal.last_n is not None)
            rows = cut(rows, end, latest_first=self.temporal.last_n is not None)
            page.truncated_at_us = end
        self.fill(evolutions, rows)

    def aggregate(self, evolutions: dict[int, Evolution]) -> None:
        """Aggregate the histories of objects."""
        aggregator = Aggregator(self.reach, self.temporal, replace(self.window, aggregated=True))
        for eid, evolution in evolutions.items():
            aggregator.fill(evolution, self._series(eid))

    def fill(self, evolutions: dict[int, Evolution], rows: Rows) -> None:
        """Put heads and instances into the histories of objects."""
        for eid, evolution in evolutions.items():
            heads = self._heads(eid)
            if heads:
                evolution.instances[HEAD] = heads
        for (eid, attr), found in rows.items():
            iri = self.reach.terms.iri(self.reach.connection, attr)
            instances = self.reach.terms.history_of(self.reach.connection, (r[1:] for r in found))
            evolutions[eid].instances[iri] = instances

    def _heads(self, eid: int) -> list[HistoryInstance]:
        """Give the heads whose validity meets the window; for another time than observedAt, all."""
        rows = self.reach.connection.execute(
            f"SELECT {HISTORY_COLUMNS} FROM history WHERE eid = ? AND attr = ? AND dataset = 0 "
            "AND superseded IS NULL ORDER BY at",
            (eid, HEAD_TERM),
        )
        heads = self.reach.terms.history_of(self.reach.connection, rows)
        window = self.temporal.window
        if window.timeproperty != "observedAt":
            return heads
        low = window.at_us if window.relation in ("after", "between") else None
        high = {"before": window.at_us, "between": window.end_us}.get(window.relation or "")
        ends = [head.at_us for head in heads[1:]] + [None]
        return [
            head
            for head, end in zip(heads, ends, strict=True)
            if (high is None or head.at_us < high) and (low is None or end is None or end > low)
        ]

    def _series(self, eid: int) -> list[Series]:
        """Walk the series of an object by seeks, not by reading its history."""
        found: list[Series] = []
        attr, dataset = HEAD_TERM, -1
        while True:
            row = self.reach.connection.execute(
                "SELECT attr, dataset FROM history WHERE eid = ? AND (attr, dataset) > (?, ?) "
                "ORDER BY attr, dataset LIMIT 1",
                (eid, attr, dataset),
            ).fetchone()
            if row is None:
                return found
            attr, dataset = row
            wanted = attr != HEAD_TERM and (self.attrs is None or attr in self.attrs)
            if wanted and (self.datasets is None or dataset in self.datasets):
                found.append((eid, attr, dataset))

    def instances(self, eids: Sequence[int]) -> Rows:
        """Read the instances per (object, attribute), in order; stop when there are too many."""
        last_n, limit = self.temporal.last_n, self.temporal.instance_limit
        time = self.window.time("h")
        columns = ", ".join(f"h.{name}" for name in HISTORY_COLUMNS.split(", "))
        direction = "" if last_n is None else " DESC"
        most = limit + 1 if last_n is None else min(last_n, limit + 1)
        statement = (
            f"SELECT {time} AS t, {columns} FROM history h "
            "WHERE h.eid = :eid AND h.attr = :attr AND h.dataset = :dataset "
            f"AND {self.window.where('h', self.parameters)} "
            f"ORDER BY t{direction}, h.number{direction} LIMIT :most"
        )
        rows: Rows = {}
        for eid, attr, dataset in (one for number in eids for one in self._series(number)):
            found = self.execute(statement, eid=eid, attr=attr, dataset=dataset, most=most)
            rows.setdefault((eid, attr), []).extend(found)
        for key, found_rows in rows.items():
            found_rows.sort(key=_time_and_number, reverse=last_n is not None)
            rows[key] = found_rows[:last_n]
        return {key: found_rows for key, found_rows in rows.items() if found_rows}


def end_of(groups: Iterable[Sequence[Row]], limit: int, *, latest_first: bool) -> int:
    """Give the time up to which the first `limit` rows go; there are more of them than that."""
    times = sorted((row[0] for rows in groups for row in rows), reverse=latest_first)
    last: int = times[limit - 1]
    if last == times[limit]:  # a time isn't given by halves, unless there is no other
        whole = [t for t in times[:limit] if t != last]
        last = whole[-1] if whole else last
    return last


def cut(rows: Rows, end: int, *, latest_first: bool) -> Rows:
    """Keep what comes first in time, up to `end`."""
    return {
        key: [r for r in found if (r[0] >= end if latest_first else r[0] <= end)]
        for key, found in rows.items()
    }


def _time_and_number(row: tuple[Any, ...]) -> tuple[int, int]:
    return row[0], row[6]

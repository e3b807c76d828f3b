"""Temporal queries: which objects answer, and their rows in the window.

Objects are chosen from `object`, which says what the last head of each said, so that deleted ones
answer too. Rows are read series by series, one descent of the index each.
"""

from __future__ import annotations

from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.changes import HistoryInstance
from conurb.model.evolution import HEAD, Evolution
from conurb.model.query.tree import Query, TemporalQuery
from conurb.store.contract import EvolutionPage
from conurb.store.postgres.aggregate import fill_aggregates
from conurb.store.postgres.compile import Moments, Selection
from conurb.store.postgres.connection import driver
from conurb.store.postgres.names import Names
from conurb.store.postgres.rows import HISTORY_COLUMNS, history_of
from conurb.store.postgres.sources import all_of, any_of
from conurb.store.postgres.window import InWindow, Window

DEFAULT_DATASET: Final = "@none"
"""What a query calls the default instance."""

_HEADS: Final = "FROM history f WHERE f.eid = o.eid AND f.attr = 0"
_SERIES: Final = "unnest(o.attrs, o.datasets) s (attr, dataset)"
_ROW: Final = "h.eid = o.eid AND h.attr = s.attr AND h.dataset = s.dataset"


async def select_evolutions(
    connection: Any, names: Names, query: TemporalQuery, *, now_us: int
) -> EvolutionPage:
    """Answer a temporal query; `connection` sees one moment's data all the time."""
    select = _Select(connection, names, query, now_us)
    try:
        return await select.run()
    except driver().NumericValueOutOfRangeError as error:
        raise BadRequestDataError(f"aggregation: the numbers are too large: {error}") from error
    except driver().InternalServerError as error:
        if query.query.geo is None:
            raise
        # PostGIS can't relate every kind of geometry, collections above all.
        raise BadRequestDataError(f"geoquery: {error}") from error


class _Select:
    def __init__(self, connection: Any, names: Names, temporal: TemporalQuery, now_us: int) -> None:
        self._connection = connection
        self._names = names
        self._temporal = temporal
        self._query: Query = temporal.query
        self._now_us = now_us

    def _window(self) -> Window:
        """Begin a statement."""
        selection = Selection(self._names, self._query.restriction, Moments(self._now_us))
        return Window(self._temporal, selection)

    async def run(self) -> EvolutionPage:
        """Run the statements."""
        query = self._query
        page = EvolutionPage([])
        rows: list[Any] = []
        if query.limit > 0:
            window = self._window()
            direction = " DESC" if query.order and query.order[0].descending else ""
            sql = (
                "SELECT e.eid, e.id, e.typeset, e.scope, e.created, e.modified, e.deleted "
                f"{self._objects(window)} ORDER BY e.id{direction} "
                f"LIMIT {int(query.limit) + 1} OFFSET {int(query.offset)}"
            )
            rows = await self._connection.fetch(*window.arguments.bind(sql))
        page.more = len(rows) > query.limit
        evolutions = {row["eid"]: self._evolution(row) for row in rows[: query.limit]}
        page.evolutions = list(evolutions.values())
        if query.count:
            window = self._window()
            sql = f"SELECT count(*) {self._objects(window)}"
            page.total = int(await self._connection.fetchval(*window.arguments.bind(sql)))
        if not evolutions:
            return page
        if self._temporal.aggregation is not None:
            await fill_aggregates(
                self._connection, self._names, self._window(), self._series, evolutions
            )
            return page
        await self._fill(page, evolutions)
        await self._fill_heads(evolutions)
        return page

    def _evolution(self, row: Any) -> Evolution:
        return Evolution(
            row["id"],
            self._names.types(row["typeset"]),
            tuple(row["scope"]),
            row["created"],
            row["modified"],
            row["deleted"],
        )

    # ── which objects ────────────────────────────────────────────────────────────────────────

    def _objects(self, window: Window) -> str:
        """Give FROM and WHERE of the objects that answer, as `e`."""
        query, selection = self._query, window.selection
        source = InWindow(window, self._names)
        parts = [
            selection.restriction_sql("e"),
            any_of([selection.selector_sql(s, "e") for s in query.selectors])
            if query.selectors
            else "TRUE",
            self._has_rows(window),
            window.last_head_scoped("e"),
        ]
        if query.condition is not None:
            parts.append(selection.condition_sql(query.condition, source))
        if query.geo is not None:
            parts.append(selection.geo_sql(query.geo, source))
        return (
            "FROM (SELECT o.eid, o.id, o.typeset, o.scope, o.attrs, o.datasets, c.expires, "
            f"coalesce(c.created, (SELECT min(f.recorded) {_HEADS})) AS created, "
            f"coalesce(c.modified, (SELECT max(f.recorded) {_HEADS})) AS modified, "
            f"(SELECT CASE WHEN f.body IS NULL THEN f.at END {_HEADS} AND f.dataset = '' "
            "AND f.superseded IS NULL ORDER BY f.at DESC, f.recorded DESC LIMIT 1) AS deleted "
            "FROM object o LEFT JOIN entity c ON c.eid = o.eid) e "
            f"WHERE {all_of(parts)}"
        )

    def _has_rows(self, window: Window) -> str:
        """Give the predicate that there is a row in the window of what the query asks for."""
        which = self._which(window, self._query.attributes)
        row = "h.eid = e.eid AND h.attr = s.attr AND h.dataset = s.dataset"
        return (
            "EXISTS (SELECT FROM unnest(e.attrs, e.datasets) s (attr, dataset), LATERAL "
            f"(SELECT 1 FROM history h WHERE {row} AND {window.where()} LIMIT 1) r WHERE {which})"
        )

    def _which(self, window: Window, attributes: tuple[str, ...]) -> str:
        """Give the predicate on a series `s` that its rows are asked for."""
        parts = []
        if attributes:
            tids = window.arguments.add(self._names.find_tids(attributes), "int[]")
            parts.append(f"s.attr = ANY ({tids})")
        if self._query.datasets:
            wanted = ["" if d == DEFAULT_DATASET else d for d in self._query.datasets]
            parts.append(f"s.dataset = ANY ({window.arguments.add(wanted, 'text[]')})")
        return all_of(parts)

    def _series(self, window: Window) -> str:
        """Give the predicate on a series `s` that its rows are given."""
        return self._which(window, self._temporal.attributes)

    # ── their rows ───────────────────────────────────────────────────────────────────────────

    def _rows_sql(self, window: Window, eids: list[int], *, only_us: int | None = None) -> str:
        """Give the statement of the rows in the window, in order of time across objects."""
        last_n = self._temporal.last_n
        where = all_of([_ROW, window.where()])
        latest = ""
        if last_n is not None and window.by_at and only_us is None:
            latest = f"ORDER BY h.at DESC, h.number DESC LIMIT {int(last_n)}"
        rows = (
            f"SELECT o.eid, r.*, row_number() OVER (PARTITION BY o.eid, r.attr "
            f"ORDER BY r.t DESC, r.number DESC) AS place FROM object o, {_SERIES}, LATERAL ("
            f"SELECT {window.time()} AS t, h.attr, h.dataset, h.at, h.recorded, h.superseded, "
            f"h.number, h.kind, h.body FROM history h WHERE {where} {latest}) r "
            f"WHERE o.eid = ANY ({window.arguments.add(eids, 'bigint[]')}) "
            f"AND {self._series(window)}"
        )
        kept = [] if last_n is None else [f"x.place <= {int(last_n)}"]
        if only_us is not None:
            kept.append(f"x.t = {window.arguments.add(only_us, 'bigint')}")
        direction = "" if last_n is None else " DESC"
        return (
            f"SELECT * FROM ({rows}) x WHERE {all_of(kept)} "
            f"ORDER BY x.t{direction}, x.number{direction}"
        )

    async def _fill(self, page: EvolutionPage, evolutions: dict[int, Evolution]) -> None:
        eids = list(evolutions)
        limit = self._temporal.instance_limit
        window = self._window()
        sql = f"{self._rows_sql(window, eids)} LIMIT {int(limit) + 1}"
        rows = await self._connection.fetch(*window.arguments.bind(sql))
        if len(rows) > limit:
            rows = await self._cut(rows, eids)
            page.truncated_at_us = rows[-1]["t"]
            await self._name_all(evolutions)
        for row in rows:
            instance = history_of(row, self._names)
            given = evolutions[row["eid"]].instances
            given.setdefault(instance.attribute, []).append(instance)

    async def _cut(self, rows: list[Any], eids: list[int]) -> list[Any]:
        """Keep the rows of whole times; those of the first time when there is no other."""
        over = rows[-1]["t"]
        kept = [row for row in rows if row["t"] != over]
        if kept:
            return kept
        window = self._window()
        sql = self._rows_sql(window, eids, only_us=over)
        found: list[Any] = await self._connection.fetch(*window.arguments.bind(sql))
        return found

    async def _name_all(self, evolutions: dict[int, Evolution]) -> None:
        """Name every attribute that has rows in the window, those that were cut too."""
        window = self._window()
        sql = (
            f"SELECT DISTINCT o.eid, s.attr FROM object o, {_SERIES}, LATERAL "
            f"(SELECT 1 FROM history h WHERE {_ROW} AND {window.where()} LIMIT 1) r "
            f"WHERE o.eid = ANY ({window.arguments.add(list(evolutions), 'bigint[]')}) "
            f"AND {self._series(window)} ORDER BY 1, 2"
        )
        for eid, tid in await self._connection.fetch(*window.arguments.bind(sql)):
            evolutions[eid].instances[self._names.iri(tid)] = []

    async def _fill_heads(self, evolutions: dict[int, Evolution]) -> None:
        """Give the heads, each valid until the next: with observedAt those that meet the window."""
        rows = await self._connection.fetch(
            f"SELECT eid, {HISTORY_COLUMNS} FROM history "
            "WHERE eid = ANY ($1::bigint[]) AND attr = 0 AND superseded IS NULL "
            "ORDER BY eid, at, recorded",
            list(evolutions),
        )
        heads: dict[int, list[HistoryInstance]] = {}
        for row in rows:
            heads.setdefault(row["eid"], []).append(history_of(row, self._names))
        for eid, found in heads.items():
            given = [
                head
                for head, following in zip(found, [*found[1:], None], strict=True)
                if self._meets(head.at_us, None if following is None else following.at_us)
            ]
            if given:
                evolutions[eid].instances[HEAD] = given

    def _meets(self, start_us: int, end_us: int | None) -> bool:
        window = self._temporal.window
        if window.timeproperty != "observedAt" or window.relation is None or window.at_us is None:
            return True
        after = window.relation in ("after", "between")
        if after and end_us is not None and end_us <= window.at_us:
            return False
        last = window.at_us if window.relation == "before" else window.end_us
        return window.relation == "after" or last is None or start_us < last

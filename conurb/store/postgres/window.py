"""Which rows of history a temporal query speaks of, as SQL over a row `h`.

The rules are point 11 of `conurb.model.query.match`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from conurb.model.query.tree import ScopeCondition, TemporalQuery
from conurb.model.time import fixed
from conurb.store.postgres.compile import Selection
from conurb.store.postgres.names import Names
from conurb.store.postgres.sources import TRUE, Arguments, Nodes, all_of

LIVE: Final = "h.superseded IS NULL"
_SCOPE_OF_HEAD: Final = "ARRAY(SELECT jsonb_array_elements_text(g.body::jsonb -> 'scope'))"


@dataclass(frozen=True, slots=True)
class Window:
    """The window of one temporal query, with its scope."""

    query: TemporalQuery
    selection: Selection

    @property
    def arguments(self) -> Arguments:
        """Give the arguments of the statement."""
        return self.selection.arguments

    @property
    def by_at(self) -> bool:
        """Whether rows are in order of `at` in their index."""
        return self.query.window.timeproperty == "observedAt"

    def time(self) -> str:
        """Give the time of a row in microseconds."""
        name = self.query.window.timeproperty
        if name == "observedAt":
            return "h.at"
        if name == "deletedAt":
            return "h.recorded"
        return f"us_of(h.body::json ->> '{name}')"

    def where(self) -> str:
        """Give the predicate that a row is live, in the window and in the scope."""
        return all_of([LIVE, self._timed(), self._scoped()])

    def _timed(self) -> str:
        window = self.query.window
        if window.timeproperty == "observedAt":
            if window.relation is None:
                return TRUE
            return all_of(["h.observed", self._bounds("h.at")])
        if window.timeproperty == "deletedAt":
            return all_of(["h.body IS NULL", self._bounds("h.recorded")])
        text = f"(h.body::json ->> '{window.timeproperty}')"
        return all_of([f"{text} IS NOT NULL", self._bounds(text, text=True)])

    def _bounds(self, column: str, *, text: bool = False) -> str:
        window = self.query.window
        if window.relation is None or window.at_us is None:
            return TRUE

        def bound(us: int) -> str:
            if text:
                return f'{self.arguments.add(fixed(us), "text")} COLLATE "C"'
            return self.arguments.add(us, "bigint")

        if window.relation == "before":
            return f"{column} < {bound(window.at_us)}"
        parts = [f"{column} >= {bound(window.at_us)}"]
        if window.relation == "between" and window.end_us is not None:
            parts.append(f"{column} < {bound(window.end_us)}")
        return all_of(parts)

    def _scoped(self) -> str:
        """Count only rows whose time is in the validity of a head that satisfies the scope."""
        scope = self.query.query.scope
        if scope is None or not self.by_at:
            return TRUE
        return self._head_satisfies(scope, "h", "AND g.at <= h.at ")

    def last_head_scoped(self, alias: str) -> str:
        """Give the predicate that an object's last head satisfies the scope, if that is asked."""
        scope = self.query.query.scope
        if scope is None or self.by_at:
            return TRUE
        return self._head_satisfies(scope, alias, "")

    def _head_satisfies(self, scope: ScopeCondition, alias: str, bound: str) -> str:
        holds = self.selection.scope_sql(scope, "head.scope")
        return (
            f"EXISTS (SELECT FROM (SELECT g.body, {_SCOPE_OF_HEAD} AS scope FROM history g "
            f"WHERE g.eid = {alias}.eid AND g.attr = 0 AND g.dataset = '' "
            f"AND g.superseded IS NULL {bound}ORDER BY g.at DESC, g.recorded DESC LIMIT 1) head "
            f"WHERE head.body IS NOT NULL AND {holds})"
        )


@dataclass(frozen=True, slots=True)
class InWindow:
    """A source whose instances are those of a window; see `sources.Source`."""

    window: Window
    names: Names
    alias: str = "e"
    flat: bool = False

    def _rows(self, which: str) -> Nodes:
        row = self.window.arguments.alias()
        where = all_of(
            [f"h.eid = {self.alias}.eid", which, "h.body IS NOT NULL", self.window.where()]
        )
        item = f"LATERAL (SELECT h.body::jsonb AS node FROM history h WHERE {where}) {row}"
        return Nodes((item,), (), f"{row}.node")

    def nodes(self, attribute: str) -> Nodes | None:
        """Give the instances of an attribute in the window."""
        tid = self.names.find_tid(attribute)
        return None if tid is None else self._rows(f"h.attr = {tid}")

    def every(self) -> Nodes:
        """Give the instances of all attributes in the window."""
        return self._rows("h.attr <> 0")

    def first(self, attribute: str) -> str | None:
        """Give none: a temporal query is ordered by id only."""
        return None

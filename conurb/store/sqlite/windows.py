"""The instances of a time window: what a temporal query selects and asks its conditions of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from conurb.model.query.tree import TimeWindow
from conurb.model.time import BEGINNING, fixed
from conurb.store.sqlite.rows import HEAD_TERM
from conurb.store.sqlite.sources import Current, Nodes, Parameters, Reach, Source

DEFAULT_DATASET: Final = "@none"
"""What a query calls the default instance."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time window as SQL over rows of history (match, point 11).

    `aggregated` takes what can be aggregated only: instances, whose time isn't 'always'. `scope`
    says of a row `{n}` whether its time is in the validity of a scope that is asked for.
    """

    window: TimeWindow
    scope: str | None = None
    aggregated: bool = False

    def time(self, name: str) -> str:
        """Give the time of a row in microseconds."""
        if self.window.timeproperty == "observedAt":
            return f"{name}.at"
        if self.window.timeproperty == "deletedAt":
            return f"{name}.recorded"
        text = f"({name}.body ->> '$.{self.window.timeproperty}')"
        seconds = f"unixepoch(substr({text}, 1, 19))"
        return f"({seconds} * 1000000 + CAST(substr({text}, 21, 6) AS INTEGER))"

    def where(self, name: str, parameters: Parameters) -> str:
        """Give the predicate that a row is live and in the window."""
        kind = self.window.timeproperty
        parts = [f"{name}.superseded IS NULL"]
        if kind == "observedAt":
            if self.window.relation is not None:
                parts.append(f"{name}.observed")
            if self.scope is not None:
                parts.append(self.scope.replace("{n}", name))
        if kind == "deletedAt":
            parts.append(f"{name}.body IS NULL")
        elif kind != "observedAt" or self.aggregated:
            parts.append(f"{name}.body IS NOT NULL")
        if self.aggregated and kind == "observedAt":
            parts.append(f"{name}.at > {BEGINNING}")
        by_text = kind in ("createdAt", "modifiedAt")
        column = f"({name}.body ->> '$.{kind}')" if by_text else self.time(name)
        for sign, us in self._bounds():
            parts.append(f"{column} {sign} {parameters.add(fixed(us) if by_text else us)}")
        return " AND ".join(parts)

    def _bounds(self) -> list[tuple[str, int]]:
        window = self.window
        if window.relation is None or window.at_us is None:
            return []
        if window.relation == "before":
            return [("<", window.at_us)]
        bounds = [(">=", window.at_us)]
        if window.relation == "between" and window.end_us is not None:
            bounds.append(("<", window.end_us))
        return bounds


@dataclass(frozen=True, slots=True)
class InWindow:
    """A source whose instances are those of a window; see `sources.Source`."""

    reach: Reach
    window: Window
    alias: str = "e"

    def value(self, attribute: str) -> str | None:
        """Give none: a window may hold many values."""
        return None

    def nodes(self, attribute: str) -> Nodes | None:
        """Give the attribute's instances in the window."""
        term = self.reach.term(attribute)
        if term is None:
            return None
        name = self.reach.parameters.alias("n")
        where = (
            f"{name}.eid = {self.alias}.eid AND {name}.attr = {term}",
            f"{name}.body IS NOT NULL",
            self.window.where(name, self.reach.parameters),
        )
        return Nodes((f"history {name}",), where, f"{name}.body", f"{name}.val")

    def first(self, attribute: str) -> str | None:
        """Give none: a temporal query is ordered by id only."""
        return None

    def exists(self, attribute: str) -> str:
        """Give the predicate that there is an instance of the attribute in the window."""
        nodes = self.nodes(attribute)
        if nodes is None:
            return "0"
        return f"EXISTS (SELECT 1 FROM {nodes.tables[0]} WHERE {' AND '.join(nodes.where)})"

    def every_body(self) -> Nodes:
        """Give the instances of all attributes in the window."""
        name = self.reach.parameters.alias("n")
        where = (
            f"{name}.eid = {self.alias}.eid AND {name}.attr <> {HEAD_TERM}",
            f"{name}.body IS NOT NULL",
            self.window.where(name, self.reach.parameters),
        )
        return Nodes((f"history {name}",), where, f"{name}.body", f"{name}.val")

    def linked(self, uri: str) -> tuple[Source, Nodes]:
        """Step to the entity whose id is the expression `uri`, as it is now."""
        return Current(self.reach, self.alias).linked(uri)


def deleted_row(alias: str) -> str:
    """Give the row of objects that were deleted, with what their last head said."""
    last = (
        f"FROM history g WHERE g.eid = o.eid AND g.attr = {HEAD_TERM} AND g.dataset = 0 "
        "AND g.superseded IS NULL AND g.body IS NOT NULL ORDER BY g.at DESC LIMIT 1"
    )
    heads = f"FROM history g WHERE g.eid = o.eid AND g.attr = {HEAD_TERM}"
    return (
        f"(SELECT o.eid, o.id, (SELECT g.val {last}) AS type, "
        f"(SELECT g.body ->> '$.types' {last}) AS types, "
        f"(SELECT g.body ->> '$.scope' {last}) AS scope, "
        f"(SELECT min(g.recorded) {heads}) AS created, "
        f"(SELECT max(g.recorded) {heads}) AS modified, "
        f"NULL AS expires FROM entity o WHERE o.type IS NULL) {alias}"
    )

"""The instances of a time window: what a temporal query selects and asks its conditions of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from conurb.model.query.tree import TimeWindow
from conurb.model.time import fixed
from conurb.store.sqlite.rows import HEAD_TERM
from conurb.store.sqlite.sources import Current, Nodes, Parameters, Reach, Source

DEFAULT_DATASET: Final = "@none"
"""What a query calls the default instance."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time window as SQL over rows of history.

    With an aggregation or `last_n` only instances that have the time property count; without a
    relation a plain answer gives every instance, and the tombstones.
    """

    window: TimeWindow
    strict: bool

    def time(self, name: str) -> str:
        """Give the time of a row in microseconds."""
        if self.window.timeproperty in ("observedAt", "deletedAt"):
            return f"{name}.at"
        text = f"({name}.body ->> '$.{self.window.timeproperty}')"
        seconds = f"unixepoch(substr({text}, 1, 19))"
        return f"({seconds} * 1000000 + CAST(substr({text}, 21, 6) AS INTEGER))"

    def where(self, name: str, parameters: Parameters) -> str:
        """Give the predicate that a row is live and in the window."""
        window = self.window
        parts = [f"{name}.superseded IS NULL"]
        bounded = window.relation is not None or self.strict
        if window.timeproperty == "deletedAt":
            parts.append(f"{name}.body IS NULL")
        elif bounded or window.timeproperty != "observedAt":
            parts.append(f"{name}.body IS NOT NULL")
            if window.timeproperty == "observedAt":
                parts.append(f"{name}.observed")
        if window.timeproperty in ("observedAt", "deletedAt"):
            column = f"{name}.at"
            parts += [f"{column} {sign} {parameters.add(us)}" for sign, us in self._bounds()]
        else:
            column = f"({name}.body ->> '$.{window.timeproperty}')"
            parts += [f"{column} {sign} {parameters.add(fixed(us))}" for sign, us in self._bounds()]
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

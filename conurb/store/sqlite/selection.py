"""Which entities are meant, as SQL predicates over an entity's row (match, points 7 and 10)."""

from __future__ import annotations

import orjson

from conurb.model.query.tree import (
    Restriction,
    ScopeAll,
    ScopeCondition,
    ScopeIs,
    Selector,
    TypeAll,
    TypeAny,
    TypeIs,
    TypeSelection,
)
from conurb.store.sqlite.sources import Parameters, Reach, Source, exists_in, joined
from conurb.store.sqlite.values import IRREGULAR


class Selection:
    """Compiles types, scopes, ids, datasets and what the caller may see."""

    def __init__(self, reach: Reach, restriction: Restriction) -> None:
        self._reach = reach
        self.parameters: Parameters = reach.parameters
        self._restriction = restriction

    def types(self, source: Source, selection: TypeSelection) -> str:
        """Compile a type selection."""
        if isinstance(selection, TypeIs):
            return self._type_is(source, selection.iri)
        items = [self.types(source, item) for item in selection.items]
        return joined(items, "AND" if isinstance(selection, TypeAll) else "OR")

    def _type_is(self, source: Source, iri: str) -> str:
        alias, name = source.alias, self.parameters.add(iri)
        term = self._reach.term(iri)
        several = f"EXISTS (SELECT 1 FROM json_each({alias}.types) t WHERE t.value = {name})"
        if term is None:
            return "0"
        marker = self.parameters.add(IRREGULAR)
        # The sign keeps the index on types out: whatever else the query says is narrower.
        kind = f"+{alias}.type"
        return f"({kind} = {term} OR ({kind} IN (0, {marker}) AND {several}))"

    def scope(self, source: Source, condition: ScopeCondition) -> str:
        """Compile a scope query."""
        if isinstance(condition, ScopeIs):
            return self._scope_is(source, condition.pattern)
        items = [self.scope(source, item) for item in condition.items]
        return joined(items, "AND" if isinstance(condition, ScopeAll) else "OR")

    def _scope_is(self, source: Source, pattern: str) -> str:
        name = self.parameters.alias("s")
        if pattern == "/#":
            fits = "1"
        elif "+" in pattern.split("/"):
            fits = f"conurb_scope_fits({self.parameters.add(pattern)}, {name}.value)"
        elif pattern.endswith("/#"):
            fits = self._below(f"{name}.value", pattern[:-2])
        else:
            fits = f"{name}.value = {self.parameters.add(pattern)}"
        return f"EXISTS (SELECT 1 FROM json_each({source.alias}.scope) {name} WHERE {fits})"

    def _below(self, value: str, root: str) -> str:
        """Give the predicate that a scope is `root` or lies below it."""
        base = root.rstrip("/")
        exact, first, after = map(self.parameters.add, (root, base + "/", base + "0"))
        return f"({value} = {exact} OR ({value} >= {first} AND {value} < {after}))"

    def restriction(self, source: Source) -> str:
        """Compile what the caller may see at most."""
        parts = []
        if self._restriction.types is not None:
            kinds = tuple(TypeIs(iri) for iri in self._restriction.types)
            parts.append(self.types(source, TypeAny(kinds)))
        if self._restriction.scopes is not None:
            name = self.parameters.alias("s")
            fits = [self._below(f"{name}.value", root) for root in self._restriction.scopes]
            parts.append(
                f"EXISTS (SELECT 1 FROM json_each({source.alias}.scope) {name} "
                f"WHERE {joined(fits, 'OR')})"
            )
        return joined(parts, "AND")

    def selector(self, source: Source, selector: Selector) -> str:
        """Compile a selector."""
        parts = []
        if selector.ids:
            ids = self.parameters.add(orjson.dumps(list(selector.ids)).decode())
            parts.append(f"{source.alias}.id IN (SELECT value FROM json_each({ids}))")
        if selector.id_pattern is not None:
            pattern = self.parameters.add(selector.id_pattern)
            parts.append(f"conurb_matches({pattern}, {source.alias}.id)")
        if selector.types is not None:
            parts.append(self.types(source, selector.types))
        return joined(parts, "AND")

    def datasets(self, source: Source, datasets: tuple[str, ...]) -> str:
        """Compile: one instance of any attribute has one of these datasetIds."""
        nodes = source.every_body()
        value = f"coalesce({nodes.body} ->> '$.datasetId', '@none')"
        names = ", ".join(self.parameters.add(dataset) for dataset in datasets)
        return exists_in(nodes, f"{value} IN ({names})")

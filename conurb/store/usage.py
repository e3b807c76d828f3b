"""What current objects are made of, counted: the answer to which types and attributes there are.

Counting reads every object, so what an engine counted for a caller who may see everything is kept
for as long as it holds: until the journal goes on, or something expires.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final

from conurb.model.query.tree import Restriction
from conurb.store.contract import AttributeInfo, TypeInfo

UNRESTRICTED: Final = Restriction()


@dataclass(frozen=True, slots=True)
class Usage:
    """Objects by their types, and instances by types, attribute and kind."""

    objects: tuple[tuple[tuple[str, ...], int], ...]
    instances: tuple[tuple[tuple[str, ...], str, str, int], ...]

    def types(self) -> list[TypeInfo]:
        """List the types by IRI, with their objects' count and attributes."""
        counts: Counter[str] = Counter()
        for types, count in self.objects:
            for iri in types:
                counts[iri] += count
        kinds: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for types, attribute, kind, _ in self.instances:
            for iri in types:
                kinds[iri][attribute].add(kind)
        return [
            TypeInfo(
                iri,
                counts[iri],
                {name: tuple(sorted(found)) for name, found in sorted(kinds[iri].items())},
            )
            for iri in sorted(counts)
        ]

    def attributes(self) -> list[AttributeInfo]:
        """List the attributes by IRI, with the count of their instances, kinds and types."""
        counts: Counter[str] = Counter()
        kinds: dict[str, set[str]] = defaultdict(set)
        owners: dict[str, set[str]] = defaultdict(set)
        for types, attribute, kind, count in self.instances:
            counts[attribute] += count
            kinds[attribute].add(kind)
            owners[attribute].update(types)
        return [
            AttributeInfo(iri, counts[iri], tuple(sorted(kinds[iri])), tuple(sorted(owners[iri])))
            for iri in sorted(counts)
        ]


class KeptUsage:
    """The last count of everything, and how long it holds."""

    def __init__(self) -> None:
        # One reference, which threads that read take and set as a whole.
        self._kept: tuple[int, int | None, Usage] | None = None

    def find(self, restriction: Restriction, *, seq: int, now_us: int) -> Usage | None:
        """Find the count that holds at the journal's entry `seq`."""
        if self._kept is None or restriction != UNRESTRICTED:
            return None
        at, until_us, usage = self._kept
        return usage if at == seq and (until_us is None or until_us > now_us) else None

    def keep(
        self, usage: Usage, restriction: Restriction, *, seq: int, until_us: int | None
    ) -> Usage:
        """Keep what was counted of everything; `until_us` is when the next object expires."""
        if restriction == UNRESTRICTED:
            self._kept = seq, until_us, usage
        return usage

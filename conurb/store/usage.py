"""What current objects are made of, counted: the answer to which types and attributes there are.

Counting reads every object, so what an engine counted for a caller who may see everything is kept,
and taken on by the entries that the journal has had since. It is counted anew when that can't be
told: something has expired, there are too many entries, an object's types have changed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conurb.model.query.tree import Restriction
from conurb.store.contract import AttributeInfo, TypeInfo

if TYPE_CHECKING:
    from conurb.store.contract import Record

UNRESTRICTED: Final = Restriction()

FOLLOWED_MAX: Final = 2_000
"""Entries of the journal that are read before everything is counted anew."""

Types = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """Objects by their types, and instances by types, attribute and kind."""

    objects: Counter[Types]
    instances: Counter[tuple[Types, str, str]]

    def types(self) -> list[TypeInfo]:
        """List the types by IRI, with their objects' count and attributes."""
        counts: Counter[str] = Counter()
        for types, count in self.objects.items():
            for iri in types:
                counts[iri] += count
        kinds: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for types, attribute, kind in self.instances:
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
        for (types, attribute, kind), count in self.instances.items():
            counts[attribute] += count
            kinds[attribute].add(kind)
            owners[attribute].update(types)
        return [
            AttributeInfo(iri, counts[iri], tuple(sorted(kinds[iri])), tuple(sorted(owners[iri])))
            for iri in sorted(counts)
        ]

    def followed(self, records: Iterable[Record]) -> Usage | None:
        """Give what there is after these entries of the journal; None when that can't be told."""
        objects, instances = Counter(self.objects), Counter(self.instances)
        for record in records:
            types, after = record.types, record.after
            if not types:
                continue
            if record.kind == "updated":
                changed: Iterable[str] = record.touched
            else:
                objects[types] += 1 if record.kind == "created" else -1
                changed = record.before if after is None else after.attrs
            for attribute in changed:
                for instance in record.before.get(attribute, ()):
                    instances[types, attribute, instance["type"]] -= 1
                for instance in after.attrs.get(attribute, ()) if after is not None else ():
                    instances[types, attribute, instance["type"]] += 1
        if any(count < 0 for counts in (objects, instances) for count in counts.values()):
            return None
        return Usage(+objects, +instances)


@dataclass(frozen=True, slots=True)
class _Kept:
    seq: int
    until_us: int | None
    usage: Usage


class KeptUsage:
    """The last count of everything, and how long it holds."""

    def __init__(self) -> None:
        # One reference, which threads that read take and set as a whole.
        self._kept: _Kept | None = None

    def find(self, restriction: Restriction, *, seq: int, now_us: int) -> Usage | None:
        """Find the count that holds at the journal's entry `seq`."""
        kept = self._held(restriction, now_us)
        return kept.usage if kept is not None and kept.seq == seq else None

    def begin(self, restriction: Restriction, *, seq: int, now_us: int) -> int | None:
        """Find the entry of the journal after which it has to be read, to follow up to `seq`."""
        kept = self._held(restriction, now_us)
        follows = kept is not None and kept.seq < seq <= kept.seq + FOLLOWED_MAX
        return kept.seq if kept is not None and follows else None

    def _held(self, restriction: Restriction, now_us: int) -> _Kept | None:
        kept = self._kept
        if kept is None or restriction != UNRESTRICTED:
            return None
        return kept if kept.until_us is None or kept.until_us > now_us else None

    def follow(self, records: Sequence[Record], *, seq: int, now_us: int) -> Usage | None:
        """Take the count on to `seq`; None when that can't be told from the entries."""
        kept = self._held(UNRESTRICTED, now_us)
        if kept is None or [record.seq for record in records] != [*range(kept.seq + 1, seq + 1)]:
            return None
        ends = [kept.until_us, *(one.after.expires_at for one in records if one.after is not None)]
        until_us = min((end for end in ends if end is not None), default=None)
        usage = kept.usage.followed(records)
        if usage is None or (until_us is not None and until_us <= now_us):
            return None
        self._kept = _Kept(seq, until_us, usage)
        return usage

    def keep(
        self, usage: Usage, restriction: Restriction, *, seq: int, until_us: int | None
    ) -> Usage:
        """Keep what was counted of everything.

        `until_us` is when the next object expires: that of the first which has expired and is still
        stored, when there is one.
        """
        if restriction == UNRESTRICTED:
            self._kept = _Kept(seq, until_us, usage)
        return usage


def retyped(records: Iterable[Record]) -> list[tuple[str, int]]:
    """List (id, stamp) of the updates, whose types may have changed: a head was stored then."""
    return [(one.entity_id, one.at_us) for one in records if one.kind == "updated"]

"""Merging what several nodes say of their types and attributes (clauses 5.7.5 to 5.7.10)."""

from __future__ import annotations

from collections.abc import Iterable

from conurb.store.contract import AttributeInfo, TypeInfo


def merge_types(infos: Iterable[TypeInfo]) -> list[TypeInfo]:
    """Merge the types of several nodes, by IRI: counts add up, attributes are united."""
    merged: dict[str, TypeInfo] = {}
    for info in infos:
        known = merged.get(info.iri)
        if known is None:
            merged[info.iri] = info
            continue
        names = sorted({*known.attributes, *info.attributes})
        merged[info.iri] = TypeInfo(
            info.iri,
            known.entity_count + info.entity_count,
            {
                name: _united(known.attributes.get(name, ()), info.attributes.get(name, ()))
                for name in names
            },
        )
    return [merged[iri] for iri in sorted(merged)]


def merge_attributes(infos: Iterable[AttributeInfo]) -> list[AttributeInfo]:
    """Merge the attributes of several nodes, by IRI: counts add up, kinds and types are united."""
    merged: dict[str, AttributeInfo] = {}
    for info in infos:
        known = merged.get(info.iri)
        merged[info.iri] = (
            info
            if known is None
            else AttributeInfo(
                info.iri,
                known.count + info.count,
                _united(known.kinds, info.kinds),
                _united(known.types, info.types),
            )
        )
    return [merged[iri] for iri in sorted(merged)]


def _united(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))

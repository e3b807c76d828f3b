"""Data that is replayed or simulated says so: on every attribute of every object.

The runner marks whatever a replayed or simulated source leads to, so that no system can forget it.
The mark is a sub-attribute, `replayed` or `simulated`, true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

from conurb.model.changes import Operation
from conurb.model.entity import Attributes, Instance
from conurb.model.vocabulary import platform_terms
from conurb.systems.sources import Provenance


def marked(operations: Sequence[Operation], provenance: Provenance) -> Sequence[Operation]:
    """Mark what operations write with where it comes from; live data stays as it is."""
    if provenance == "live":
        return operations
    return [_marked(operation, _mark(provenance)) for operation in operations]


def mark_attributes(attrs: Attributes, provenance: Provenance) -> Attributes:
    """Give attributes with the mark on each instance."""
    if provenance == "live":
        return attrs
    mark = _mark(provenance)
    return {name: [{**mark, **one} for one in instances] for name, instances in attrs.items()}


@cache
def _mark(provenance: Provenance) -> Instance:
    return {platform_terms().expand(provenance): [{"type": "Property", "value": True}]}


def _marked(operation: Operation, mark: Instance) -> Operation:
    """Mark the entity or the fragment that an operation holds; one that holds none has no data."""
    if not is_dataclass(operation):
        return operation
    held: Any = operation
    names = {field.name for field in fields(held)}
    for name in ("entity", "fragment"):
        if name in names:
            part = getattr(held, name)
            attrs = {
                attribute: [{**mark, **one} for one in instances]
                for attribute, instances in part.attrs.items()
            }
            changed: Operation = replace(held, **{name: replace(part, attrs=attrs)})
            return changed
    return operation

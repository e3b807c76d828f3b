"""Checklists: questions that are answered with evidence, not with figures."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from conurb.errors import InputError
from conurb.strategy.index.tree import Definition, Names

Status: TypeAlias = Literal["met", "partly", "not met", "not assessed"]

CREDIT: Final[Mapping[str, float]] = {"met": 1.0, "partly": 0.5, "not met": 0.0}
"""What an answer counts towards the share that is met."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An answer to one question: its status, what shows it, and where that can be seen.

    `source` is a document, a URL or the id of an object of the region.
    """

    status: Status
    text: str = ""
    source: str = ""

    def __post_init__(self) -> None:
        if self.status not in (*CREDIT, "not assessed"):
            raise InputError(f"status is {self.status!r}; allowed are {[*CREDIT, 'not assessed']}")
        if self.status in ("met", "partly") and not (self.text.strip() and self.source.strip()):
            raise InputError(f"An item that is {self.status!r} needs evidence: a text and a source")


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a checklist with the answer given."""

    id: str
    name: Names
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Assessment:
    """A checklist answered for one unit.

    `share` is met / assessed, partly counting half; None when nothing was assessed. It says nothing
    of the items that weren't.
    """

    definition: Definition
    unit: str
    items: tuple[Item, ...]

    @property
    def assessed(self) -> int:
        """Count the items that were answered."""
        return sum(item.evidence.status != "not assessed" for item in self.items)

    @property
    def share(self) -> float | None:
        """Give the share of the assessed items that is met."""
        if not self.assessed:
            return None
        return sum(CREDIT.get(item.evidence.status, 0.0) for item in self.items) / self.assessed


def assess(definition: Definition, unit: str, evidence: Mapping[str, Evidence]) -> Assessment:
    """Answer a checklist for one unit; items without evidence are "not assessed".

    Raises InputError for a definition that isn't a checklist, or evidence for an item it hasn't.
    """
    if definition.kind != "checklist":
        raise InputError(f"{definition.id} is an index, not a checklist")
    known = [leaf.id for leaf in definition.leaves]
    unknown = sorted(set(evidence) - set(known))
    if unknown:
        raise InputError(f"{definition.id} has no item {unknown[0]!r}; it has {known}")
    nothing = Evidence("not assessed")
    items = tuple(
        Item(leaf.id, leaf.name, evidence.get(leaf.id, nothing)) for leaf in definition.leaves
    )
    return Assessment(definition, unit, items)


def read_evidence(path: Path | str) -> dict[str, dict[str, Evidence]]:
    """Read evidence by unit and item from a TOML file.

    [shanghai.data-security]        a table per unit and item: status, text, source

    Raises InputError that names what isn't of that shape.
    """
    try:
        document = tomllib.loads(Path(path).read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not TOML: {error}") from error
    found: dict[str, dict[str, Evidence]] = {}
    for unit, items in document.items():
        if not isinstance(items, dict):
            raise InputError(f"{path}: {unit!r} must be a table of items")
        for item, said in items.items():
            if not isinstance(said, dict) or set(said) - {"status", "text", "source"}:
                raise InputError(f"{path}: {unit}.{item} holds status, text and source alone")
            try:
                found.setdefault(unit, {})[item] = Evidence(
                    said.get("status", "not assessed"),
                    str(said.get("text", "")),
                    str(said.get("source", "")),
                )
            except InputError as error:
                raise InputError(f"{path}: {unit}.{item}: {error.detail}") from error
    return found

"""What there is of each type: how many, with which attributes, where, and of which time.

An engine measures it (`Store.survey`); from then on the journal keeps it: what comes is added,
while what goes makes no box and no time smaller until it is measured anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from conurb.model.geometry import bounds
from conurb.model.time import fixed_us
from conurb.model.vocabulary import platform_terms

if TYPE_CHECKING:
    from conurb.store.contract import Record

MARKS: Final = {name: platform_terms().expand(name) for name in ("simulated", "replayed")}
"""What an object may say of how it was made, and the sub-attribute that says so."""

SAID: Final = {name: f'"{iri}":[{{"type":"Property","value":true' for name, iri in MARKS.items()}
"""How documents as they are stored say so."""

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


@dataclass(slots=True)
class Space:
    """Where the geometries of one attribute lie, and of which GeoJSON types they are."""

    box: Box
    kinds: set[str] = field(default_factory=set)

    def add(self, other: Space) -> None:
        """Take in more of them."""
        a, b = self.box, other.box
        self.box = min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
        self.kinds |= other.kinds


@dataclass(slots=True)
class TypeSurvey:
    """What there is of one type.

    `attributes` maps the IRI of an attribute to its kinds, `spaces` that of a GeoProperty to where
    it lies. `begin_us` and `end_us` bound the times that observations speak of; None without any.
    `marks` are those of `MARKS` that one object at least has.
    """

    iri: str
    count: int = 0
    attributes: dict[str, set[str]] = field(default_factory=dict)
    spaces: dict[str, Space] = field(default_factory=dict)
    begin_us: int | None = None
    end_us: int | None = None
    marks: set[str] = field(default_factory=set)

    def add(self, other: TypeSurvey) -> None:
        """Take in what another node has of the type."""
        self.count += other.count
        self.marks |= other.marks
        for attribute, kinds in other.attributes.items():
            self.attributes.setdefault(attribute, set()).update(kinds)
        for attribute, space in other.spaces.items():
            self._add_space(attribute, space)
        self.add_time(other.begin_us)
        self.add_time(other.end_us)

    def add_time(self, at_us: int | None) -> None:
        """Take in a time that an observation speaks of."""
        if at_us is not None:
            self.begin_us = at_us if self.begin_us is None else min(self.begin_us, at_us)
            self.end_us = at_us if self.end_us is None else max(self.end_us, at_us)

    def add_instance(self, attribute: str, instance: dict[str, Any]) -> None:
        """Take in an instance of an attribute."""
        self.attributes.setdefault(attribute, set()).add(instance["type"])
        self.marks.update(_marks_of(instance))
        observed = instance.get("observedAt")
        if observed is not None:
            self.add_time(fixed_us(observed))
        if instance["type"] == "GeoProperty":
            value = instance["value"]
            self._add_space(attribute, Space(bounds(value), {value["type"]}))

    def _add_space(self, attribute: str, space: Space) -> None:
        known = self.spaces.get(attribute)
        if known is None:
            self.spaces[attribute] = Space(space.box, set(space.kinds))
        else:
            known.add(space)


Survey = dict[str, TypeSurvey]
"""What there is, by type."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What there was when the journal ended at `seq`."""

    seq: int
    survey: Survey


def _marks_of(instance: dict[str, Any]) -> Iterator[str]:
    for name, iri in MARKS.items():
        if any(one.get("value") is True for one in instance.get(iri, ())):
            yield name


def merged(surveys: Iterable[Survey]) -> Survey:
    """Put together what several nodes have."""
    whole: Survey = {}
    for survey in surveys:
        for iri, one in survey.items():
            whole.setdefault(iri, TypeSurvey(iri)).add(one)
    return whole


def take(survey: Survey, record: Record) -> None:
    """Take in an entry of the journal."""
    for iri in record.types:
        one = survey.setdefault(iri, TypeSurvey(iri))
        if record.kind == "created":
            one.count += 1
        elif record.kind == "deleted":
            one.count -= 1
        for attribute, instance in _written(record):
            one.add_instance(attribute, instance)
        if one.count <= 0:
            survey.pop(iri)


def _written(record: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    if record.after is None:
        return
    for attribute, touched in record.touched.items():
        for instance in record.after.attrs.get(attribute, ()):
            if instance.get("datasetId") in touched:
                yield attribute, instance

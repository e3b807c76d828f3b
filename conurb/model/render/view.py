"""What of an object a caller sees, and in which form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from conurb.model.context import CORE_PREFIX
from conurb.model.query.select import Projection

Representation = Literal["normalized", "concise", "simplified"]

LOCATION: Final = CORE_PREFIX + "location"
"""The GeoProperty that gives a GeoJSON feature its geometry, unless another one is named."""

DEFAULT_DATASET: Final = "@none"
"""Stands for the default instance where datasetIds are listed (clause 4.5.5)."""


@dataclass(frozen=True, slots=True)
class View:
    """What of an object is given, and how.

    `sys_attrs` adds the times that the node keeps. `lang` is a language filter (clause 4.15) such
    as `zh-CN,zh;q=0.9,*;q=0.5`. `pick` and `omit` choose among all members (clause 4.21), `attrs`
    (IRIs) among the attributes; `()` and None: no choice. `datasets` keeps these instances
    (datasetIds; `@none` is the default one), `()` all. `geometry_property` (IRI) and
    `geometry_dataset` choose the geometry of a GeoJSON feature.
    """

    representation: Representation = "normalized"
    sys_attrs: bool = False
    lang: str | None = None
    pick: tuple[Projection, ...] = ()
    omit: tuple[Projection, ...] = ()
    attrs: frozenset[str] | None = None
    datasets: tuple[str, ...] = ()
    geometry_property: str = LOCATION
    geometry_dataset: str | None = None

    @property
    def takes_all(self) -> bool:
        """Whether every member and instance is given."""
        return not (self.pick or self.omit or self.datasets or self.attrs is not None)

    def takes(self, member: str) -> bool:
        """Whether a member of the entity (`id`, `type` ... or the IRI of an attribute) is given.

        What is omitted of a linked entity leaves the relationship itself.
        """
        if self.pick and not any(one.name == member for one in self.pick):
            return False
        return not any(one.name == member and not one.inner for one in self.omit)

    def linked(self, attribute: str) -> View:
        """Give the view of the entities that an attribute links to.

        `pick` and `omit` are those nested under the attribute; `attrs` and `datasets` speak of the
        first entity only.
        """
        if self.takes_all:
            return self
        return replace(
            self,
            pick=_nested(self.pick, attribute),
            omit=_nested(self.omit, attribute),
            attrs=None,
            datasets=(),
        )


def _nested(projections: tuple[Projection, ...], attribute: str) -> tuple[Projection, ...]:
    return tuple(inner for one in projections if one.name == attribute for inner in one.inner)

"""What of an object a caller sees, and in which form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from conurb.model.context import CORE_PREFIX

Representation = Literal["normalized", "concise", "simplified"]

LOCATION: Final = CORE_PREFIX + "location"
"""The GeoProperty that gives a GeoJSON feature its geometry, unless another one is named."""

DEFAULT_DATASET: Final = "@none"
"""Stands for the default instance where datasetIds are listed (clause 4.5.5)."""


@dataclass(frozen=True, slots=True)
class Projection:
    """Members of an entity, as `pick` and `omit` name them (clause 4.21).

    `members` has entity members (`id`, `type`, `scope`, `createdAt` ...) as they are and
    attributes as IRIs. A nested projection speaks of the entity that a relationship links to;
    None means the attribute as a whole.
    """

    members: Mapping[str, Projection | None]

    def nested(self, attribute: str) -> Projection | None:
        """Give the projection of what is linked by an attribute; None when there is none."""
        return self.members.get(attribute)


@dataclass(frozen=True, slots=True)
class View:
    """What of an object is given, and how.

    `sys_attrs` adds the times that the node keeps. `lang` is a language filter (clause 4.15) such
    as `zh-CN,zh;q=0.9,*;q=0.5`. `pick` and `omit` choose among all members, `attrs` (IRIs) among
    the attributes. `datasets` keeps these instances (datasetIds; `@none` is the default one).
    `geometry_property` (IRI) and `geometry_dataset` choose the geometry of a GeoJSON feature.
    None: no choice.
    """

    representation: Representation = "normalized"
    sys_attrs: bool = False
    lang: str | None = None
    pick: Projection | None = None
    omit: Projection | None = None
    attrs: frozenset[str] | None = None
    datasets: frozenset[str] | None = None
    geometry_property: str = LOCATION
    geometry_dataset: str | None = None

    @property
    def takes_all(self) -> bool:
        """Whether every member and instance is given."""
        return self.pick is None and self.omit is None and self.attrs is None and not self.datasets

    def takes(self, member: str) -> bool:
        """Whether a member of the entity (`id`, `type` ... or the IRI of an attribute) is given."""
        if self.pick is not None and member not in self.pick.members:
            return False
        if self.omit is not None and member in self.omit.members:
            # An omitted linked member leaves the relationship itself.
            return self.omit.members[member] is not None
        return True

    def linked(self, attribute: str) -> View:
        """Give the view of the entities that an attribute links to.

        `pick` and `omit` are those nested under the attribute; `attrs` speaks of the first entity
        only.
        """
        if self.pick is None and self.omit is None and self.attrs is None:
            return self
        return replace(
            self,
            pick=self.pick.nested(attribute) if self.pick else None,
            omit=self.omit.nested(attribute) if self.omit else None,
            attrs=None,
        )

"""How strictly a document is read, and the bounds that every reader holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from conurb.model.context import Terms

ATTRIBUTES_MAX: Final = 1_000
"""Attributes of one entity, and sub-attributes of one attribute instance."""

INSTANCES_MAX: Final = 1_000
"""Instances of one attribute in one entity (told apart by datasetId)."""

SUB_ATTRIBUTE_DEPTH_MAX: Final = 8
"""Sub-attributes of sub-attributes ..."""

VALUE_DEPTH_MAX: Final = 64
"""Objects and arrays inside of each other in one value."""

TYPES_MAX: Final = 100
"""Types of one entity."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What one reading allows.

    `nulls`: the NGSI-LD Null may stand where something is to be removed (JSON null never may,
    clause 4.5.0); `deep_nulls`: inside of a compound value too, as in a merge (clause 5.5.4).
    `partial`: an attribute may leave out its value, and its type, as in a merge or a partial
    update.
    """

    terms: Terms
    nulls: bool = False
    partial: bool = False
    deep_nulls: bool = False

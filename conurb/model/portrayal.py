"""How objects of a type are shown on a map: a layer, said once by whoever owns the type.

A region pack and every system say what of theirs can be looked at; a node lists it
(`/map/layers`), and the page draws what is listed. So a new system appears on the map with no
change to the page. Names of attributes are terms of the platform's @context.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from conurb.errors import BadRequestDataError

Form = Literal["fill", "line", "circle", "choropleth"]
"""`choropleth` is a fill whose classes the reader chooses; the others take the layer's scale."""

Provenance = Literal["measured", "modelled", "replayed", "simulated"]

LANGUAGES: Final = ("en", "zh")

LAYER_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What a layer may be called: the name goes into links, so it stays."""


@dataclass(frozen=True, slots=True)
class Class:
    """One class of a scale: a value (equal to it, or from it upwards), its colour and its name."""

    value: str | float
    colour: str
    label: Mapping[str, str]

    @classmethod
    def of(cls, value: str | float, colour: str, en: str, zh: str) -> Class:
        """Make a class that is named in both languages."""
        return cls(value, colour, {"en": en, "zh": zh})


@dataclass(frozen=True, slots=True)
class Layer:
    """What of one type's objects is shown, and how.

    `type`, `geometry`, `attribute` and `label` are terms; `attributes` those worth showing first
    in a pop-up and a table, in order. `q` restricts the objects shown (clause 4.9). `classes`
    colour by `attribute`: by equality when `categorical`, else each from its value upwards; none
    means `colour`. `fresh_s` is the age from which what is shown counts as stale; None for what
    doesn't age. `provenance` is what holds of all objects, None when they are to say it
    themselves. Raises BadRequestDataError when a name, a language or a class is not as told.
    """

    id: str
    type: str
    title: Mapping[str, str]
    group: Mapping[str, str]
    form: Form
    source: str
    licence: str
    geometry: str = "location"
    attribute: str | None = None
    attributes: tuple[str, ...] = ()
    label: str | None = None
    q: str | None = None
    classes: tuple[Class, ...] = ()
    categorical: bool = False
    colour: str = "#2a6f97"
    provenance: Provenance | None = None
    fresh_s: int | None = None
    visible: bool = False
    order: int = 100
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.id, *self.aliases):
            if not LAYER_ID.fullmatch(name):
                raise BadRequestDataError(
                    f"layer id: {name!r} is not lower-case letters and digits joined by '-'"
                )
        texts = (self.title, self.group, *(one.label for one in self.classes))
        for text in texts:
            missing = [language for language in LANGUAGES if not text.get(language)]
            if missing:
                raise BadRequestDataError(
                    f"layer {self.id}: {dict(text)!r} says nothing in {', '.join(missing)}"
                )
        if self.classes and self.attribute is None:
            raise BadRequestDataError(f"layer {self.id}: classes need an attribute to go by")
        if not self.categorical:
            values = [one.value for one in self.classes]
            if any(isinstance(value, str) for value in values) or values != sorted(values):
                raise BadRequestDataError(
                    f"layer {self.id}: classes go by rising numbers unless they are categorical, "
                    f"not {values!r}"
                )


def layer_document(layer: Layer) -> dict[str, Any]:
    """Write a layer as JSON says it: the fields by their names in camelCase."""
    document: dict[str, Any] = {}
    for one in fields(layer):
        head, *rest = one.name.split("_")
        value = getattr(layer, one.name)
        if one.name == "classes":
            value = [{"value": c.value, "colour": c.colour, "label": dict(c.label)} for c in value]
        elif isinstance(value, tuple):
            value = list(value)
        elif isinstance(value, Mapping):
            value = dict(value)
        document[head + "".join(map(str.title, rest))] = value
    return document

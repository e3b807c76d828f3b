"""What every part of the report shares: the region, the words, the map that is drawn once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from conurb.strategy.report.maps import Areas, lay_out
from conurb.strategy.report.page import Section
from conurb.strategy.report.subject import Subject
from conurb.strategy.report.words import Words


@dataclass(frozen=True, slots=True)
class Asked:
    """A region to be told of in a language."""

    subject: Subject
    words: Words
    areas: Areas = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "areas", lay_out(self.subject.boundaries))

    def say(self, key: str, **values: object) -> str:
        """Give a text of the catalogue."""
        return self.words.say(key, **values)

    def name(self, unit: str) -> str:
        """Name a city."""
        return self.subject.name(unit, self.words.lang)

    def names(self) -> Mapping[str, str]:
        """Map cities to their names."""
        return {unit: self.name(unit) for unit in self.subject.panel.units}

    def listed(self, units: Sequence[str]) -> str:
        """Join names of cities."""
        return self.words.listed([self.name(one) for one in units])

    def heads(self, *keys: str) -> tuple[str, ...]:
        """Give the heads of a table."""
        return tuple(self.say(f"head.{key}") for key in keys)

    def source(self, *keys: str) -> str:
        """Name sources by their keys in the region pack, as they name themselves."""
        known = {one.key: one.title for one in self.subject.sources}
        return "; ".join(known[key] for key in keys if key in known) or self.say("page.unknown")

    def failed(self, name: str, reason: str) -> Section:
        """Give a part that couldn't be computed, with the reason in its place."""
        return Section(
            name,
            self.say(f"{name}.title", treatment=self.say("policy.pilots_title")),
            self.say("page.not_computable"),
            (self.words.carry(reason),),
        )

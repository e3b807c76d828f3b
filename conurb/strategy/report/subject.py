"""What a report is about: a region's figures with its names, borders, roles and pilots.

Figures and the pilots' years come from the objects of a region that is up, or from its pack alone
where none answers; borders, centres and the plan's roles are those of the pack either way. The
columns that the report's questions need are made here, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np

from conurb.errors import InputError
from conurb.regions.figures import Source
from conurb.regions.pack import Pack, read_pack
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.panel import Figures, Panel
from conurb.strategy.panel.objects import read_objects, read_pack_panel
from conurb.strategy.panel.transform import log, ratio

Origin: TypeAlias = Literal["region", "pack"]

CARBON: Final = "co2@edgar-v8"
CARBON_OTHER: Final = "co2@ceads"
GDP: Final = "gdpConstant2000"
GDP_NOMINAL: Final = "gdp@yearbooks-sectors"
PEOPLE: Final = "population"
SECTORS: Final = ("valueAddedPrimary", "valueAddedSecondary", "valueAddedTertiary")
INTENSITY: Final = "CO2 per GDP"
INTENSITY_OTHER: Final = "CO2 per GDP (CEADs)"
OUTCOME: Final = "ln CO2 per GDP"
OUTCOME_OTHER: Final = "ln CO2 per GDP (CEADs)"
LN_AFFLUENCE: Final = "ln GDP per person"
SERVICES: Final = "share of services"
PER_10K_CNY: Final = 1e4
PILOT_ATTRIBUTE: Final = "lowCarbonPilotYear"
TREATMENT: Final = "low-carbon pilot"

Names = Mapping[str, str]
"""Language (zh, en) to text."""


class RegionReader(Protocol):
    """Whoever gives a region's objects and their histories: a connection of `conurb.connect`."""

    def query(
        self, type: str | None = None, *, limit: int | None = None, **params: str
    ) -> list[dict[str, Any]]:
        """Give the objects that a query finds."""
        ...

    def iter_histories(
        self, type: str, attributes: Sequence[str] = (), **params: str
    ) -> Iterator[dict[str, Any]]:
        """Stream the temporal evolutions of the objects of a type, in normalized form."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """A region to be reported on.

    `panel` has the figures and the columns made of them; `pilots` the treatment; `names`,
    `boundaries` and `centres` are by unit, `roles` by role of the plan. `origin` says whether the
    figures are those of the region's objects or of its pack.
    """

    id: str
    title: Names
    panel: Panel
    pilots: Treatment
    names: Mapping[str, Names]
    boundaries: Mapping[str, Mapping[str, Any]]
    centres: Mapping[str, tuple[float, float]]
    roles: Mapping[str, tuple[str, ...]]
    sources: tuple[Source, ...]
    boundary_source: Source
    origin: Origin

    def name(self, unit: str, lang: str) -> str:
        """Give a unit's name in a language, the unit itself when it has none."""
        return self.names.get(unit, {}).get(lang, unit)

    def by_unit(self, figures: Figures) -> dict[str, float]:
        """Pair figures [N] with the panel's units."""
        return {unit: float(v) for unit, v in zip(self.panel.units, figures, strict=True)}


def read_region(
    reader: RegionReader, pack: Pack | str = "yrd", *, treatment: Treatment | None = None
) -> Subject:
    """Read a region from its objects; borders, centres and roles from its pack.

    A `treatment` takes the place of the low-carbon pilots. Errors as in `read_objects`.
    """
    known = read_pack(pack) if isinstance(pack, str) else pack
    panel = read_objects(reader)
    if treatment is None:
        cities = reader.query("City", options="keyValues", pick=f"id,type,{PILOT_ATTRIBUTE}")
        first = {
            str(one["id"]).rsplit(":", 1)[-1]: int(one[PILOT_ATTRIBUTE])
            for one in cities
            if one.get(PILOT_ATTRIBUTE)
        }
        treatment = Treatment(first, TREATMENT)
    return _subject(known, panel, treatment, "region")


def read_pack_subject(pack: Pack | str = "yrd", *, treatment: Treatment | None = None) -> Subject:
    """Read a region from its pack alone: the figures that its objects give once it is up."""
    known = read_pack(pack) if isinstance(pack, str) else pack
    facts = {one.attribute: one.values for one in known.definition.facts}
    pilots = {city: int(year) for city, year in facts.get(PILOT_ATTRIBUTE, {}).items()}
    return _subject(
        known, read_pack_panel(known), treatment or Treatment(pilots, TREATMENT), "pack"
    )


def with_outcomes(panel: Panel) -> Panel:
    """Add the columns that the report asks about, of those whose figures are there."""
    for carbon, intensity, outcome in (
        (CARBON, INTENSITY, OUTCOME),
        (CARBON_OTHER, INTENSITY_OTHER, OUTCOME_OTHER),
    ):
        if carbon in panel.columns and GDP in panel.columns:
            panel = ratio(panel, carbon, GDP, name=intensity, factor=PER_10K_CNY)
            panel = log(panel, intensity, name=outcome)
    if {GDP, PEOPLE} <= set(panel.columns):
        panel = ratio(panel, GDP, PEOPLE, name="GDP per person")
        panel = log(panel, "GDP per person", name=LN_AFFLUENCE)
    if {SECTORS[2], GDP_NOMINAL} <= set(panel.columns):
        panel = ratio(panel, SECTORS[2], GDP_NOMINAL, name=SERVICES)
    return panel


def growth_correlation(panel: Panel, column: str, other: str) -> tuple[float, int]:
    """Correlate the yearly growth (log differences) of two columns: (correlation, pairs).

    Where two inventories of one thing agree, this is near one. Raises InputError for fewer than
    three pairs.
    """
    growth = [np.diff(np.log(panel.get(name)), axis=1) for name in (column, other)]
    both = np.isfinite(growth[0]) & np.isfinite(growth[1])
    count = int(both.sum())
    if count < 3:
        raise InputError(f"{column!r} and {other!r} share {count} yearly changes; three are needed")
    return float(np.corrcoef(growth[0][both], growth[1][both])[0, 1]), count


def last_complete(panel: Panel, columns: Sequence[str]) -> int:
    """Give the last year in which every unit has every column; InputError when there is none."""
    for year in reversed(panel.years):
        t = panel.years.index(year)
        if all(np.isfinite(panel.get(name)[:, t]).all() for name in columns):
            return year
    raise InputError(f"There is no year in which every unit has all of {list(columns)}")


def _subject(pack: Pack, panel: Panel, treatment: Treatment, origin: Origin) -> Subject:
    definition = pack.definition
    kept = [city for city in pack.cities if city.id in panel.units]
    if not kept:
        raise InputError(f"None of the objects read is a city of the pack {definition.id!r}")
    chosen = panel.select(units=[city.id for city in kept])
    first = {unit: year for unit, year in treatment.first.items() if unit in chosen.units}
    here = set(chosen.units)
    sources = () if pack.sources is None else pack.sources.columns
    titles = {one.source.title: one.source for one in sources}
    said = pack.provenance
    return Subject(
        id=definition.id,
        title=definition.name,
        panel=with_outcomes(chosen),
        pilots=Treatment(first, treatment.name),
        names=_names(pack),
        boundaries={city.id: city.boundary for city in kept},
        centres={city.id: city.centre for city in kept},
        roles={
            role: tuple(one for one in cities if one in here)
            for role, cities in definition.roles.items()
        },
        sources=tuple(titles.values()),
        boundary_source=Source(
            "boundaries", str(said.get("source", "")), str(said.get("licence", ""))
        ),
        origin=origin,
    )


def _names(pack: Pack) -> dict[str, Names]:
    """Name cities shortly; those of one name with their province."""
    count = Counter(city.name["en"] for city in pack.cities)
    found: dict[str, Names] = {}
    for city in pack.cities:
        alike = count[city.name["en"]] > 1
        province = city.province["en"]
        found[city.id] = {
            "en": f"{city.name['en']} ({province})" if alike else city.name["en"],
            "zh": city.name["zh"].removesuffix("市"),
        }
    return found

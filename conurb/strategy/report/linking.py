"""The region as a network: who is linked with whom, who is the centre, what cities make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from conurb.strategy.network.centrality import Centralities, centralities
from conurb.strategy.network.classes import Classes, RoleCheck, check_roles, classify
from conurb.strategy.network.communities import Communities, communities
from conurb.strategy.network.industry import Structure, structure
from conurb.strategy.network.links import Links, geometric_mass, gravity
from conurb.strategy.network.radiation import Linkage, Radiation, linkage, radiation
from conurb.strategy.network.ranksize import RankSize, rank_size
from conurb.strategy.panel import Figures, Panel
from conurb.strategy.report.subject import GDP_NOMINAL, PEOPLE, SECTORS
from conurb.strategy.sphere import great_circle_km

YEAR: Final = 2019
"""Before the pandemic, and before the yearbooks' break of 2022."""
SEED: Final = 1
SAME: Final = {"centre": "core", "sub-centre": "sub-core", "node": "node"}
"""Roles of a plan and the classes by natural breaks that they are held against."""


@dataclass(frozen=True, slots=True)
class Linking:
    """The network by gravity of one year: `mass` [N] is the geometric mean of GDP and residents."""

    year: int
    core: str
    mass: Figures
    gdp: Figures
    links: Links
    linkage: Linkage
    reached: Radiation
    centralities: Centralities
    communities: Communities
    by_size: RoleCheck
    by_links: RoleCheck
    classes: Classes
    sizes: RankSize
    wealth: RankSize
    structure: Structure

    def strongest(self, count: int) -> list[tuple[str, str, float]]:
        """Give the strongest links as (unit, unit, strength), the strongest first."""
        rows, columns = np.triu_indices(len(self.links.units), 1)
        strength = self.links.symmetric()[rows, columns]
        order = np.argsort(-strength, kind="stable")[:count]
        units = self.links.units
        return [(units[rows[k]], units[columns[k]], float(strength[k])) for k in order]


def study_linking(
    panel: Panel,
    centres: Mapping[str, tuple[float, float]],
    roles: Mapping[str, tuple[str, ...]],
    *,
    year: int = YEAR,
    core: str | None = None,
    seed: int = SEED,
) -> Linking:
    """Ask who is linked with whom in a year; the core is the plan's centre, else the largest mass.

    Raises NotFoundError for a column, and InputError for figures, that the questions need.
    """
    chosen = panel.select(years=[year])
    gdp, people = (chosen.get_complete(name)[:, 0] for name in (GDP_NOMINAL, PEOPLE))
    mass = geometric_mass(gdp, people)
    units = chosen.units
    given = roles.get("centre", ())
    centre = core or (given[0] if given else units[int(np.argmax(mass))])
    links = gravity(units, mass=mass, apart=great_circle_km([centres[one] for one in units]))
    classes = classify(units, links.strength())
    made = np.stack([chosen.get_complete(name)[:, 0] for name in SECTORS], axis=1)
    held = {role: cities for role, cities in roles.items() if role in SAME}
    return Linking(
        year=year,
        core=centre,
        mass=mass,
        gdp=gdp,
        links=links,
        linkage=linkage(links, core=centre, mass=mass),
        reached=radiation(links, centre),
        centralities=centralities(links),
        communities=communities(links, seed=seed),
        by_size=check_roles(classify(units, gdp), held, same=SAME),
        by_links=check_roles(classes, held, same=SAME),
        classes=classes,
        sizes=rank_size(units, people),
        wealth=rank_size(units, gdp),
        structure=structure(units, SECTORS, made),
    )

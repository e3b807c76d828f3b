"""Which column plays which role: the one place where the channels' figures are named.

A channel reads roles, never column names; a table says which of its columns plays which. Where a
role has no column, or no figure, the answer is a sentence that says so, never a proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from conurb.errors import InputError, NotFoundError
from conurb.strategy.panel import Figures, Panel

ROLES: Mapping[str, str] = MappingProxyType(
    {
        "patents": "patents granted or applied for in the year",
        "population": "resident population",
        "energy": "energy use in the year",
        "output": "GDP in constant prices",
        "value added 1": "value added of the primary sector, current prices",
        "value added 2": "value added of the secondary sector, current prices",
        "value added 3": "value added of the tertiary sector, current prices",
        "employment 1": "persons employed in the primary sector",
        "employment 2": "persons employed in the secondary sector",
        "employment 3": "persons employed in the tertiary sector",
    }
)
"""Every role, with what its column holds."""

SHIPPED: Mapping[str, str] = MappingProxyType(
    {
        "population": "population_10k",
        "output": "gdp_real2000_100m_cny",
        "value added 1": "va1_100m_cny",
        "value added 2": "va2_100m_cny",
        "value added 3": "va3_100m_cny",
    }
)
"""The columns of the figures of China's cities; they carry the industry channel only."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """The answer where figures are missing: which channel or index, and the roles it lacks."""

    name: str
    roles: tuple[str, ...]

    def __str__(self) -> str:
        return f"not computable: lacks {', '.join(self.roles)}"


@dataclass(frozen=True, slots=True)
class Roles:
    """A panel with the columns that play roles in it."""

    panel: Panel
    columns: Mapping[str, str]

    def __post_init__(self) -> None:
        unknown = sorted(set(self.columns) - set(ROLES))
        if unknown:
            raise InputError(f"No role {unknown[0]!r}; there are {sorted(ROLES)}")
        for role, column in self.columns.items():
            if column not in self.panel.columns:
                raise NotFoundError(
                    f"Column {column!r} for the role {role!r} isn't in the panel; "
                    f"it has {sorted(self.panel.columns)}"
                )
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))

    def find_lacking(self, name: str, *roles: str) -> Lacking | None:
        """Find what is missing for `name`: roles without a column or without any figure."""
        lacking = tuple(role for role in roles if not self._has(role))
        return Lacking(name, lacking) if lacking else None

    def get(self, role: str) -> Figures:
        """Give the figures [N x T] of a role; NotFoundError when no column plays it."""
        if role not in self.columns:
            raise NotFoundError(f"No column plays the role {role!r} ({ROLES.get(role, 'unknown')})")
        return self.panel.get(self.columns[role])

    def _has(self, role: str) -> bool:
        return role in self.columns and not bool(np.isnan(self.get(role)).all())

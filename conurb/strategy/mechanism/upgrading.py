"""Industrial upgrading: share, rationalisation and advancement of the three sectors.

All take value added of sectors [N x T x 3] (primary, secondary, tertiary) and give [N x T], NaN
where a figure is missing. Negative figures, and a year in which all are zero, are errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from conurb.errors import InputError
from conurb.strategy.mechanism.roles import Lacking, Roles
from conurb.strategy.panel import Figures, name_cells

SECTORS = 3
VALUE_ADDED = tuple(f"value added {k}" for k in range(1, SECTORS + 1))
EMPLOYMENT = tuple(f"employment {k}" for k in range(1, SECTORS + 1))


def tertiary_share(value_added: Figures) -> Figures:
    """Give the share of the tertiary sector in value added, 0 to 1."""
    return np.asarray(_shares(value_added)[..., 2])


def tertiary_to_secondary(value_added: Figures) -> Figures:
    """Give tertiary over secondary value added, the common measure of becoming a service economy.

    Source: Gan, Zheng and Yu (2011), Economic Research Journal 46(5). NaN without a secondary
    sector.
    """
    _shares(value_added)
    below = value_added[..., 1]
    return np.asarray(
        np.divide(value_added[..., 2], below, out=np.full_like(below, np.nan), where=below > 0)
    )


def hierarchy(value_added: Figures) -> Figures:
    """Give the level of the structure, sum_k k s_k, from 1 (all primary) to 3 (all tertiary)."""
    return np.asarray(_shares(value_added) @ np.arange(1.0, SECTORS + 1))


def advancement(value_added: Figures) -> Figures:
    """Give the advancement of the structure by angles, W = sum_k sum_{j<=k} theta_j.

    theta_j is the angle between the vector of shares and the j-th of (1,0,0), (0,1,0), (0,0,1),
    from primary to tertiary; W rises as weight moves upwards. Source: Fu (2010), Statistical
    Research 27(8).
    """
    shares = _shares(value_added)
    length = np.linalg.norm(shares, axis=-1, keepdims=True)
    angles = np.arccos(np.clip(shares / length, 0.0, 1.0))
    return np.asarray(angles @ np.arange(float(SECTORS), 0.0, -1.0))


def rationalisation(value_added: Figures, employment: Figures) -> Figures:
    """Give Theil's index of mismatch, TL = sum_k (Y_k/Y) ln((Y_k/Y) / (L_k/L)); 0 is balance.

    The greater, the less do output and labour agree. Source: Gan, Zheng and Yu (2011). A sector
    without output counts 0; one with output and without labour is an error.
    """
    output, labour = _shares(value_added), _shares(employment)
    broken = (output > 0) & (labour == 0)
    if broken.any():
        i, t, k = np.argwhere(broken)[0]
        raise InputError(
            f"Sector {k + 1} of row {i}, year {t} has output and nobody employed: Theil's index "
            "is infinite"
        )
    ratio = np.divide(output, labour, out=np.ones_like(output), where=output > 0)
    return np.asarray((output * np.log(ratio)).sum(axis=-1))


INDICES: Mapping[str, tuple[tuple[str, ...], Callable[..., Figures]]] = MappingProxyType(
    {
        "tertiary share": (VALUE_ADDED, tertiary_share),
        "tertiary to secondary": (VALUE_ADDED, tertiary_to_secondary),
        "hierarchy": (VALUE_ADDED, hierarchy),
        "advancement": (VALUE_ADDED, advancement),
        "rationalisation": (VALUE_ADDED + EMPLOYMENT, rationalisation),
    }
)
"""Every index of the industry channel: the roles that it reads, and how it is made."""


def compute(name: str, roles: Roles) -> Figures | Lacking:
    """Compute one index [N x T], or say which roles it lacks."""
    if name not in INDICES:
        raise InputError(f"No index {name!r}; there are {sorted(INDICES)}")
    needed, make = INDICES[name]
    lacking = roles.find_lacking(name, *needed)
    if lacking is not None:
        return lacking
    stacks = [
        np.stack([roles.get(role) for role in needed[k : k + SECTORS]], axis=-1)
        for k in range(0, len(needed), SECTORS)
    ]
    for role in needed:
        negative = roles.get(role) < 0
        if negative.any():
            where = name_cells(roles.panel.units, roles.panel.years, negative)
            raise InputError(f"{role} is negative for {where}")
    return make(*stacks)


def _shares(figures: Figures) -> Figures:
    if figures.shape[-1] != SECTORS:
        raise InputError(f"There are {SECTORS} sectors, not {figures.shape[-1]}")
    if (figures < 0).any():
        raise InputError("A sector's figure is negative")
    totals = figures.sum(axis=-1, keepdims=True)
    if (totals == 0).any():
        raise InputError("All sectors are zero in some unit and year")
    return np.asarray(figures / totals)

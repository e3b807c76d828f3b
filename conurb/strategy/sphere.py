"""Distances between points on the sphere, for neighbours and for links between cities."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from conurb.errors import InputError
from conurb.model.geometry import EARTH_RADIUS_M
from conurb.strategy.panel import Figures

M_PER_KM: Final = 1000.0


def great_circle_km(points: ArrayLike) -> Figures:
    """Give the distances [N x N] in km between points, on the sphere that geometry uses."""
    degrees = np.asarray(points, dtype=np.float64)
    if degrees.ndim != 2 or degrees.shape[1] != 2 or not np.isfinite(degrees).all():
        raise InputError(f"Points must be finite [N x 2] longitude, latitude, not {degrees.shape}")
    if (np.abs(degrees) > (180.0, 90.0)).any():
        raise InputError("Points must be longitude and latitude in degrees (WGS84), in that order")
    lam, phi = np.radians(degrees).T
    half_phi = np.sin((phi[:, None] - phi) / 2) ** 2
    half_lam = np.sin((lam[:, None] - lam) / 2) ** 2
    h = half_phi + np.cos(phi)[:, None] * np.cos(phi) * half_lam
    km: Figures = 2 * EARTH_RADIUS_M / M_PER_KM * np.arcsin(np.sqrt(np.clip(h, 0.0, 1.0)))
    return km

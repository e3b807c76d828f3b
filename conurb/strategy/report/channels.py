"""The three channels of a policy, on whatever figures there are: the region's, and the user's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.mechanism.channels import Finding, run_channels
from conurb.strategy.mechanism.roles import Roles
from conurb.strategy.panel import Panel
from conurb.strategy.report.policy import SEED, YEARS
from conurb.strategy.report.subject import GDP, OUTCOME, PEOPLE, SECTORS
from conurb.strategy.warning import StrategyWarning

ROLES: Final[Mapping[str, str]] = {
    "population": PEOPLE,
    "output": GDP,
    "value added 1": SECTORS[0],
    "value added 2": SECTORS[1],
    "value added 3": SECTORS[2],
}
"""The roles that a region's own columns play; patents, energy and employment are the user's."""


def study_channels(
    panel: Panel,
    treatment: Treatment,
    *,
    outcome: str = OUTCOME,
    roles: Mapping[str, str] | None = None,
    years: Sequence[int] | None = YEARS,
    seed: int = SEED,
) -> tuple[Finding, ...]:
    """Run every mediator of every channel; `roles` adds columns of the user's to the region's.

    What lacks a role answers that it does. Errors as in `run_channels`.
    """
    chosen = panel
    if years is not None:
        chosen = panel.select(years=[year for year in panel.years if year in set(years)])
    held = {role: name for role, name in ROLES.items() if name in panel.columns}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        return run_channels(
            Roles(chosen, {**held, **(roles or {})}),
            outcome=outcome,
            status=treatment.status(chosen),
            generator=np.random.default_rng(seed),
        )

"""The three channels, run on whatever a table has: innovation, industry, energy.

Each channel is a set of mediators made from roles. One that lacks a role answers "not computable:
lacks X", so that a report shows what was not asked as well as what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from conurb.errors import InputError
from conurb.strategy.mechanism import upgrading
from conurb.strategy.mechanism.mediation import DRAWS, Mediation, mediate
from conurb.strategy.mechanism.roles import Lacking, Roles
from conurb.strategy.panel import Figures, name_cells


@dataclass(frozen=True, slots=True)
class Finding:
    """What one mediator of one channel shows: a mediation, or what it lacks, or why it failed."""

    channel: str
    mediator: str
    answer: Mediation | Lacking | str

    def __str__(self) -> str:
        if not isinstance(self.answer, Mediation):
            return f"{self.channel}, {self.mediator}: {self.answer}"
        a, through = self.answer.on_mediator, self.answer.indirect
        return (
            f"{self.channel}, {self.mediator}: on mediator {a.coefficient:.4g} "
            f"({a.standard_error:.2g}), through it {through[0]:.4g} "
            f"[{through[1]:.4g}, {through[2]:.4g}]"
        )


def patents_per_head(roles: Roles) -> Figures | Lacking:
    """Give log(1 + patents per unit of population), population in whatever the table counts it."""
    lacking = roles.find_lacking("patents per head", "patents", "population")
    if lacking is not None:
        return lacking
    ratio = _ratio(roles, "patents", "population", positive=False)
    return np.asarray(np.log1p(ratio))


def energy_intensity(roles: Roles) -> Figures | Lacking:
    """Give log(energy / output)."""
    lacking = roles.find_lacking("energy intensity", "energy", "output")
    if lacking is not None:
        return lacking
    return np.asarray(np.log(_ratio(roles, "energy", "output", positive=True)))


CHANNELS: Mapping[str, Mapping[str, Callable[[Roles], Figures | Lacking]]] = MappingProxyType(
    {
        "innovation": MappingProxyType({"patents per head": patents_per_head}),
        "industry": MappingProxyType(
            {name: partial(upgrading.compute, name) for name in upgrading.INDICES}
        ),
        "energy": MappingProxyType({"energy intensity": energy_intensity}),
    }
)
"""Every channel with its mediators, each made from roles."""


def run_channels(
    roles: Roles,
    *,
    outcome: str,
    status: Figures,
    generator: np.random.Generator,
    covariates: Sequence[str] = (),
    draws: int = DRAWS,
    level: float = 0.95,
) -> tuple[Finding, ...]:
    """Run every mediator of every channel on one outcome and treatment status [N x T].

    What can't be computed is a finding too, with the reason.
    """
    findings = []
    for channel, mediators in CHANNELS.items():
        for name, make in mediators.items():
            answer: Mediation | Lacking | str
            try:
                made = make(roles)
                answer = (
                    made
                    if isinstance(made, Lacking)
                    else mediate(
                        roles.panel.with_columns({name: made}),
                        outcome=outcome,
                        mediator=name,
                        status=status,
                        generator=generator,
                        covariates=covariates,
                        draws=draws,
                        level=level,
                    )
                )
            except InputError as error:
                answer = f"not computable: {error.detail}"
            findings.append(Finding(channel, name, answer))
    return tuple(findings)


def _ratio(roles: Roles, above: str, below: str, *, positive: bool) -> Figures:
    """Divide two roles; figures that a logarithm can't take are errors that name the cells."""
    top, bottom = roles.get(above), roles.get(below)
    for role, wrong in ((above, top <= 0 if positive else top < 0), (below, bottom <= 0)):
        if wrong.any():
            where = name_cells(roles.panel.units, roles.panel.years, wrong)
            raise InputError(f"{role} isn't positive for {where}")
    return np.asarray(top / bottom)

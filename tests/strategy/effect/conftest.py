"""The textbook panel of counties and minimum wages, where it is there."""

from __future__ import annotations

import pytest

from conurb.strategy.effect.study import Study
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.panel import Panel
from tests.strategy.effect.designs import shared


@pytest.fixture(scope="session")
def counties() -> tuple[Panel, Treatment]:
    path = shared("reference/mpdta.csv")
    panel = Panel.from_csv(path, unit="countyreal", time="year")
    return panel, Treatment.from_column(panel, "first.treat", name="minimum wage")


@pytest.fixture(scope="session")
def employment(counties: tuple[Panel, Treatment]) -> Study:
    return Study.of(counties[0], "lemp", counties[1])


@pytest.fixture(scope="session")
def employment_by_population(counties: tuple[Panel, Treatment]) -> Study:
    return Study.of(counties[0], "lemp", counties[1], covariates=["lpop"])

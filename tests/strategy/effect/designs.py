"""Made-up designs with a known effect, and the way to data that may not be here."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from conurb.strategy.effect.study import Study
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.panel import Panel
from conurb.strategy.warning import StrategyWarning

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def shared(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"shared data isn't here: {name}")
    return path


def made_up(
    seed: int = 0,
    *,
    sizes: tuple[tuple[int | None, int], ...] = ((2004, 12), (2006, 15), (None, 25)),
    effect: float = 0.5,
    noise: float = 0.1,
    years: range = range(2000, 2010),
) -> tuple[Panel, Treatment]:
    """Make units by cohort (first year, how many) with a constant effect and parallel trends."""
    rng = np.random.default_rng(seed)
    first = [year for year, size in sizes for _ in range(size)]
    units = tuple(f"u{i:03}" for i in range(len(first)))
    n, t = len(units), len(years)
    x = rng.normal(size=(n, 1)) + 0.3 * rng.normal(size=(n, t))
    status = np.array([[f is not None and y >= f for y in years] for f in first])
    y = rng.normal(size=(n, 1)) + np.linspace(0, 1, t) + effect * status
    y = y + noise * rng.normal(size=(n, t))
    panel = Panel(units, tuple(years), {"y": y, "x": x, "status": status.astype(float)})
    return panel, Treatment({u: f for u, f in zip(units, first, strict=True) if f is not None})


def study_of(
    panel: Panel, treatment: Treatment, *, covariates: tuple[str, ...] = (), outcome: str = "y"
) -> Study:
    """Line up without the doubts that small made-up designs rightly raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StrategyWarning)
        return Study.of(panel, outcome, treatment, covariates=covariates)

"""Placebos in one pass against a loop of fits; Callaway-Sant'Anna on 100,000 units x 10 years.

The loop fits every draw on its own, by the estimator that this project itself uses for one
regression (not a slow one made up to lose against); both give the same coefficients and clustered
errors, which is checked. Callaway-Sant'Anna is set against reading the same figures once per
cohort and year, the least that any implementation must do. Where pyfixest and diff-diff (with
pandas) are installed beside, both are also set against these; they are no dependencies.

    python bench/bench_strategy_effect.py [--draws 500] [--units 100000]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

# One thread for both sides: small products lose to threads that wait for a busy second core.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from conurb.strategy.effect import callaway, placebo
from conurb.strategy.effect.reassign import Reassignment
from conurb.strategy.effect.study import Study
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.effect.twfe import twfe
from conurb.strategy.panel import Panel

RUNS = 5
PEER_FITS = 20
CITIES, YEARS = 295, 17
"""The panel of China's cities, 2003 to 2019."""
COHORTS = (0.15, 0.08, 0.09)
"""Shares of cities that began in the three rounds of pilots."""


def design(units: int, years: int, *, seed: int = 0) -> Study:
    """Make a staggered panel of noise with three cohorts."""
    rng = np.random.default_rng(seed)
    names = tuple(f"u{i}" for i in range(units))
    starts = (2000 + years // 3, 2000 + years // 2, 2000 + 2 * years // 3)
    bounds = np.cumsum([int(share * units) for share in COHORTS])
    cohort = np.searchsorted(bounds, np.arange(units), side="right")
    first = {n: starts[c] for n, c in zip(names, cohort, strict=True) if c < len(starts)}
    figures = rng.normal(size=(units, 1)) + rng.normal(size=(units, years))
    panel = Panel(names, tuple(range(2000, 2000 + years)), {"y": figures})
    return Study.of(panel, "y", Treatment(first))


def median_s(run: Callable[[], object], runs: int = RUNS) -> float:
    """Give the median seconds of some runs."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def bench_placebo(draws: int) -> None:
    """Compare the pass with the loop, on the same draws."""
    study = design(CITIES, YEARS)
    rng = np.random.default_rng(1)
    treated = np.flatnonzero(~study.never)
    units = np.stack(
        [rng.choice(len(study.units), len(treated), replace=False) for _ in range(draws)]
    )
    starts = np.broadcast_to(study.first[treated], units.shape)

    def together() -> tuple[np.ndarray, np.ndarray]:
        return Reassignment.of(study).estimates(units, starts)

    def one_by_one() -> list[tuple[float, float]]:
        found = []
        for row, start in zip(units, starts, strict=True):
            first = np.full(len(study.units), len(study.years))
            first[row] = start
            fit = twfe(replace(study, first=first))
            found.append((fit.estimate, fit.standard_error))
        return found

    values, errors = together()
    singles = np.array(one_by_one())
    gap = max(np.abs(values - singles[:, 0]).max(), np.abs(errors - singles[:, 1]).max())
    fast, slow = median_s(together), median_s(one_by_one, 3)
    print(
        f"{draws} placebo draws on {CITIES} x {YEARS}, coefficient and clustered error: one pass "
        f"{fast * 1e3:.1f} ms, loop of fits {slow * 1e3:.0f} ms, ratio {slow / fast:.0f} x "
        f"(largest difference {gap:.1e})"
    )
    plain = median_s(
        lambda: placebo.in_space(study, generator=np.random.default_rng(0), draws=draws)
    )
    print(f"placebo in space with its drawing: {plain * 1e3:.1f} ms, ratio {slow / plain:.0f} x")
    peer_placebo(study, draws, plain)


def peer_placebo(study: Study, draws: int, pass_s: float) -> None:
    """Set a loop of pyfixest's fits against the pass, by the time of some of its fits."""
    try:
        import pandas as pd
        import pyfixest
    except ImportError:
        print("pyfixest isn't installed: no ratio against it")
        return
    frame = pd.DataFrame(long_rows(study))
    formula, errors = "outcome ~ status | unit + year", {"CRV1": "unit"}
    pyfixest.feols(formula, frame, vcov=errors)
    each_s = median_s(lambda: pyfixest.feols(formula, frame, vcov=errors), PEER_FITS)
    print(
        f"pyfixest {pyfixest.__version__}: {each_s * 1e3:.1f} ms a fit, {draws} of them "
        f"{each_s * draws:.1f} s, ratio {each_s * draws / pass_s:.0f} x"
    )


def peer_callaway(study: Study, ours_s: float) -> None:
    """Set diff-diff's Callaway-Sant'Anna with all averages against ours."""
    try:
        import diff_diff
        import pandas as pd
    except ImportError:
        print("diff-diff isn't installed: no ratio against it")
        return
    frame = pd.DataFrame(long_rows(study))

    def theirs() -> None:
        diff_diff.CallawaySantAnna().fit(
            frame, outcome="outcome", unit="unit", time="year", first_treat="first", aggregate="all"
        )

    peer_s = median_s(theirs, 3)
    print(
        f"diff-diff {diff_diff.__version__}: {peer_s * 1e3:.0f} ms, ratio {peer_s / ours_s:.1f} x"
    )


def long_rows(study: Study) -> dict[str, np.ndarray]:
    """Give a study as long columns, never treated as 0."""
    n, t = study.outcome.shape
    years = np.array(study.years)
    first = np.where(study.never, 0, years[np.minimum(study.first, t - 1)])
    return {
        "unit": np.repeat(np.arange(n), t),
        "year": np.tile(years, n),
        "outcome": study.outcome.ravel(),
        "status": study.status.ravel().astype(int),
        "first": np.repeat(first, t),
    }


def bench_callaway(units: int) -> None:
    """Time every ATT(g,t) with errors and all four averages."""
    study = design(units, 10)

    def whole() -> None:
        effects = callaway.group_times(study)
        for average in (
            callaway.simple,
            callaway.dynamic,
            callaway.by_group,
            callaway.by_calendar,
        ):
            average(effects)

    def read() -> None:
        for g in study.cohorts:
            used = (study.first == g) | study.never
            for t in range(1, len(study.years)):
                change = study.outcome[used, t] - study.outcome[used, t - 1]
                change.mean()

    all_s, att_s = median_s(whole, 3), median_s(lambda: callaway.group_times(study), 3)
    read_s = median_s(read, 3)
    print(
        f"Callaway-Sant'Anna on {units} x 10: ATT(g,t) {att_s * 1e3:.0f} ms, with four averages "
        f"and errors {all_s * 1e3:.0f} ms; reading the figures alone {read_s * 1e3:.0f} ms, "
        f"ratio {all_s / read_s:.1f} x"
    )
    peer_callaway(study, all_s)


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--units", type=int, default=100_000)
    given = parser.parse_args()
    bench_placebo(given.draws)
    bench_callaway(given.units)


if __name__ == "__main__":
    main()

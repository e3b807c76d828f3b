"""The samples of a measurement, read from the site's history. Needs numpy (extra `monitoring`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from conurb.errors import TooComplexQueryError
from conurb.model.query.tree import Query, Selector, TemporalQuery, TimeWindow
from conurb.systems.contract import OWN, Site
from conurb.systems.monitoring.samples import Samples, aligned, of_one
from conurb.systems.monitoring.sensorthings.mapping import NUMBER, iri

if TYPE_CHECKING:
    from conurb.store.contract import EvolutionPage

PAGE: Final = 100_000
"""Samples that are read at once."""

SAMPLES_MAX: Final = 500_000
"""Samples of one measurement that are looked at together."""


async def load_samples(
    site: Site,
    measurement: str,
    *,
    last: int | None = None,
    begin_us: int | None = None,
    end_us: int | None = None,
) -> Samples:
    """Load a measurement's numbers in order of time: the `last` ones, or those in a window.

    Both ends of the window are included. Only numbers with a time are samples. Raises
    TooComplexQueryError when there are over `SAMPLES_MAX`.
    """
    found: dict[int, float] = {}
    while True:
        page = await _page(site, measurement, last=last, begin_us=begin_us, end_us=end_us)
        for evolution in page.evolutions:
            for one in evolution.instances.get(iri(NUMBER), ()):
                value = (one.instance or {}).get("value")
                if isinstance(value, int | float) and not isinstance(value, bool):
                    found[one.at_us] = float(value)
        if len(found) > SAMPLES_MAX:
            raise TooComplexQueryError(
                f"{measurement}: over {SAMPLES_MAX} numbers; ask for a shorter time (from, to)"
            )
        if page.truncated_at_us is None or last is not None:
            break
        begin_us = page.truncated_at_us + 1
    times = np.array(sorted(found), dtype=np.int64)
    values = np.array([found[at_us] for at_us in times.tolist()], dtype=np.float64)
    return of_one(times, values, measurement.rsplit(":", 1)[-1])


async def _page(
    site: Site,
    measurement: str,
    *,
    last: int | None,
    begin_us: int | None,
    end_us: int | None,
) -> EvolutionPage:
    """Read the history of a measurement in a window, from its begin on as far as a page goes."""
    window = TimeWindow()
    if begin_us is not None and end_us is not None:
        window = TimeWindow(relation="between", at_us=begin_us, end_us=end_us + 1)
    elif begin_us is not None:
        window = TimeWindow(relation="after", at_us=begin_us)
    elif end_us is not None:
        window = TimeWindow(relation="before", at_us=end_us + 1)
    query = TemporalQuery(
        Query((Selector(ids=(measurement,)),), limit=1),
        window=window,
        attributes=(iri(NUMBER),),
        last_n=last,
        instance_limit=PAGE,
    )
    return await site.node.temporal.query(OWN, query)


async def load_many(
    site: Site,
    measurements: tuple[str, ...],
    *,
    last: int | None = None,
    begin_us: int | None = None,
    end_us: int | None = None,
) -> Samples:
    """Load several measurements at the times that all of them have."""
    parts = [
        await load_samples(site, one, last=last, begin_us=begin_us, end_us=end_us)
        for one in measurements
    ]
    return parts[0] if len(parts) == 1 else aligned(parts)

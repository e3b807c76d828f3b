"""The samples of a measurement, read from the site's history. Needs numpy (extra `monitoring`)."""

from __future__ import annotations

from typing import Final

import numpy as np

from conurb.model.query.tree import Query, Selector, TemporalQuery, TimeWindow
from conurb.systems.contract import OWN, Site
from conurb.systems.monitoring.samples import Samples, aligned, of_one
from conurb.systems.monitoring.sensorthings.mapping import NUMBER, iri

SAMPLES_MAX: Final = 100_000


async def load_samples(
    site: Site,
    measurement: str,
    *,
    last: int | None = None,
    begin_us: int | None = None,
    end_us: int | None = None,
) -> Samples:
    """Load a measurement's numbers in order of time: the `last` ones, or those in a window.

    Both ends of the window are included. Only numbers with a time are samples.
    """
    window = TimeWindow()
    if begin_us is not None and end_us is not None:
        window = TimeWindow(relation="between", at_us=begin_us, end_us=end_us + 1)
    elif begin_us is not None:
        window = TimeWindow(relation="after", at_us=begin_us)
    elif end_us is not None:
        window = TimeWindow(relation="before", at_us=end_us + 1)
    attribute = iri(NUMBER)
    query = TemporalQuery(
        Query((Selector(ids=(measurement,)),), limit=1),
        window=window,
        attributes=(attribute,),
        last_n=last,
        instance_limit=SAMPLES_MAX,
    )
    page = await site.node.temporal.query(OWN, query)
    times: list[int] = []
    values: list[float] = []
    for evolution in page.evolutions:
        for one in evolution.instances.get(attribute, ()):
            value = (one.instance or {}).get("value")
            if isinstance(value, int | float) and not isinstance(value, bool):
                times.append(one.at_us)
                values.append(float(value))
    order = np.argsort(np.array(times, dtype=np.int64), kind="stable")
    name = measurement.rsplit(":", 1)[-1]
    return of_one(
        np.array(times, dtype=np.int64)[order], np.array(values, dtype=np.float64)[order], name
    )


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

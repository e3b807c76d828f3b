"""Let alerts expire: what is active and whose time is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from conurb.model.query.tree import Moment
from conurb.model.time import shown_us
from conurb.systems.warnings.objects import TYPE, Held
from conurb.systems.warnings.querying import compare, own_objects, query_of
from conurb.systems.warnings.receiving import append

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.systems.contract import Site


async def expire(site: Site, due_us: int) -> Sequence[Operation]:
    """Give the operations that let alerts expire whose time was over at a time."""
    query = query_of(
        TYPE,
        compare("alertState", "==", "active"),
        compare("validTo", "<", Moment(shown_us(due_us), due_us)),
    )
    ended = [Held(entity) for entity in await own_objects(site, query)]
    return [
        append(
            held.id,
            {"alertState": "expired"},
            held.provenance,
            at_us=held.time_us("validTo") or due_us,
        )
        for held in ended
        if held.text("capDocument")
    ]

"""Let alerts expire: what is active and whose time is over, unless an alarm behind it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from conurb.model.query.tree import Moment
from conurb.model.time import shown_us
from conurb.systems.warnings.alarms import RENEW_AHEAD_S, renew
from conurb.systems.warnings.events import US_PER_S
from conurb.systems.warnings.objects import TYPE, Held
from conurb.systems.warnings.querying import compare, own_objects, query_of
from conurb.systems.warnings.receiving import append

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.systems.contract import Site
    from conurb.systems.warnings.lifecycle import Known


async def expire(site: Site, due_us: int) -> Sequence[Operation]:
    """Give the operations that let alerts expire whose time was over at a time.

    An alert about an alarm that goes on is renewed shortly before.
    """
    soon_us = due_us + RENEW_AHEAD_S * US_PER_S
    query = query_of(
        TYPE,
        compare("alertState", "==", "active"),
        compare("validTo", "<", Moment(shown_us(soon_us), soon_us)),
    )
    operations: list[Operation] = []
    among: dict[str, Known] = {}
    for held in map(Held, await own_objects(site, query)):
        if not held.text("capDocument"):
            continue
        renewed: Sequence[Operation] = ()
        if held.find("refAlarm") is not None:
            renewed = await renew(held, site, due_us, among)
            operations += renewed
        end_us = held.time_us("validTo") or due_us
        if not renewed and end_us < due_us:
            state = {"alertState": "expired"}
            operations.append(append(held.id, state, held.provenance, at_us=end_us))
    return operations

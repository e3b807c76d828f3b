"""Telling the maker of a snapshot how it stands (SnapshotNotification, clauses 5.16.6, 5.3.4).

It is sent to the snapshot's endpoint when its filling has ended and after every change of its
status, once: whoever misses it can ask for the status.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import orjson

from conurb.errors import ConurbError
from conurb.model.endpoint import Endpoint
from conurb.model.time import Clock, shown_us
from conurb.node.delivery import Delivery
from conurb.node.message import Message
from conurb.node.snapshot import Detail, Snapshot

_log = logging.getLogger(__name__)


class SnapshotNotices:
    """Sends the notices of one tenant's snapshots."""

    def __init__(
        self,
        delivery: Delivery,
        clock: Clock,
        *,
        tenant: str | None,
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self._delivery = delivery
        self._clock = clock
        self._tenant = tenant
        self._new_id = new_id

    async def send(self, snapshot: Snapshot) -> None:
        """Tell a snapshot's endpoint of its status, if it has one."""
        if snapshot.endpoint is None:
            return
        pairs = tuple((pair["key"], pair["value"]) for pair in snapshot.receiver_info)
        message = Message(
            Endpoint(snapshot.endpoint, receiver_info=pairs),
            orjson.dumps(self._document(snapshot)),
            "application/json",
            tenant=self._tenant,
        )
        try:
            outcome = await self._delivery.send(message)
        except ConurbError as error:
            _log.warning("snapshot %s: %s", snapshot.id, error.detail)
            return
        if not outcome.ok:
            _log.warning("snapshot %s: not told: %s", snapshot.id, outcome.detail)

    def _document(self, snapshot: Snapshot) -> dict[str, Any]:
        document: dict[str, Any] = {
            "id": f"urn:ngsi-ld:SnapshotNotification:{self._new_id()}",
            "type": "SnapshotNotification",
            "snapshotId": snapshot.id,
            "notifiedAt": shown_us(self._clock()),
            "snapshotStatus": snapshot.status,
            "expiresAt": shown_us(snapshot.expires_us),
        }
        if snapshot.details:
            document["snapshotQueriesDetails"] = [_detail(one) for one in snapshot.details]
        if snapshot.temporal_details:
            # Clause 5.3.4 calls it so, other than clause 5.2.41.
            document["temporalSnapshotQueriesDetails"] = [
                _detail(one) for one in snapshot.temporal_details
            ]
        return document


def _detail(detail: Detail) -> dict[str, Any]:
    document: dict[str, Any] = {"resultStatus": detail.status}
    if detail.error is not None:
        document["problemDetails"] = {"title": detail.error, "detail": detail.detail}
    return document

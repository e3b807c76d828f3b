"""Where messages come from by themselves: feeds that are polled, a folder that is watched.

Options of the system: `feeds` (URLs of CAP messages, envelopes or Atom feeds with the messages in
them) and `folder` (files of the same). An entry of a feed that only links to its message is left
out: what is behind the link can be polled itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from conurb.systems.contract import Connector, FileWatch, HttpPoll, Message, Site
from conurb.systems.warnings.cap.atom import FEED_BYTES_MAX
from conurb.systems.warnings.receiving import messages_in, receive_all

if TYPE_CHECKING:
    from conurb.model.changes import Operation


def connectors(site: Site) -> Sequence[Connector]:
    """Give the connectors that a site's options ask for."""
    found: list[Connector] = []
    for number, url in enumerate(site.options.get("feeds", ()), 1):
        source = HttpPoll(str(url), bytes_max=FEED_BYTES_MAX)
        found.append(Connector(f"feed-{number}", source, read_messages, batch_max=1))
    folder = site.options.get("folder")
    if folder:
        watched = FileWatch(Path(str(folder)), bytes_max=FEED_BYTES_MAX)
        found.append(Connector("folder", watched, read_messages, batch_max=1))
    return found


async def read_messages(message: Message, site: Site) -> Sequence[Operation]:
    """Turn a document into the operations of all its messages.

    One message that is refused doesn't stop the others; when all are, the first error is raised.
    """
    documents = messages_in(message.body)
    receipts, errors = await receive_all(documents, site, provenance=message.provenance)
    if errors and not receipts:
        raise errors[0]
    return [one for receipt in receipts for one in receipt.operations]

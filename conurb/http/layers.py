"""Which layers a node declares, before there is any object of them: its region's, its systems'.

The map lists them, search finds them, and their types are collections of the OGC APIs, empty ones
until something is written.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conurb.http.systems import system_layers
from conurb.model.portrayal import layer_document
from conurb.regions.layers import KIND as PORTRAYAL

if TYPE_CHECKING:
    from conurb.node.node import Node


@dataclass(slots=True)
class Declared:
    """What is said of the region, and the layers as documents."""

    region: dict[str, Any] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)

    @property
    def types(self) -> set[str]:
        """Give the types of the layers' objects, as terms."""
        return {one["type"] for one in self.layers}


async def declared_at(node: Node) -> Declared:
    """Give what a node declares; the caller may change it."""
    found = Declared()
    for stored in await node.store.list_documents(PORTRAYAL):
        found.region |= stored.body["region"]
        found.layers += [dict(one) for one in stored.body["layers"]]
    found.layers += [layer_document(one) for one in system_layers(node)]
    return found

"""One node: the objects of one tenant, and everything that can be done with them.

The facade that the protocols (`conurb.http`, the command line, a region) call. It only holds the
parts together: `provide` writes, `consume` reads, `temporal` does both to history, `entity_maps`
and `snapshots` keep what queries found, `subscriptions` tells of what changes. Every method of a
part takes the caller first, arguments in internal form (IRIs, `Entity`, `Fragment`, `Query`), and
gives internal form back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from conurb.access.outbound import Outbound
from conurb.model.time import Clock, system_clock
from conurb.node.bounds import Bounds
from conurb.node.consume import Consumption
from conurb.node.delivery import Delivery
from conurb.node.entity_maps import EntityMaps
from conurb.node.expiry import Reaper
from conurb.node.inventory import Inventory
from conurb.node.provide import Provision
from conurb.node.pruning import JournalKeeper
from conurb.node.snapshot_notice import SnapshotNotices
from conurb.node.snapshots import NoRooms, Rooms, Snapshots
from conurb.node.subscriptions import Subscriptions
from conurb.node.temporal import Temporal
from conurb.node.tiles import Tiles

if TYPE_CHECKING:
    from conurb.node.contexts import Contexts
    from conurb.store.contract import Store


class Companion(Protocol):
    """What other rooms wire to a node: it runs while the node is open."""

    async def open(self) -> None:
        """Start; the node's own parts are open."""
        ...

    async def close(self) -> None:
        """Stop; the node's own parts are open still."""
        ...


class Node:
    """One tenant of a process: identity, store and parts.

    `id` is the permanent id of the node, the same for all of its tenants; `tenant` is None for the
    default tenant. `contexts` are the @contexts that the process knows, `rooms` where the stores of
    its snapshots stand (None: this node takes no snapshots), `delivery` sends its notifications
    (by default to the same machine only). `companions` are opened and closed with it.
    """

    def __init__(
        self,
        *,
        node_id: str,
        tenant: str | None,
        store: Store,
        contexts: Contexts,
        delivery: Delivery | None = None,
        clock: Clock = system_clock,
        bounds: Bounds | None = None,
        rooms: Rooms | None = None,
    ) -> None:
        self.id = node_id
        self.tenant = tenant
        self.store = store
        self.contexts = contexts
        self.clock = clock
        self.bounds = bounds or Bounds()
        self.provide = Provision(store, self.bounds)
        self.consume = Consumption(store, self.bounds)
        self.temporal = Temporal(store, self.bounds)
        self.tiles = Tiles(store)
        self.inventory = Inventory(store, clock)
        self.entity_maps = EntityMaps(store, self.consume, self.bounds, clock)
        self.delivery = delivery or Delivery(Outbound(("loopback",)))
        self.companions: list[Companion] = []
        notices = SnapshotNotices(self.delivery, clock, tenant=tenant)
        self.snapshots = Snapshots(
            store, rooms or NoRooms(), self.bounds, clock, announce=notices.send
        )
        self.subscriptions = Subscriptions(
            store,
            contexts,
            self.delivery,
            clock=clock,
            tenant=tenant,
            join_entities_max=self.bounds.join_entities_max,
        )
        keeper = JournalKeeper(store, clock, keep_s=self.bounds.journal_keep_s)
        self.reaper = Reaper(store, also=(self.snapshots.sweep, keeper.sweep))

    async def open(self) -> None:
        """Open the store and start what runs by itself; raise UnavailableError when it can't."""
        await self.store.open()
        await self.snapshots.open()
        await self.subscriptions.open()
        for companion in self.companions:
            await companion.open()
        self.reaper.start()

    async def close(self) -> None:
        """Stop what runs by itself, finish what was accepted, and let go of everything."""
        await self.reaper.stop()
        await self.inventory.close()
        for companion in reversed(self.companions):
            await companion.close()
        await self.subscriptions.close()
        await self.snapshots.close()
        await self.store.close()

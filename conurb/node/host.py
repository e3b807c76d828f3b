"""The tenants of one process: nodes that share an id, @contexts and a shelf for their stores.

A tenant comes into being with the first write to it (clause 4.14); a read of one that isn't there
raises NonexistentTenantError. The default tenant's store knows which others there are. The stores
of snapshots stand on the same shelf.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol

from conurb.access.caller import Caller
from conurb.access.outbound import Outbound
from conurb.errors import BadRequestDataError, NonexistentTenantError, UnavailableError
from conurb.model.time import Clock, system_clock
from conurb.node.bounds import Bounds
from conurb.node.delivery import Delivery
from conurb.node.node import Node
from conurb.store.contract import Document

if TYPE_CHECKING:
    from conurb.node.contexts import Contexts
    from conurb.store.contract import Store

TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", re.ASCII)
"""What a tenant may be called."""

KIND: Final = "tenant"
IDENTITY: Final = "node-identity"
ID_BYTES: Final = 6
"""Random bytes of an id that a node makes itself: enough for no two of a million to be the same."""

OPENING_MAX: Final = 8
"""How many stores are opened at a time."""


def place_of(tenant: str | None) -> str | None:
    """Give the place on the shelf where a tenant's store stands."""
    return None if tenant is None else f"tenant-{tenant}"


class Stores(Protocol):
    """Where stores stand (`conurb.node.shelf.Shelf`)."""

    def store(self, place: str | None) -> Store:
        """Give the store of a place, not yet opened."""
        ...

    async def drop(self, place: str) -> None:
        """Take the store of a place away for good."""
        ...


class Host:
    """The nodes of one process by tenant.

    `node_id` None is the permanent id that the default tenant's store keeps, made when it is opened
    for the first time; until then `id` is empty. `delivery` sends the notifications of all of them
    and is closed with the host; by default to the same machine only. `prepare` is called with each
    node before it is opened, to wire what a process adds; what that holds is let go of by
    `release`, after the nodes have been closed.
    """

    def __init__(
        self,
        stores: Stores,
        *,
        node_id: str | None,
        contexts: Contexts,
        delivery: Delivery | None = None,
        clock: Clock = system_clock,
        bounds: Bounds | None = None,
        prepare: Callable[[Node], None] = lambda node: None,
        release: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.id = node_id or ""
        self.contexts = contexts
        self.bounds = bounds or Bounds()
        self.delivery = delivery or Delivery(Outbound(("loopback",)))
        self._stores = stores
        self.clock = clock
        self.started_us = clock()
        self.leaving = asyncio.Event()
        """Set when the process is about to end: what has no end of its own ends then."""
        self._prepare = prepare
        self._release = release
        self._nodes: dict[str | None, Node] = {}
        self._tenants: set[str] = set()
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Open the default tenant and every other, so that their subscriptions run.

        Raises UnavailableError when a store doesn't open; then everything is closed again.
        """
        if not self.id:
            self.id = await self._identity()
        default = await self._open(None)
        await self.contexts.attach(default.store)
        self._tenants = {one.id for one in await default.store.list_documents(KIND)}
        gate = asyncio.Semaphore(OPENING_MAX)

        async def open_one(tenant: str) -> None:
            async with gate:
                await self._open(tenant)

        try:
            async with asyncio.TaskGroup() as group:
                for tenant in sorted(self._tenants):
                    group.create_task(open_one(tenant))
        except BaseExceptionGroup as failures:
            await self.close()
            raise failures.exceptions[0] from failures

    async def _identity(self) -> str:
        """Give the id that the default tenant's store keeps, making it when there is none.

        Nodes know by it where a request has been, so it has to be known before any node is built.
        """
        store = self._stores.store(None)
        await store.open()
        try:
            kept = await store.find_document(IDENTITY, IDENTITY)
            if kept is not None:
                return str(kept.body["id"])
            made = f"node-{secrets.token_hex(ID_BYTES)}"
            await store.put_document(Document(IDENTITY, IDENTITY, {"id": made}))
            return made
        finally:
            await store.close()

    async def close(self) -> None:
        """Close every node."""
        nodes = list(self._nodes.values())
        self._nodes.clear()
        for node in nodes:
            await node.close()
        await self.delivery.close()
        if self._release is not None:
            await self._release()

    async def node(self, tenant: str | None = None, *, create: bool = False) -> Node:
        """Give the node of a tenant; `create` makes it when it isn't there (a write).

        Raises NonexistentTenantError when it isn't there, BadRequestDataError when the name can't
        be a tenant's, UnavailableError when its store doesn't open or there are too many tenants.
        """
        found = self._nodes.get(tenant)
        if found is not None:
            return found
        if tenant is None:
            raise UnavailableError("the host isn't open")
        if not TENANT.fullmatch(tenant):
            raise BadRequestDataError(
                f"tenant: {tenant!r} is not a name of up to 64 letters, digits and _ . : / -"
            )
        if not create:
            raise NonexistentTenantError(f"tenant {tenant!r} doesn't exist here")
        # Whoever asks may go away (a time limit, a closed connection); a node half made would stay.
        return await asyncio.shield(self._made(tenant))

    async def drop(self, tenant: str) -> None:
        """Take a tenant away for good, with everything that it holds, if it is there."""
        await asyncio.shield(self._dropped(tenant))

    async def _dropped(self, tenant: str) -> None:
        async with self._lock:
            node = self._nodes.pop(tenant, None)
            place = place_of(tenant)
            if node is None or place is None:
                return
            # Unknown first: a tenant whose store is half gone must not be opened again.
            default = await self.node(None)
            await default.store.delete_document(KIND, tenant)
            self._tenants.discard(tenant)
            await node.close()
            await self._stores.drop(place)

    async def snapshot(self, caller: Caller, tenant: str | None, snapshot_id: str) -> Node:
        """Give the node that a snapshot of a tenant is; raise NotFoundError when there is none."""
        owner = await self.node(tenant)
        return await owner.snapshots.node(caller, snapshot_id)

    def alias(self, tenant: str | None = None) -> str:
        """Give the name under which a tenant is known in a Via header (clauses 4.14, 5.2.40)."""
        return self.id if tenant is None else f"{self.id}.{tenant}"

    def list_tenants(self) -> list[str]:
        """List the tenants that exist, without the default one."""
        return sorted(self._tenants)

    async def _made(self, tenant: str) -> Node:
        async with self._lock:
            found = self._nodes.get(tenant)
            return found if found is not None else await self._create(tenant)

    async def _create(self, tenant: str) -> Node:
        if len(self._tenants) >= self.bounds.tenants_max:
            raise UnavailableError(
                f"tenant {tenant!r}: this process takes {self.bounds.tenants_max} at most"
            )
        default = await self.node(None)
        node = await self._open(tenant)
        await default.store.put_document(Document(KIND, tenant, {}))
        self._tenants.add(tenant)
        return node

    async def _open(self, tenant: str | None) -> Node:
        place = place_of(tenant)
        node = self._build(place, tenant)
        self._prepare(node)
        await node.open()
        self._nodes[tenant] = node
        return node

    def _build(self, place: str | None, tenant: str | None) -> Node:
        return Node(
            node_id=self.id,
            tenant=tenant,
            store=self._stores.store(place),
            contexts=self.contexts,
            delivery=self.delivery,
            clock=self.clock,
            bounds=self.bounds,
            rooms=SnapshotRooms(lambda room: self._build(room, tenant), self._stores.drop),
        )


class SnapshotRooms:
    """The open nodes of one tenant's snapshots."""

    def __init__(
        self, build: Callable[[str], Node], drop: Callable[[str], Awaitable[None]]
    ) -> None:
        self._build = build
        self._drop = drop
        self._nodes: dict[str, Node] = {}
        self._lock = asyncio.Lock()

    async def open(self, place: str) -> Node:
        """Give the open node of a place, made when it isn't there."""
        return await asyncio.shield(self._opened(place))

    async def _opened(self, place: str) -> Node:
        async with self._lock:
            node = self._nodes.get(place)
            if node is None:
                node = self._build(place)
                await node.open()
                self._nodes[place] = node
            return node

    async def drop(self, place: str) -> None:
        """Close a place and take it away for good."""
        async with self._lock:
            node = self._nodes.pop(place, None)
            if node is not None:
                await node.close()
            await self._drop(place)

    async def close(self) -> None:
        """Close every place."""
        async with self._lock:
            for node in self._nodes.values():
                await node.close()
            self._nodes.clear()

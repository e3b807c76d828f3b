"""The tenants of one process: nodes that share an id, @contexts and a place for their stores.

A tenant comes into being with the first write to it (clause 4.14); a read of one that isn't there
raises NonexistentTenantError. Stores are opened when they are first asked for. In SQLite a tenant
is a file in one folder, in PostgreSQL a schema of one database.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from conurb.errors import BadRequestDataError, NonexistentTenantError, UnavailableError
from conurb.model.time import Clock, system_clock
from conurb.node.bounds import Bounds
from conurb.node.node import Node

if TYPE_CHECKING:
    from conurb.node.contexts import Contexts
    from conurb.store.contract import Store

TENANT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}", re.ASCII)
"""What a tenant may be called."""


class Shelf(Protocol):
    """Where the stores of all tenants stand."""

    async def tenants(self) -> list[str]:
        """List the tenants that exist, without the default one."""
        ...

    def store(self, tenant: str | None) -> Store:
        """Give the store of a tenant, not yet opened."""
        ...

    async def drop(self, tenant: str) -> None:
        """Take a tenant's store away for good; it is closed."""
        ...


class Host:
    """The nodes of one process by tenant."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        node_id: str,
        contexts: Contexts,
        clock: Clock = system_clock,
        bounds: Bounds | None = None,
        prepare: Callable[[Node], None] = lambda node: None,
    ) -> None:
        self.id = node_id
        self.contexts = contexts
        self.bounds = bounds or Bounds()
        self._shelf = shelf
        self.clock = clock
        self.started_us = clock()
        self._prepare = prepare
        self._nodes: dict[str | None, Node] = {}
        self._known: set[str] = set()
        self._lock = asyncio.Lock()

    async def open(self) -> None:
        """Open the default tenant, and every other so that its subscriptions run."""
        self._known = set(await self._shelf.tenants())
        for tenant in [None, *sorted(self._known)]:
            await self.node(tenant)

    async def close(self) -> None:
        """Close every node."""
        for node in list(self._nodes.values()):
            await node.close()
        self._nodes.clear()

    async def node(self, tenant: str | None = None, *, create: bool = False) -> Node:
        """Give the node of a tenant; `create` makes it when it isn't there (a write).

        Raises NonexistentTenantError when it isn't there, BadRequestDataError when the name can't
        be a tenant's, UnavailableError when its store doesn't open or there are too many tenants.
        """
        found = self._nodes.get(tenant)
        if found is not None:
            return found
        if tenant is not None and not TENANT.fullmatch(tenant):
            raise BadRequestDataError(
                f"tenant: {tenant!r} is not a name of up to 64 letters, digits and _ . : / -"
            )
        async with self._lock:
            if tenant in self._nodes:
                return self._nodes[tenant]
            if tenant is not None and tenant not in self._known:
                if not create:
                    raise NonexistentTenantError(f"tenant {tenant!r} doesn't exist here")
                if len(self._known) >= self.bounds.tenants_max:
                    raise UnavailableError(
                        f"tenant {tenant!r}: this process takes {self.bounds.tenants_max} at most"
                    )
            node = Node(
                node_id=self.id,
                tenant=tenant,
                store=self._shelf.store(tenant),
                contexts=self.contexts,
                clock=self.clock,
                bounds=self.bounds,
            )
            self._prepare(node)
            await node.open()
            self._nodes[tenant] = node
            if tenant is not None:
                self._known.add(tenant)
            return node

    def alias(self, tenant: str | None = None) -> str:
        """Give the name under which a tenant is known in a Via header (clauses 4.14, 5.2.40)."""
        return self.id if tenant is None else f"{self.id}.{tenant}"

    def list_tenants(self) -> list[str]:
        """List the tenants that exist, without the default one."""
        return sorted(self._known)

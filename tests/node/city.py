"""A store with the part of a node that subscriptions need, and waiting for what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from conurb.access.caller import LOCAL
from conurb.access.outbound import Outbound
from conurb.model.context import core_terms
from conurb.model.parse import parse_entity, parse_fragment
from conurb.model.time import system_clock
from conurb.node.bounds import Bounds
from conurb.node.contexts import Contexts
from conurb.node.delivery import Delivery
from conurb.node.office import Policy
from conurb.node.provide import Provision
from conurb.node.subscriptions import Subscriptions
from conurb.store.contract import Store
from conurb.store.engines import open_store
from tests.services.receiver import ARRIVAL_S, Post, Receiver

QUICK = Policy(pause_s=0.05, pause_s_max=0.2)
BASE = "http://node.test"


class City:
    """A store with the part of a node that subscriptions need."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self.store = store
        self.provide = Provision(store, Bounds())
        self.delivery = Delivery(Outbound(("loopback",)))
        self.subscriptions = Subscriptions(
            store, Contexts(), self.delivery, clock=system_clock, policy=policy
        )

    async def open(self) -> None:
        await self.store.open()
        await self.subscriptions.open()

    async def close(self) -> None:
        await self.subscriptions.close()
        await self.delivery.close()
        await self.store.close()

    async def kill(self) -> None:
        """Stop without storing anything of what was delivered since the last flush."""
        dispatcher = self.subscriptions.dispatcher

        async def nothing() -> None:
            pass

        dispatcher.flush = nothing  # type: ignore[method-assign]
        await self.close()

    async def subscribe(self, uri: str, name: str = "urn:s:1", **members: Any) -> str:
        endpoint = {"uri": uri} | members.pop("endpoint", {})
        document = {
            "id": name,
            "type": "Subscription",
            "entities": [{"type": "T"}],
            "notification": {"endpoint": endpoint, "format": "keyValues"},
            **members,
        }
        return await self.subscriptions.create(LOCAL, document, core_terms(), base_url=BASE)

    async def update(self, fragment: Mapping[str, Any], name: str = "urn:s:1") -> None:
        await self.subscriptions.update(LOCAL, name, fragment, core_terms(), base_url=BASE)

    async def put(self, entity_id: str, **attrs: Any) -> None:
        document = {"id": entity_id, "type": "T", **attrs}
        await self.provide.create(LOCAL, parse_entity(document, core_terms()))

    async def patch(self, entity_id: str, **attrs: Any) -> None:
        fragment = parse_fragment(attrs, core_terms(), nulls=True)
        await self.provide.update(LOCAL, entity_id, fragment)

    async def counts(self, name: str = "urn:s:1") -> tuple[int, int, str | None]:
        standing = (await self.subscriptions.get(LOCAL, name)).standing
        return standing.sent, standing.failed, standing.status


@asynccontextmanager
async def opened(place: str, policy: Policy = QUICK) -> AsyncIterator[City]:
    city = City(open_store(place, clock=system_clock), policy)
    await city.open()
    try:
        yield city
    finally:
        await city.close()


def ids(post: Post) -> list[str]:
    return [one["id"] for one in post.document["data"]]


async def until(holds: Callable[[], bool], timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def told(receiver: Receiver, count: int, timeout_s: float = ARRIVAL_S) -> list[str]:
    """Wait until so many different entities have been told; give all, in order of arrival."""
    async with asyncio.timeout(timeout_s):
        while len({one for post in receiver.posts for one in ids(post)}) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return [one for post in receiver.posts for one in ids(post)]

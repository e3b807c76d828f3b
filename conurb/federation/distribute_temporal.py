"""Writes of history, shared out between this node and the sources that it belongs to (5.6.11-16).

As `conurb.federation.distribute` does it for what is now, for the operations on history that a
registration names. The standard has no answer for a part that failed (6.18 to 6.22 know no 207):
then the error is raised, saying whose part it was; the other parts have been done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from conurb.access.caller import Caller
from conurb.errors import (
    ConurbError,
    ForbiddenError,
    SourceError,
    SourceTimeoutError,
    UnavailableError,
)
from conurb.federation.history import FederatedTemporal
from conurb.federation.legs import Leg
from conurb.federation.remote_writes import SAFE_IN_PATH
from conurb.federation.route import retrieval
from conurb.federation.shares import (
    Did,
    Share,
    Shares,
    faults,
    looped,
    of_entity,
    share_out,
    worst,
)
from conurb.federation.wire import TIMEOUT_S
from conurb.federation.wording import write_attributes, write_head, write_instances
from conurb.model.entity import Instance
from conurb.model.evolution import instance_id
from conurb.model.parse import TemporalFragment
from conurb.model.query.tree import Restriction, TimeWindow, TypeAny, TypeIs
from conurb.model.registration import THIS_PROCESS
from conurb.model.time import shown_us
from conurb.node.temporal import Temporal

if TYPE_CHECKING:
    from conurb.federation.reach import Reach

HISTORY = "/temporal/entities"


class RemoteTemporal:
    """The history of a context source on the other end of a wire; methods as of `Temporal`."""

    def __init__(self, leg: Leg, reach: Reach) -> None:
        self._leg = leg
        self._reach = reach

    async def upsert(self, caller: Caller, entity_id: str, fragment: TemporalFragment) -> bool:
        """Create an entity with its history, or add to it (clause 5.6.11)."""
        whole = replace(fragment, id=entity_id)
        return await self._send(caller, "POST", HISTORY, fragment=whole) == 201

    async def append(self, caller: Caller, entity_id: str, fragment: TemporalFragment) -> None:
        """Add instances to the history of an entity (clause 5.6.12)."""
        path = f"{_path(entity_id)}/attrs"
        await self._send(caller, "POST", path, fragment=replace(fragment, id=None))

    async def update_instance(
        self, caller: Caller, entity_id: str, attribute: str, number: int, instance: Instance
    ) -> None:
        """Replace one instance in history (clause 5.6.14)."""
        await self._send(
            caller,
            "PATCH",
            _path(entity_id),
            attribute=attribute,
            rest=f"/{instance_id(number)}",
            instance=instance,
        )

    async def delete_instance(
        self, caller: Caller, entity_id: str, attribute: str, number: int
    ) -> None:
        """Take one instance out of history (clause 5.6.15)."""
        rest = f"/{instance_id(number)}"
        await self._send(caller, "DELETE", _path(entity_id), attribute=attribute, rest=rest)

    async def delete_attribute(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        *,
        dataset: str | None = None,
        all_instances: bool = False,
    ) -> None:
        """Take an attribute out of history (clause 5.6.13)."""
        params = {} if dataset is None else {"datasetId": dataset}
        if all_instances:
            params["deleteAll"] = "true"
        await self._send(caller, "DELETE", _path(entity_id), attribute=attribute, params=params)

    async def delete(self, caller: Caller, entity_id: str) -> None:
        """Erase an entity with its whole history (clause 5.6.16)."""
        await self._send(caller, "DELETE", _path(entity_id))

    async def _send(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        attribute: str | None = None,
        rest: str = "",
        params: dict[str, str] | None = None,
        fragment: TemporalFragment | None = None,
        instance: Instance | None = None,
    ) -> int:
        """Send a write and give its status; raise what an answer of 400 and more stands for."""
        wire = self._reach.wire
        registration = self._leg.registration
        if wire is None:
            raise UnavailableError(f"{registration.endpoint}: only nodes of this process are asked")
        wording = await wire.wording(registration, caller)
        document: Any = None
        if attribute is not None:
            path += "/attrs/" + quote(wording.of_url.compact(attribute), safe="") + rest
            if instance is not None:
                name = wording.terms.compact(attribute)
                document = {name: [write_instances(attribute, [instance], wording.terms)]}
        elif fragment is not None:
            head = write_head(
                wording.terms,
                entity_id=fragment.id,
                types=fragment.types,
                expires_us=fragment.expires_at,
            )
            document = {**head, **write_attributes(fragment.attrs, wording.terms, many=True)}
            if fragment.scopes:
                document["scope"] = [
                    {"type": "Property", "value": list(one.scope)}
                    | ({} if one.at_us is None else {"observedAt": shown_us(one.at_us)})
                    for one in fragment.scopes
                ]
        try:
            reply = await wire.send(
                registration,
                method,
                path,
                caller=caller,
                wording=wording,
                params=params,
                document=document,
            )
        except SourceError:
            self._reach.went(registration.id, ok=False)
            raise
        self._reach.went(registration.id, ok=reply.status < 400)
        if reply.status >= 400:
            raise reply.error(f"context source {registration.name}")
        return reply.status


def _path(entity_id: str) -> str:
    return f"{HISTORY}/{quote(entity_id, safe=SAFE_IN_PATH)}"


class DistributedTemporal(FederatedTemporal):
    """The history of a node and of those that it has registered, to read and to write."""

    async def upsert(self, caller: Caller, entity_id: str, fragment: TemporalFragment) -> bool:
        """Create an entity with its history where it belongs, or add to it (clause 5.6.11)."""
        created = await self._distributed(
            caller,
            "upsertTemporal",
            entity_id,
            lambda writer, attrs, by: writer.upsert(by, entity_id, _part(fragment, attrs)),
            types=fragment.types,
            attributes=tuple(fragment.attrs),
        )
        return any(created)

    async def append(self, caller: Caller, entity_id: str, fragment: TemporalFragment) -> None:
        """Add instances to the history of an entity where they belong (clause 5.6.12)."""
        await self._distributed(
            caller,
            "appendAttrsTemporal",
            entity_id,
            lambda writer, attrs, by: writer.append(by, entity_id, _part(fragment, attrs)),
            types=fragment.types,
            attributes=tuple(fragment.attrs),
        )

    async def update_instance(
        self, caller: Caller, entity_id: str, attribute: str, number: int, instance: Instance
    ) -> None:
        """Replace one instance in history where it is held (clause 5.6.14)."""
        await self._distributed(
            caller,
            "updateAttrInstanceTemporal",
            entity_id,
            lambda writer, _, by: writer.update_instance(
                by, entity_id, attribute, number, instance
            ),
            attributes=(attribute,),
        )

    async def delete_instance(
        self, caller: Caller, entity_id: str, attribute: str, number: int
    ) -> None:
        """Take one instance out of history where it is held (clause 5.6.15)."""
        await self._distributed(
            caller,
            "deleteAttrInstanceTemporal",
            entity_id,
            lambda writer, _, by: writer.delete_instance(by, entity_id, attribute, number),
            attributes=(attribute,),
        )

    async def delete_attribute(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        *,
        dataset: str | None = None,
        all_instances: bool = False,
    ) -> None:
        """Take an attribute out of history where it is held (clause 5.6.13)."""
        await self._distributed(
            caller,
            "deleteAttrsTemporal",
            entity_id,
            lambda writer, _, by: writer.delete_attribute(
                by, entity_id, attribute, dataset=dataset, all_instances=all_instances
            ),
            attributes=(attribute,),
        )

    async def delete(self, caller: Caller, entity_id: str) -> None:
        """Erase an entity with its history wherever it is held (clause 5.6.16)."""
        await self._distributed(
            caller,
            "deleteTemporal",
            entity_id,
            lambda writer, _, by: writer.delete(by, entity_id),
            whole=True,
        )

    # ── how ───────────────────────────────────────────────────────────────────────────────────

    async def _distributed(
        self,
        caller: Caller,
        operation: str,
        entity_id: str,
        write: Callable[[Any, Collection[str], Caller], Awaitable[Any]],
        *,
        types: Sequence[str] = (),
        attributes: Sequence[str] = (),
        whole: bool = False,
    ) -> list[Any]:
        """Do the parts of a write at once; give what those that succeeded gave."""
        caller.require("write")
        shares = await self._shares(
            caller, operation, entity_id, types=types, attributes=attributes, whole=whole
        )
        if shares.is_own:
            return [await write(self.own, attributes, caller)]
        passed = self._reach.passed(caller)
        results: list[Any] = []

        async def one(share: Share | None) -> Did:
            try:
                if share is None:
                    results.append(await write(self.own, shares.local, caller))
                else:
                    results.append(await self._sent(share, write, passed))
            except ConurbError as error:
                return Did(share, error)
            return Did(share)

        works: list[Share | None] = [*shares.remote]
        if shares.is_local or whole:
            works.append(None)
        done = list(await asyncio.gather(*(one(share) for share in works)))
        done += [Did(share, error) for share, error in shares.failures]
        errors = faults(shares, done)
        if errors:
            raise worst(errors)
        return results

    async def _shares(
        self,
        caller: Caller,
        operation: str,
        entity_id: str,
        *,
        types: Sequence[str],
        attributes: Sequence[str],
        whole: bool,
    ) -> Shares:
        registrations = self._reach.registrations
        if not await registrations.any():
            return Shares(entity_id, local=frozenset(attributes))
        known = TypeAny(tuple(map(TypeIs, types))) if types else None
        query = retrieval(entity_id, types=known, attributes=attributes)
        matches = await registrations.find(query, window=TimeWindow())
        legs = [Leg(one.registration, one.information) for one in matches]
        if whole:
            shares = of_entity(legs, (operation,), entity_id, types, caller.via)
        else:
            shares = share_out(
                legs, (operation,), entity_id, types=types, attributes=attributes, via=caller.via
            )
        if shares.is_own:
            return shares
        if caller.restriction != Restriction():
            raise ForbiddenError(
                f"{caller.name} may write some types or scopes only, which this node can't judge "
                f"of {entity_id!r}: other nodes hold parts of it"
            )
        if self._reach.alias in caller.via:
            return looped(shares, attributes, self._reach.alias)
        return shares

    async def _sent(
        self,
        share: Share,
        write: Callable[[Any, Collection[str], Caller], Awaitable[Any]],
        caller: Caller,
    ) -> Any:
        registration = share.leg.registration
        within_s = registration.timeout_s or TIMEOUT_S
        writer: Temporal | RemoteTemporal = RemoteTemporal(share.leg, self._reach)
        if registration.endpoint == THIS_PROCESS:
            writer = (await self._reach.open_node(registration.tenant)).temporal
        try:
            async with asyncio.timeout(within_s):
                return await write(writer, share.attributes, caller)
        except TimeoutError as error:
            raise SourceTimeoutError(f"{share.leg.name}: no answer in {within_s:g} s") from error


def _part(fragment: TemporalFragment, attributes: Collection[str]) -> TemporalFragment:
    """Keep some attributes of a fragment."""
    kept = {name: items for name, items in fragment.attrs.items() if name in attributes}
    return replace(fragment, attrs=kept)

"""Writes to a node elsewhere: what `conurb.node.provide` does, sent to a context source over HTTP.

The methods are those of `Provision`, so that a source in this process and one elsewhere are written
to alike. An answer of 400 and more is raised as the error that it stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from conurb.errors import SourceError
from conurb.federation.asking import query_params
from conurb.federation.legs import Leg
from conurb.federation.remote_outcomes import MULTI_STATUS, read_batch, read_parts, read_report
from conurb.federation.wire import Reply, Wire, Wording
from conurb.federation.wording import write_attributes, write_head, write_instances, write_types
from conurb.model.entity import NULL, Entity, Instance
from conurb.model.operations.entity import Report
from conurb.model.query.tree import Query, TypeSelection
from conurb.model.time import shown
from conurb.node.outcomes import BatchResult

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.federation.remote_source import Went
    from conurb.model.parse import Fragment

SAFE_IN_PATH: Final = ":@!$&'()*+,;=~-._"
_OF_PAGES: Final = ("limit", "options")


class RemoteProvision:
    """The writes of a context source on the other end of a wire."""

    def __init__(self, leg: Leg, wire: Wire, went: Went) -> None:
        self._leg = leg
        self._wire = wire
        self._went = went

    # ── one entity ────────────────────────────────────────────────────────────────────────────

    async def create(self, caller: Caller, entity: Entity) -> BatchResult | None:
        """Create an entity (clause 5.6.1)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        document = _entity(entity, wording)
        return read_parts(await self._send(caller, "POST", "/entities", wording, document=document))

    async def replace(
        self,
        caller: Caller,
        entity_id: str,
        entity: Entity,
        *,
        types: TypeSelection | None = None,
    ) -> BatchResult | None:
        """Replace an entity (clause 5.6.18)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        document = _entity(entity, wording)
        params = _typed(types, wording)
        return read_parts(
            await self._send(
                caller, "PUT", _path(entity_id), wording, params=params, document=document
            )
        )

    async def merge(
        self,
        caller: Caller,
        entity_id: str,
        fragment: Fragment,
        *,
        types: TypeSelection | None = None,
        observed_at: str | None = None,
        lang: str | None = None,
    ) -> BatchResult | None:
        """Merge a fragment into an entity (clause 5.6.17)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        params = {**_typed(types, wording), **_common(observed_at, lang)}
        document = _fragment(fragment, wording)
        return read_parts(
            await self._send(
                caller, "PATCH", _path(entity_id), wording, params=params, document=document
            )
        )

    async def update(
        self,
        caller: Caller,
        entity_id: str,
        fragment: Fragment,
        *,
        types: TypeSelection | None = None,
    ) -> Report:
        """Update attributes of an entity (clause 5.6.2)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        reply = await self._send(
            caller,
            "PATCH",
            _path(entity_id) + "/attrs",
            wording,
            params=_typed(types, wording),
            document=_fragment(fragment, wording),
        )
        return read_report(reply, fragment.attrs, wording)

    async def append(
        self,
        caller: Caller,
        entity_id: str,
        fragment: Fragment,
        *,
        types: TypeSelection | None = None,
        overwrite: bool = True,
    ) -> Report:
        """Append attributes to an entity (clause 5.6.3)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        options = {} if overwrite else {"options": "noOverwrite"}
        reply = await self._send(
            caller,
            "POST",
            _path(entity_id) + "/attrs",
            wording,
            params={**_typed(types, wording), **options},
            document=_fragment(fragment, wording),
        )
        return read_report(reply, fragment.attrs, wording)

    async def delete(
        self, caller: Caller, entity_id: str, *, types: TypeSelection | None = None
    ) -> BatchResult | None:
        """Delete an entity (clause 5.6.6)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        params = _typed(types, wording)
        return read_parts(
            await self._send(caller, "DELETE", _path(entity_id), wording, params=params)
        )

    # ── one attribute ─────────────────────────────────────────────────────────────────────────

    async def partial_update(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        instances: Sequence[Instance],
        *,
        types: TypeSelection | None = None,
    ) -> Report | None:
        """Overwrite members of an attribute (clause 5.6.4)."""
        return await self._attribute("PATCH", caller, entity_id, attribute, instances, types)

    async def replace_attribute(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        instances: Sequence[Instance],
        *,
        types: TypeSelection | None = None,
    ) -> Report | None:
        """Replace an attribute (clause 5.6.19)."""
        return await self._attribute("PUT", caller, entity_id, attribute, instances, types)

    async def _attribute(
        self,
        method: str,
        caller: Caller,
        entity_id: str,
        attribute: str,
        instances: Sequence[Instance],
        types: TypeSelection | None,
    ) -> Report | None:
        wording = await self._wire.wording(self._leg.registration, caller)
        path = _path(entity_id) + "/attrs/" + quote(wording.of_url.compact(attribute), safe="")
        reply = await self._send(
            caller,
            method,
            path,
            wording,
            params=_typed(types, wording),
            document=write_instances(attribute, instances, wording.terms),
        )
        return read_report(reply, (attribute,), wording) if reply.status == MULTI_STATUS else None

    async def delete_attribute(
        self,
        caller: Caller,
        entity_id: str,
        attribute: str,
        *,
        types: TypeSelection | None = None,
        dataset: str | None = None,
        all_instances: bool = False,
    ) -> Report | None:
        """Delete an attribute's default instance, that of `dataset`, or all (clause 5.6.5)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        path = _path(entity_id) + "/attrs/" + quote(wording.of_url.compact(attribute), safe="")
        params = _typed(types, wording)
        if dataset is not None:
            params["datasetId"] = dataset
        if all_instances:
            params["deleteAll"] = "true"
        reply = await self._send(caller, "DELETE", path, wording, params=params)
        return read_report(reply, (attribute,), wording) if reply.status == MULTI_STATUS else None

    async def delete_scope(
        self, caller: Caller, entity_id: str, *, types: TypeSelection | None = None
    ) -> Report | None:
        """Take the scopes away from an entity (clause 5.6.5, attribute `scope`)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        path = _path(entity_id) + "/attrs/scope"
        await self._send(caller, "DELETE", path, wording, params=_typed(types, wording))
        return None

    # ── many entities ─────────────────────────────────────────────────────────────────────────

    async def create_batch(self, caller: Caller, entities: Sequence[Entity]) -> BatchResult:
        """Create entities (clause 5.6.7)."""
        return await self._batch(caller, "create", entities=entities)

    async def upsert_batch(
        self,
        caller: Caller,
        entities: Sequence[Entity],
        *,
        mode: Literal["replace", "update"] = "replace",
    ) -> BatchResult:
        """Create entities, or replace or update those that exist (clause 5.6.8)."""
        params = {"options": "update"} if mode == "update" else {}
        return await self._batch(caller, "upsert", params, entities=entities)

    async def update_batch(
        self,
        caller: Caller,
        fragments: Sequence[tuple[str, Fragment]],
        *,
        overwrite: bool = True,
    ) -> BatchResult:
        """Append fragments to entities (clause 5.6.9)."""
        params = {} if overwrite else {"options": "noOverwrite"}
        return await self._batch(caller, "update", params, fragments=fragments)

    async def merge_batch(
        self,
        caller: Caller,
        fragments: Sequence[tuple[str, Fragment]],
        *,
        observed_at: str | None = None,
        lang: str | None = None,
    ) -> BatchResult:
        """Merge fragments into entities (clause 5.6.20)."""
        params = _common(observed_at, lang)
        return await self._batch(caller, "merge", params, fragments=fragments)

    async def delete_batch(self, caller: Caller, entity_ids: Sequence[str]) -> BatchResult:
        """Delete entities (clause 5.6.10)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        path = "/entityOperations/delete"
        reply = await self._send(caller, "POST", path, wording, document=list(entity_ids))
        return read_batch(reply, entity_ids)

    async def _batch(
        self,
        caller: Caller,
        name: str,
        params: dict[str, str] | None = None,
        *,
        entities: Sequence[Entity] = (),
        fragments: Sequence[tuple[str, Fragment]] = (),
    ) -> BatchResult:
        wording = await self._wire.wording(self._leg.registration, caller)
        documents = [_entity(one, wording) for one in entities]
        documents += [{"id": key, **_fragment(one, wording)} for key, one in fragments]
        ids = [one.id for one in entities] + [key for key, _ in fragments]
        path = f"/entityOperations/{name}"
        reply = await self._send(caller, "POST", path, wording, params=params, document=documents)
        return read_batch(reply, ids, created=name == "create")

    async def purge(
        self,
        caller: Caller,
        query: Query,
        *,
        drop: Sequence[str] = (),
        keep: Sequence[str] = (),
    ) -> BatchResult:
        """Delete the entities that a query selects, or attributes of theirs (clause 5.6.21)."""
        wording = await self._wire.wording(self._leg.registration, caller)
        terms = wording.of_url
        asked = replace(query, order=(), offset=0, count=False)
        params = query_params(asked, terms)
        for name in _OF_PAGES:
            del params[name]
        if drop:
            params["drop"] = ",".join(map(terms.compact, drop))
        if keep:
            params["keep"] = ",".join(map(terms.compact, keep))
        reply = await self._send(caller, "DELETE", "/entities", wording, params=params)
        return read_batch(reply, ())

    async def _send(
        self,
        caller: Caller,
        method: str,
        path: str,
        wording: Wording,
        *,
        params: dict[str, str] | None = None,
        document: Any = None,
    ) -> Reply:
        """Send a write; raise what an answer of 400 and more stands for."""
        registration = self._leg.registration
        try:
            reply = await self._wire.send(
                registration,
                method,
                path,
                caller=caller,
                wording=wording,
                params=params,
                document=document,
            )
        except SourceError:
            self._went(registration.id, False)
            raise
        self._went(registration.id, reply.status < 400)
        if reply.status >= 400:
            raise reply.error(f"context source {registration.name}")
        return reply


def _path(entity_id: str) -> str:
    return "/entities/" + quote(entity_id, safe=SAFE_IN_PATH)


def _typed(types: TypeSelection | None, wording: Wording) -> dict[str, str]:
    return {} if types is None else {"type": write_types(types, wording.of_url)}


def _common(observed_at: str | None, lang: str | None) -> dict[str, str]:
    params = {} if observed_at is None else {"observedAt": shown(observed_at)}
    return params if lang is None else {**params, "lang": lang}


def _entity(entity: Entity, wording: Wording) -> dict[str, Any]:
    head = write_head(
        wording.terms,
        entity_id=entity.id,
        types=entity.types,
        scope=entity.scope,
        expires_us=entity.expires_at,
    )
    return {**head, **write_attributes(entity.attrs, wording.terms)}


def _fragment(fragment: Fragment, wording: Wording) -> dict[str, Any]:
    head = write_head(
        wording.terms,
        types=fragment.types,
        scope=fragment.scope,
        expires_us=fragment.expires_at,
    )
    if fragment.scope == ():
        head["scope"] = NULL
    if fragment.drops_expiry:
        head["expiresAt"] = NULL
    return {**head, **write_attributes(fragment.attrs, wording.terms, bare=fragment.bare)}

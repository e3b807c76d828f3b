"""The context source registrations of a node: create, update, delete, find (clauses 5.9, 5.10).

They are documents of the node's store, so that they survive a restart and travel with an export;
in memory they stand in an index (`conurb.federation.route`) that every distributed operation asks.
How requests to a source went is counted beside them (`went`) and stored now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from conurb.errors import (
    AlreadyExistsError,
    BadRequestDataError,
    ConurbError,
    NotFoundError,
)
from conurb.federation.conflicts import check_conflicts
from conurb.federation.filing import KIND, Filed, Search, Shown, Standing, passes
from conurb.federation.route import Index, Match
from conurb.model.names import check_uri
from conurb.model.query.tree import (
    Query,
    TimeWindow,
)
from conurb.model.registration import Mode, Registration
from conurb.model.registration_document import (
    document_of,
    read_document,
)
from conurb.model.registration_rules import compile_registration
from conurb.model.subscription_document import merge_documents
from conurb.model.time import US_PER_S, Clock, shown_us, system_clock
from conurb.store.contract import Document as StoredDocument

if TYPE_CHECKING:
    from conurb.access.caller import Caller
    from conurb.access.outbound import Outbound
    from conurb.model.context import Terms
    from conurb.store.contract import Store

STANDING_KIND: Final = "csource-registration-standing"
REGISTRATIONS_MAX: Final = 100_000
"""How many registrations one tenant may have."""
FLUSH_S: Final = 1.0
"""How long standings are collected before they are stored together."""
TEND_S_MAX: Final = 3600.0
"""How long it is slept at most before looking for what has expired."""

_log = logging.getLogger(__name__)


Watch = Callable[[Filed | None, Filed | None], None]
"""Is told of every change: what a registration was, and what it is; None is not there."""


class Registrations:
    """The registrations of one node, read once and kept with the store."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock = system_clock,
        outbound: Outbound | None = None,
        new_id: Callable[[], str] = lambda: f"urn:ngsi-ld:ContextSourceRegistration:{uuid4()}",
    ) -> None:
        """Take the store that keeps them; `outbound` says where sources may be, None: anywhere."""
        self._store = store
        self._clock = clock
        self._outbound = outbound
        self._new_id = new_id
        self._filed: dict[str, Filed] | None = None
        self._index = Index()
        self._standings: dict[str, Standing] = {}
        self._dirty: set[str] = set()
        self._writing = asyncio.Lock()
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._watches: list[Watch] = []

    # ── life ──────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """Read what is stored, and start to store standings and to drop what expires."""
        await self._loaded()
        self._task = asyncio.create_task(self._tend(), name="registrations")

    async def close(self) -> None:
        """Stop, and store how things stand."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        with contextlib.suppress(ConurbError):
            await self._flush()

    def watch(self, watch: Watch) -> None:
        """Have every change told."""
        self._watches.append(watch)

    # ── what the federation asks and says ─────────────────────────────────────────────────────

    async def all(self) -> list[Registration]:
        """List them, in order of their creation."""
        return [one.registration for one in (await self._loaded()).values()]

    async def any(self) -> bool:
        """Whether there are any."""
        return bool(await self._loaded())

    async def find(
        self,
        query: Query,
        *,
        operation: str | None = None,
        modes: frozenset[Mode] | None = None,
        window: TimeWindow | None = None,
        passed: tuple[str, ...] = (),
    ) -> list[Match]:
        """Give the registrations that may hold what a query selects; see `Index.find`.

        Those of `query.sources` alone, when it says so (csf).
        """
        known = await self._loaded()
        found = self._index.find(
            query,
            now_us=self._clock(),
            operation=operation,
            modes=modes,
            window=window,
            passed=passed,
        )
        if query.sources is None:
            return found
        return [one for one in found if passes(known[one.registration.id], query.sources)]

    def went(self, registration_id: str, *, ok: bool) -> None:
        """Count a request that was sent to a source, and whether it succeeded."""
        if self._filed is None or registration_id not in self._filed:
            return
        standing = self._standings.setdefault(registration_id, Standing())
        standing.sent += 1
        if ok:
            standing.status, standing.last_success_us = "ok", self._clock()
        else:
            standing.failed += 1
            standing.status, standing.last_failure_us = "failed", self._clock()
        self._dirty.add(registration_id)
        self._moved.set()

    def standing(self, registration_id: str) -> Standing:
        """Give how requests to a source went."""
        return self._standings.get(registration_id) or Standing()

    async def put(self, registration: Registration) -> None:
        """Store one that a program made, replacing that of its id; the same again is no write."""
        filed = await self._loaded()
        before = filed.get(registration.id)
        if before is not None and before.registration == registration:
            return
        document = document_of(registration)
        compile_registration(document, anything=True)  # what is stored has to be read again
        now = self._clock()
        async with self._writing:
            await self._keep(
                Filed(
                    document,
                    registration,
                    now if before is None else before.created_us,
                    now,
                )
            )

    async def delete(self, registration_id: str) -> bool:
        """Delete one; whether there was one."""
        await self._loaded()
        async with self._writing:
            return await self._drop(registration_id)

    # ── operations ────────────────────────────────────────────────────────────────────────────

    async def create(self, caller: Caller, raw: Any, terms: Terms) -> str:
        """Register a context source and give the registration's id (clause 5.9.2).

        Raises BadRequestDataError for what breaks a rule, AlreadyExistsError for an id that is
        taken, ConflictError for what is held here or registered already, ForbiddenError when the
        caller may not register or this node may not send to the endpoint.
        """
        caller.require("federate")
        document = read_document(raw, terms)
        if "id" not in document:
            document["id"] = self._new_id()
        registration = compile_registration(document)
        self._check_expiry(registration)
        filed = await self._loaded()
        async with self._writing:
            there = filed.get(registration.id)
            if there is not None and not there.registration.is_expired(self._clock()):
                raise AlreadyExistsError(f"registration {registration.id!r} exists already")
            if there is not None:
                await self._drop(registration.id)
            if len(filed) >= REGISTRATIONS_MAX:
                raise BadRequestDataError(f"this tenant has {REGISTRATIONS_MAX} registrations")
            self._check_endpoint(registration)
            await check_conflicts(registration, self._index, self._store, now_us=self._clock())
            now = self._clock()
            await self._keep(Filed(document, registration, now, now))
        return registration.id

    async def update(self, caller: Caller, registration_id: str, raw: Any, terms: Terms) -> None:
        """Change a registration by a fragment; null removes a member (clauses 5.9.3, 5.5.8).

        Raises NotFoundError when there is none, else what `create` raises.
        """
        caller.require("federate")
        check_uri(registration_id, name="registration id")
        fragment = read_document(raw, terms)
        if fragment.get("id", registration_id) != registration_id:
            raise BadRequestDataError("id: a registration's id can't be changed")
        await self._loaded()
        async with self._writing:
            before = self._get(registration_id)
            document = merge_documents(before.document, fragment)
            registration = compile_registration(document, anything="information" not in fragment)
            if "expiresAt" in fragment:
                self._check_expiry(registration)
            if "endpoint" in fragment:
                self._check_endpoint(registration)
            await check_conflicts(registration, self._index, self._store, now_us=self._clock())
            await self._keep(Filed(document, registration, before.created_us, self._clock()))

    async def remove(self, caller: Caller, registration_id: str) -> None:
        """Delete a registration (clause 5.9.4); raise NotFoundError when there is none."""
        caller.require("federate")
        check_uri(registration_id, name="registration id")
        await self._loaded()
        async with self._writing:
            self._get(registration_id)
            await self._drop(registration_id)

    async def get(self, caller: Caller, registration_id: str) -> Shown:
        """Give a registration (clause 5.10.1); raise NotFoundError when there is none."""
        caller.require("read")
        check_uri(registration_id, name="registration id")
        await self._loaded()
        filed = self._get(registration_id)
        return Shown(filed, filed.registration.information, self.standing(filed.id))

    async def query(
        self, caller: Caller, search: Search, *, limit: int, offset: int = 0
    ) -> tuple[list[Shown], int]:
        """Give a page of the registrations that may hold what is asked for, and count all.

        Only that information is given of each that was asked for (clause 5.10.2.5).
        """
        caller.require("read")
        await self._loaded()
        found = self.matching(search)
        return found[offset : offset + limit], len(found)

    def matching(self, search: Search) -> list[Shown]:
        """Give the registrations that a search finds (clauses 5.10.2.4, 5.11.2.4)."""
        known = self._filed or {}
        matches = self._index.find(
            search.query, now_us=self._clock(), window=search.window, strict=True
        )
        return [
            Shown(filed, match.information, self.standing(filed.id))
            for match in matches
            if (filed := known.get(match.registration.id)) is not None
            and passes(filed, search.filter)
        ]

    # ── ──────────────────────────────────────────────────────────────────────────────────────

    async def _loaded(self) -> dict[str, Filed]:
        if self._filed is None:
            documents = await self._store.list_documents(KIND)
            standings = await self._store.list_documents(STANDING_KIND)
            if self._filed is None:  # somebody else may have been faster
                self._filed = {one.id: Filed.read(one.body) for one in documents}
                self._standings = {one.id: Standing(**one.body) for one in standings}
                for filed in self._filed.values():
                    self._index.put(filed.registration)
        return self._filed

    def _get(self, registration_id: str) -> Filed:
        filed = (self._filed or {}).get(registration_id)
        if filed is None or filed.registration.is_expired(self._clock()):
            raise NotFoundError(f"registration {registration_id!r} doesn't exist here")
        return filed

    async def _keep(self, filed: Filed) -> None:
        known = await self._loaded()
        await self._store.put_document(filed.stored())
        before = known.get(filed.id)
        known[filed.id] = filed
        self._index.put(filed.registration)
        self._tell(before, filed)

    async def _drop(self, registration_id: str) -> bool:
        known = await self._loaded()
        there = await self._store.delete_document(KIND, registration_id)
        before = known.pop(registration_id, None)
        self._index.drop(registration_id)
        if self._standings.pop(registration_id, None) is not None:
            self._dirty.discard(registration_id)
            await self._store.delete_document(STANDING_KIND, registration_id)
        if before is not None:
            self._tell(before, None)
        return there

    def _tell(self, before: Filed | None, after: Filed | None) -> None:
        self._moved.set()
        for watch in self._watches:
            watch(before, after)

    def _check_expiry(self, registration: Registration) -> None:
        if registration.is_expired(self._clock()):
            raise BadRequestDataError(
                f"expiresAt: {shown_us(registration.expires_us or 0)} is in the past"
            )

    def _check_endpoint(self, registration: Registration) -> None:
        if self._outbound is not None:
            self._outbound.check(registration.endpoint)

    # ── keeping ───────────────────────────────────────────────────────────────────────────────

    async def _tend(self) -> None:
        """Drop what has expired, and store how requests went."""
        while True:
            try:
                left_s = await self._expire()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left_s):
                        await self._moved.wait()
                await asyncio.sleep(FLUSH_S)
                self._moved.clear()
                await self._flush()
            except ConurbError as error:
                _log.warning("keeping registrations: %s", error.detail)
                await asyncio.sleep(FLUSH_S)

    async def _expire(self) -> float:
        """Drop what has expired; give how long until the next one does, in seconds."""
        known = await self._loaded()
        now = self._clock()
        expiring = [
            (one.registration.expires_us, one.id)
            for one in known.values()
            if one.registration.expires_us is not None
        ]
        for expires_us, registration_id in expiring:
            if expires_us <= now:
                async with self._writing:
                    await self._drop(registration_id)
        ahead = min((us for us, _ in expiring if us > now), default=None)
        return TEND_S_MAX if ahead is None else min(TEND_S_MAX, (ahead - now) / US_PER_S)

    async def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for registration_id in dirty:
            standing = self._standings.get(registration_id)
            if standing is not None:
                body = asdict(standing)
                await self._store.put_document(StoredDocument(STANDING_KIND, registration_id, body))

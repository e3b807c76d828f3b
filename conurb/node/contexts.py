"""The @contexts that a process knows: preloaded, cached, hosted, implicitly created (clause 5.13).

Names are expanded with compiled `Terms`, kept by the value of the @context that they came from, so
that a request with a known @context costs a dictionary look-up. A URL is looked for, in this order,
among the @contexts hosted here, those cached, the preloaded catalogue (URL to file), and, only when
the node is configured to fetch, elsewhere. What isn't found is a ContextUnavailableError that names
the URL. Every version of the core @context is answered by the one that ships with the node.

Hosted and implicitly created @contexts belong to the tenant that they were made for: nobody else
sees them listed, served or deleted (clause 4.14). They are kept as documents of the default
tenant's store. In a request, whoever knows the URL of one may use it: a URL means one thing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import uuid4

import orjson

from conurb.errors import (
    BadRequestDataError,
    ContextUnavailableError,
    InputError,
    InvalidRequestError,
    NotFoundError,
    OperationNotSupportedError,
)
from conurb.model.context import (
    CORE_CONTEXT_URL,
    Terms,
    compile_context,
    core_terms,
    is_core_url,
)
from conurb.model.names import is_uri
from conurb.model.time import US_PER_S, Clock, system_clock
from conurb.node.catalogue import read_preloaded
from conurb.node.context_fetch import Fetch, unavailable
from conurb.store.contract import Document

if TYPE_CHECKING:
    from conurb.store.contract import Store

Kind = Literal["Cached", "Hosted", "ImplicitlyCreated"]

PATH: Final = "/ngsi-ld/v1/jsonldContexts/"
"""Where a node serves its @contexts."""

DOCUMENT_KIND: Final = "context"
TERMS_MAX: Final = 512
CACHED_MAX: Final = 1024
HOSTED_MAX: Final = 10_000
LIFETIME_S: Final = 86_400
STALE_RETRY_S: Final = 60
"""How long a cached @context whose time is over is used on when its origin doesn't answer."""


@dataclass(slots=True)
class Entry:
    """One stored @context and its metadata (clause 5.13.3.5). Times are microseconds.

    `context` is the value of the member `@context`. `url` is where a cached one came from,
    `tenant` whose a hosted one is.
    """

    id: str
    kind: Kind
    context: Any
    created_us: int
    tenant: str | None = None
    url: str | None = None
    expires_us: int | None = None
    last_used_us: int | None = None
    hits: int = 0


@dataclass(slots=True)
class _Compiled:
    terms: Terms
    urls: tuple[str, ...]
    expires_us: int | None


class Contexts:
    """The @contexts of one process. Used on one event loop; compiles in a worker thread."""

    core_url: Final = CORE_CONTEXT_URL

    def __init__(
        self,
        catalogue: Mapping[str, Path] | None = None,
        *,
        builtin: Mapping[str, Any] | None = None,
        fetch: Fetch | None = None,
        clock: Clock = system_clock,
        lifetime_s: int = LIFETIME_S,
        terms_max: int = TERMS_MAX,
    ) -> None:
        """Know the catalogue (URL to file) and `builtin`; without `fetch`, never fetch."""
        self._catalogue = dict(catalogue or {})
        self._builtin = dict(builtin or {})
        self._fetch = fetch
        self._clock = clock
        self._lifetime_us = lifetime_s * US_PER_S
        self._terms_max = terms_max
        self._compiled: OrderedDict[str | bytes, _Compiled] = OrderedDict()
        self._compiling: dict[str | bytes, asyncio.Task[_Compiled]] = {}
        self._cached: dict[str, Entry] = {}
        self._stored: dict[str, Entry] = {}
        self._implicit: dict[tuple[str | None, bytes], str] = {}
        self._store: Store | None = None
        self._core = core_terms()
        self._core_entry = Entry(
            local_id(CORE_CONTEXT_URL), "Cached", None, clock(), url=CORE_CONTEXT_URL
        )

    async def attach(self, store: Store) -> None:
        """Take in the @contexts that a store keeps, and keep new ones there."""
        self._store = store
        for document in await store.list_documents(DOCUMENT_KIND):
            body = document.body
            entry = Entry(
                document.id,
                body["kind"],
                body["context"],
                body["created_us"],
                tenant=body.get("tenant"),
            )
            self._stored[entry.id] = entry
            if entry.kind == "ImplicitlyCreated":
                self._implicit[entry.tenant, _text(entry.context)] = entry.id

    # ── terms ─────────────────────────────────────────────────────────────────────────────────

    async def terms(self, context: Any) -> Terms:
        """Give the terms of a @context value: a URL, an object, a list, or None for the core.

        Raises ContextUnavailableError naming the URL that can't be resolved, BadRequestDataError
        when it isn't a valid @context.
        """
        if context is None:
            return self._core
        key = context if isinstance(context, str) else _text(context)
        compiled = self._compiled.get(key)
        if compiled is None or (
            compiled.expires_us is not None and compiled.expires_us <= self._clock()
        ):
            compiled = await self._compile_once(key, context)
        elif len(self._compiled) > self._terms_max // 2:
            self._compiled.move_to_end(key)
        for url in compiled.urls:
            entry = self._cached.get(url) or self._stored.get(url)
            if entry is not None:
                self._found(entry)
        return compiled.terms

    async def _compile_once(self, key: str | bytes, context: Any) -> _Compiled:
        """Compile a @context, once for all requests that wait for it."""
        task = self._compiling.get(key)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(self._compile, context))
            self._compiling[key] = task
            task.add_done_callback(lambda _: self._compiling.pop(key, None))
        compiled = await asyncio.shield(task)
        self._compiled[key] = compiled
        self._compiled.move_to_end(key)
        while len(self._compiled) > self._terms_max:
            self._compiled.popitem(last=False)
        return compiled

    def _compile(self, context: Any) -> _Compiled:
        urls: list[str] = []
        expiries: list[int] = []

        def load(url: str) -> Any:
            entry = self._resolve(url)
            urls.append(entry.url or entry.id)
            if entry.expires_us is not None:
                expiries.append(entry.expires_us)
            return {"@context": entry.context}

        terms = compile_context(context, load)
        return _Compiled(terms, tuple(dict.fromkeys(urls)), min(expiries, default=None))

    def _resolve(self, url: str) -> Entry:
        """Find the @context at a URL wherever it may be; in a worker thread."""
        hosted = self._stored.get(url.rpartition(PATH)[2]) if PATH in url else None
        if hosted is not None:
            return hosted
        cached = self._cached.get(url)
        if cached is not None and (cached.expires_us is None or cached.expires_us > self._clock()):
            return cached
        try:
            entry = self._download(url)
        except ContextUnavailableError:
            if cached is None:
                raise
            cached.expires_us = self._clock() + STALE_RETRY_S * US_PER_S
            return cached
        self._keep(entry)
        return entry

    def _keep(self, entry: Entry) -> None:
        self._cached[str(entry.url)] = entry
        while len(self._cached) > CACHED_MAX:
            del self._cached[next(iter(self._cached))]

    def _download(self, url: str) -> Entry:
        """Read a @context from where it comes from: built in, the catalogue, or elsewhere."""
        lifetime_us: int | None = None
        if url in self._builtin:
            document = self._builtin[url]
        elif url in self._catalogue:
            document = read_preloaded(url, self._catalogue[url])
        elif self._fetch is None:
            raise unavailable(
                url, "this node has no such @context and is configured never to fetch one"
            )
        else:
            fetched = self._fetch(url)
            document = fetched.document
            lifetime_us = (
                self._lifetime_us if fetched.lifetime_s is None else fetched.lifetime_s * US_PER_S
            )
        context = _context_of(url, document)
        now = self._clock()
        expires_us = None if lifetime_us is None else now + lifetime_us
        return Entry(local_id(url), "Cached", context, now, url=url, expires_us=expires_us)

    # ── storing, listing, serving ─────────────────────────────────────────────────────────────

    async def add(self, document: Any, *, tenant: str | None = None) -> str:
        """Host a @context and give its id (clause 5.13.2).

        Everything outside of the member `@context` is dropped. A URL in it needn't be there yet.
        Raises InvalidRequestError when there is no such member, BadRequestDataError when it isn't
        valid JSON-LD.
        """
        if not isinstance(document, dict) or "@context" not in document:
            raise InvalidRequestError("@context: the body must be an object that has this member")
        context = document["@context"]
        if not isinstance(context, (dict, list, str)):
            raise BadRequestDataError(
                f"@context: {context!r:.100} is neither an object, nor an array, nor a URL"
            )
        with contextlib.suppress(ContextUnavailableError):
            await asyncio.to_thread(self._compile, context)
        return (await self._put("Hosted", context, tenant)).id

    async def implicit_id(self, context: Any, *, tenant: str | None = None) -> str:
        """Give the id of the hosted copy of a @context that has no URL of its own; make it once."""
        key = (tenant, _text(context))
        known = self._implicit.get(key)
        if known is not None:
            return known
        entry = await self._put("ImplicitlyCreated", context, tenant)
        self._found(entry)
        self._implicit[key] = entry.id
        return entry.id

    async def implicit_url(self, context: Any, *, base_url: str, tenant: str | None = None) -> str:
        """Give a URL at which a @context is served that has no URL of its own."""
        return base_url + PATH + await self.implicit_id(context, tenant=tenant)

    async def _put(self, kind: Kind, context: Any, tenant: str | None) -> Entry:
        if len(self._stored) >= HOSTED_MAX:
            raise BadRequestDataError(
                f"@context: this node stores {HOSTED_MAX} at most; delete one first"
            )
        context_id = f"urn:ngsi-ld:Context:{uuid4()}"
        entry = Entry(context_id, kind, context, self._clock(), tenant=tenant)
        if self._store is not None:
            body = {
                "kind": kind,
                "context": context,
                "created_us": entry.created_us,
                "tenant": tenant,
            }
            await self._store.put_document(Document(DOCUMENT_KIND, entry.id, body))
        self._stored[entry.id] = entry
        return entry

    def list_entries(self, kind: Kind | None = None, *, tenant: str | None = None) -> list[Entry]:
        """List what a tenant sees stored, of one kind or all (clause 5.13.3)."""
        own = (entry for entry in self._stored.values() if entry.tenant == tenant)
        entries = [self._core_entry, *self._cached.values(), *own]
        return [entry for entry in entries if kind is None or entry.kind == kind]

    def get(self, context_id: str, *, tenant: str | None = None) -> Entry:
        """Give a stored @context by its id, or a cached one by its URL.

        Raises NotFoundError when there is none that the tenant sees.
        """
        if is_core_url(context_id) or context_id == self._core_entry.id:
            return self._core_entry
        stored = self._stored.get(context_id.rpartition(PATH)[2])
        if stored is not None and stored.tenant == tenant:
            return stored
        cached = self._cached.get(context_id)
        if cached is None:
            cached = next((one for one in self._cached.values() if one.id == context_id), None)
        if cached is None:
            raise NotFoundError(f"@context {context_id!r} isn't stored here")
        return cached

    def _found(self, entry: Entry) -> None:
        """Count that a @context was looked for and found (clause 5.13.3.5, numberOfHits)."""
        entry.hits += 1
        entry.last_used_us = self._clock()

    def serve(self, context_id: str, *, tenant: str | None = None) -> dict[str, Any]:
        """Give the document of a hosted or implicitly created @context (clause 5.13.4).

        Raises OperationNotSupportedError for a cached one, NotFoundError when there is none.
        """
        entry = self.get(context_id, tenant=tenant)
        if entry.kind == "Cached":
            raise OperationNotSupportedError(
                f"@context {context_id!r} is cached; it is served by its origin, {entry.url}"
            )
        self._found(entry)
        return {"@context": entry.context}

    async def delete(self, context_id: str, *, tenant: str | None = None) -> None:
        """Drop a stored @context (clause 5.13.5).

        A preloaded one is read from its file again when it is next needed. Raises NotFoundError
        when there is none, BadRequestDataError for the core @context.
        """
        entry = self.get(context_id, tenant=tenant)
        if entry is self._core_entry:
            raise BadRequestDataError(
                f"@context {context_id!r} is the core @context, which a node can't be without"
            )
        if entry.kind == "Cached":
            self._cached.pop(str(entry.url), None)
        else:
            if self._store is not None:
                await self._store.delete_document(DOCUMENT_KIND, entry.id)
            self._stored.pop(entry.id, None)
            self._implicit.pop((entry.tenant, _text(entry.context)), None)
        self._compiled.clear()

    async def reload(self, context_id: str, *, tenant: str | None = None) -> None:
        """Get a cached @context anew from its origin (clause 5.13.5).

        Raises BadRequestDataError when it isn't a cached one, ContextUnavailableError when its
        origin doesn't give a valid one; then nothing was changed.
        """
        try:
            entry = self.get(context_id, tenant=tenant)
        except NotFoundError:
            if is_uri(context_id):
                raise
            raise BadRequestDataError(
                f"@context {context_id!r} is neither the URL nor the id of a cached one"
            ) from None
        if entry.kind != "Cached":
            raise BadRequestDataError(
                f"@context {context_id!r} is {entry.kind}; only a cached one can be reloaded"
            )
        if entry is self._core_entry:
            return
        try:
            fresh = await asyncio.to_thread(self._download, str(entry.url))
            await asyncio.to_thread(compile_context, fresh.context, self._loaded)
        except InputError as error:
            raise unavailable(str(entry.url), f"what is there now isn't valid: {error}") from error
        self._keep(replace(fresh, hits=entry.hits, last_used_us=entry.last_used_us))
        self._compiled.clear()

    def _loaded(self, url: str) -> Any:
        return {"@context": self._resolve(url).context}


def local_id(url: str) -> str:
    """Give the local id of a cached @context: the same for the same URL on every node."""
    return f"urn:ngsi-ld:Context:{hashlib.sha256(url.encode()).hexdigest()[:32]}"


def _context_of(url: str, document: Any) -> Any:
    context = document.get("@context") if isinstance(document, dict) else None
    if context is None:
        raise BadRequestDataError(f"@context {url!r}: what is there has no member '@context'")
    return context


def _text(context: Any) -> bytes:
    """Write a @context value as a key: the same for the same value."""
    return orjson.dumps(context, option=orjson.OPT_SORT_KEYS)

"""@contexts: where they come from, what is kept, and that nothing is fetched unasked."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from conurb.access.outbound import Outbound
from conurb.errors import (
    BadRequestDataError,
    ConfigError,
    ContextUnavailableError,
    InputError,
    NotFoundError,
    OperationNotSupportedError,
)
from conurb.model.context import CORE_CONTEXT_URL, DEFAULT_VOCABULARY
from conurb.model.vocabulary import CONTEXT_URL, platform_context, platform_terms
from conurb.node.catalogue import read_catalogue
from conurb.node.context_fetch import Fetched, HttpFetch, unavailable
from conurb.node.contexts import PATH, Contexts
from conurb.store.contract import Document

URL = "https://example.org/city.jsonld"
IRI = "https://example.org/ns#population"
S = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.us = 1_000 * S

    def __call__(self) -> int:
        return self.us


class Origin:
    """Somewhere else: what it serves may change, and it may be away."""

    def __init__(self, documents: dict[str, Any], lifetime_s: int | None = None) -> None:
        self.documents = documents
        self.lifetime_s = lifetime_s
        self.asked: list[str] = []

    def __call__(self, url: str) -> Fetched:
        self.asked.append(url)
        if url not in self.documents:
            raise unavailable(url, "it answers 404")
        return Fetched(self.documents[url], self.lifetime_s)


class Documents:
    """The documents of a store, and nothing else of it."""

    def __init__(self) -> None:
        self.kept: dict[str, Document] = {}

    async def list_documents(self, kind: str) -> list[Document]:
        return [one for one in self.kept.values() if one.kind == kind]

    async def put_document(self, document: Document) -> None:
        self.kept[document.id] = document

    async def delete_document(self, kind: str, document_id: str) -> bool:
        return self.kept.pop(document_id, None) is not None


@pytest.fixture
def catalogue(tmp_path: Path) -> dict[str, Path]:
    file = tmp_path / "city.jsonld"
    file.write_bytes(orjson.dumps({"@context": {"population": IRI}}))
    return {URL: file}


async def test_preloaded_context_is_read_from_its_file(catalogue: dict[str, Path]) -> None:
    terms = await Contexts(catalogue).terms(URL)
    assert terms.expand("population") == IRI
    assert terms.compact(IRI) == "population"


async def test_without_fetching_an_unknown_context_is_unavailable_and_named() -> None:
    with pytest.raises(ContextUnavailableError, match=r"https://nowhere\.example/c"):
        await Contexts().terms("https://nowhere.example/c")


async def test_the_platforms_context_is_never_fetched_wherever_its_name_would_lead() -> None:
    origin = Origin({CONTEXT_URL: {"@context": {"population": "https://example.org/else"}}})
    contexts = Contexts(builtin={CONTEXT_URL: platform_context()}, fetch=origin)
    for _ in range(2):
        terms = await contexts.terms([CONTEXT_URL, {"extra": IRI}])
        assert terms.expand("population") == platform_terms().expand("population")
        await contexts.reload(CONTEXT_URL)
        await contexts.delete(CONTEXT_URL)
    assert origin.asked == []


async def test_no_context_is_the_core_context_whatever_version_is_named() -> None:
    contexts = Contexts()
    old = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.3.jsonld"
    for value in (None, CORE_CONTEXT_URL, old, [old, CORE_CONTEXT_URL]):
        assert (await contexts.terms(value)).expand("x") == DEFAULT_VOCABULARY + "x"


async def test_equal_contexts_are_compiled_once(catalogue: dict[str, Path]) -> None:
    contexts = Contexts(catalogue)
    first = await contexts.terms([URL, {"a": "https://example.org/a"}])
    again = await contexts.terms([URL, {"a": "https://example.org/a"}])
    assert first is again
    both = await asyncio.gather(contexts.terms(URL), contexts.terms(URL))
    assert both[0] is both[1]


async def test_compiled_contexts_are_bounded() -> None:
    contexts = Contexts(terms_max=4)
    for number in range(20):
        await contexts.terms({"a": f"https://example.org/{number}"})
    assert len(contexts._compiled) == 4


async def test_fetched_context_is_kept_until_its_time_is_over() -> None:
    clock = Clock()
    origin = Origin({URL: {"@context": {"p": "https://example.org/1"}}}, lifetime_s=60)
    contexts = Contexts(fetch=origin, clock=clock)
    assert (await contexts.terms(URL)).expand("p") == "https://example.org/1"
    origin.documents[URL] = {"@context": {"p": "https://example.org/2"}}
    clock.us += 59 * S
    assert (await contexts.terms(URL)).expand("p") == "https://example.org/1"
    assert origin.asked == [URL]
    clock.us += 2 * S
    assert (await contexts.terms(URL)).expand("p") == "https://example.org/2"


async def test_a_context_whose_origin_is_away_is_used_on() -> None:
    clock = Clock()
    origin = Origin({URL: {"@context": {"p": "https://example.org/1"}}}, lifetime_s=60)
    contexts = Contexts(fetch=origin, clock=clock)
    await contexts.terms(URL)
    del origin.documents[URL]
    clock.us += 61 * S
    assert (await contexts.terms(URL)).expand("p") == "https://example.org/1"


async def test_hosted_context_is_served_used_and_survives_a_restart() -> None:
    store: Any = Documents()
    contexts = Contexts()
    await contexts.attach(store)
    context_id = await contexts.add({"@context": {"population": IRI}, "other": "dropped"})
    assert contexts.serve(context_id) == {"@context": {"population": IRI}}
    again = Contexts()
    await again.attach(store)
    assert again.serve(context_id) == {"@context": {"population": IRI}}
    terms = await again.terms("http://any.host:1" + PATH + context_id)
    assert terms.expand("population") == IRI


@pytest.mark.parametrize(
    "document",
    [{}, [], "text", {"@context": 5}, {"@context": {"a": {"@id": 7}}}, {"@context": [1]}],
)
async def test_what_is_no_context_is_not_hosted(document: Any) -> None:
    contexts = Contexts()
    with pytest.raises(InputError, match="@context"):
        await contexts.add(document)
    assert contexts.list_entries("Hosted") == []


async def test_hosted_contexts_are_seen_by_their_tenant_alone() -> None:
    contexts = Contexts()
    context_id = await contexts.add({"@context": {"population": IRI}}, tenant="wuxi")
    assert contexts.serve(context_id, tenant="wuxi")
    assert [one.id for one in contexts.list_entries("Hosted", tenant="wuxi")] == [context_id]
    for other in (None, "hefei"):
        assert contexts.list_entries("Hosted", tenant=other) == []
        with pytest.raises(NotFoundError):
            contexts.serve(context_id, tenant=other)
        with pytest.raises(NotFoundError):
            await contexts.delete(context_id, tenant=other)


async def test_a_context_may_be_hosted_before_what_it_names_is_there() -> None:
    contexts = Contexts()
    context_id = await contexts.add({"@context": ["https://nowhere.example/c"]})
    assert contexts.serve(context_id) == {"@context": ["https://nowhere.example/c"]}


async def test_implicit_context_is_made_once_for_equal_values() -> None:
    store: Any = Documents()
    contexts = Contexts()
    await contexts.attach(store)
    value = [URL, {"a": "https://example.org/a"}]
    first = await contexts.implicit_id(value)
    assert await contexts.implicit_id(list(value)) == first
    again = Contexts()
    await again.attach(store)
    assert await again.implicit_id(value) == first


async def test_cached_context_is_listed_not_served_and_deleted(catalogue: dict[str, Path]) -> None:
    contexts = Contexts(catalogue)
    await contexts.terms(URL)
    entry = contexts.get(URL)
    assert (entry.kind, contexts.get(entry.id)) == ("Cached", entry)
    with pytest.raises(OperationNotSupportedError):
        contexts.serve(URL)
    await contexts.delete(URL)
    with pytest.raises(NotFoundError):
        contexts.get(URL)
    assert (await contexts.terms(URL)).expand("population") == IRI


async def test_deleted_hosted_context_is_gone_for_names_too() -> None:
    contexts = Contexts()
    context_id = await contexts.add({"@context": {"population": IRI}})
    url = "http://here" + PATH + context_id
    await contexts.terms(url)
    await contexts.delete(context_id)
    with pytest.raises(ContextUnavailableError):
        await contexts.terms(url)


async def test_reload_takes_the_new_document_and_a_failed_one_keeps_the_old() -> None:
    origin = Origin({URL: {"@context": {"p": "https://example.org/1"}}})
    contexts = Contexts(fetch=origin)
    await contexts.terms(URL)
    origin.documents[URL] = {"@context": {"p": "https://example.org/2"}}
    await contexts.reload(URL)
    assert (await contexts.terms(URL)).expand("p") == "https://example.org/2"
    for broken in ({"no": "context"}, {"@context": {"p": {"@id": 7}}}):
        origin.documents[URL] = broken
        with pytest.raises(ContextUnavailableError):
            await contexts.reload(URL)
        assert (await contexts.terms(URL)).expand("p") == "https://example.org/2"


async def test_only_cached_contexts_are_reloaded() -> None:
    contexts = Contexts()
    context_id = await contexts.add({"@context": {"population": IRI}})
    with pytest.raises(BadRequestDataError, match="Hosted"):
        await contexts.reload(context_id)
    with pytest.raises(NotFoundError):
        await contexts.reload(URL)


async def test_core_context_cannot_be_deleted() -> None:
    with pytest.raises(BadRequestDataError, match="core"):
        await Contexts().delete(CORE_CONTEXT_URL)


def test_fetching_passes_the_allow_list() -> None:
    fetch = HttpFetch(Outbound(["allowed.example"]), timeout_s=1, bytes_max=1000)
    with pytest.raises(ContextUnavailableError, match="may not send"):
        fetch("http://169.254.169.254/latest")
    with pytest.raises(ContextUnavailableError, match="not a URL"):
        fetch("file:///etc/passwd")


def test_catalogue_names_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    for content in (b"{", b"[]", b'{"https://x": "missing.jsonld"}'):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match="catalog"):
            read_catalogue(file)

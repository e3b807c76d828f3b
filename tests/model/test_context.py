"""Names and IRIs: what a compiled @context expands and compacts (clauses 4.4, 5.5.7)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from conurb.errors import BadRequestDataError, ContextUnavailableError
from conurb.model.context import (
    CORE_CONTEXT_URL,
    DEFAULT_VOCABULARY,
    Terms,
    compile_context,
    core_terms,
    without_core,
)

NGSI = "https://uri.etsi.org/ngsi-ld/"
DOCUMENTS = {
    "https://example.org/vehicle.jsonld": {
        "@context": {
            "ex": "https://example.org/",
            "speed": "ex:speed",
            "owner": {"@id": "https://example.org/owner", "@type": "@id"},
            "location": "ex:elsewhere",
            "kind": "@type",
            "gone": None,
        }
    },
    "https://example.org/compound.jsonld": {
        "@context": [
            "https://example.org/vehicle.jsonld",
            {"plate": "https://example.org/plate"},
            "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.3.jsonld",
        ]
    },
}


def load(url: str) -> Any:
    try:
        return DOCUMENTS[url]
    except KeyError:
        raise ContextUnavailableError(f"{url} can't be resolved") from None


@pytest.fixture(scope="module")
def terms() -> Terms:
    return compile_context("https://example.org/compound.jsonld", load)


def test_the_core_context_alone_is_the_default() -> None:
    assert compile_context(None, load) is core_terms()
    assert compile_context([CORE_CONTEXT_URL], load) is core_terms()
    assert core_terms().expand("observationSpace") == NGSI + "observationSpace"
    assert core_terms().expand("description") == "http://purl.org/dc/terms/description"


def test_unknown_names_go_to_the_default_vocabulary_and_come_back(terms: Terms) -> None:
    assert terms.expand("人口") == DEFAULT_VOCABULARY + "人口"
    assert terms.compact(DEFAULT_VOCABULARY + "人口") == "人口"


def test_terms_of_nested_and_remote_contexts_are_known(terms: Terms) -> None:
    assert terms.expand("speed") == "https://example.org/speed"
    assert terms.expand("owner") == "https://example.org/owner"
    assert terms.expand("plate") == "https://example.org/plate"
    assert terms.source == "https://example.org/compound.jsonld"


def test_a_later_context_wins_over_an_earlier_one() -> None:
    terms = compile_context(
        ["https://example.org/vehicle.jsonld", {"speed": "https://other.org/speed"}], load
    )
    assert terms.expand("speed") == "https://other.org/speed"


@pytest.mark.parametrize("order", [0, 1])
def test_a_user_cannot_override_a_core_term_wherever_the_core_context_stands(order: int) -> None:
    mine = {"location": "https://example.org/loc", "type": "https://example.org/t", "a": "urn:a:b"}
    parts = [CORE_CONTEXT_URL, mine] if order else [mine, CORE_CONTEXT_URL]
    terms = compile_context(parts, load)
    assert terms.expand("location") == NGSI + "location"
    assert terms.expand("a") == "urn:a:b"
    assert terms.aliases["type"] == "type"


def test_the_vocabulary_of_the_core_context_wins_over_a_users() -> None:
    terms = compile_context({"@vocab": "https://example.org/v#", "own": "urn:x:own"}, load)
    assert terms.expand("anything") == DEFAULT_VOCABULARY + "anything"
    assert terms.expand("own") == "urn:x:own"


def test_prefixed_names_expand_and_compact(terms: Terms) -> None:
    assert terms.expand("ex:wheel") == "https://example.org/wheel"
    assert terms.compact("https://example.org/wheel") == "ex:wheel"
    assert terms.expand("ngsi-ld:status") == NGSI + "status"


def test_an_iri_is_its_own_expansion_and_stays_when_nothing_matches(terms: Terms) -> None:
    for iri in ("https://nowhere.net/x", "urn:x:y"):
        assert terms.expand(iri) == iri
        assert terms.compact(iri) == iri


def test_a_name_with_two_terms_compacts_to_the_shorter() -> None:
    terms = compile_context({"velocity": "urn:x:v", "v": "urn:x:v", "w": "urn:x:v"}, load)
    assert terms.compact("urn:x:v") == "v"


def test_a_term_that_hides_a_default_name_is_not_compacted_to() -> None:
    terms = compile_context({"speed": "urn:x:speed"}, load)
    hidden = DEFAULT_VOCABULARY + "speed"
    assert terms.compact(hidden) == "ngsi-ld:default-context/speed"
    assert terms.expand("ngsi-ld:default-context/speed") == hidden
    assert terms.expand(hidden) == hidden


def test_an_aliased_keyword_cannot_name_an_attribute(terms: Terms) -> None:
    assert terms.aliases["kind"] == "type"
    with pytest.raises(BadRequestDataError, match="kind"):
        terms.expand("kind")


def test_a_name_mapped_to_nothing_is_refused(terms: Terms) -> None:
    with pytest.raises(BadRequestDataError, match="gone"):
        terms.expand("gone")


@pytest.mark.parametrize("name", ["", "1st", "a b", "a-b", "_x", "a<b", "@id", "x" * 2000, 5, None])
def test_what_is_not_a_name_is_refused(name: Any) -> None:
    with pytest.raises(BadRequestDataError):
        core_terms().expand(name)


def test_what_cannot_be_resolved_is_said() -> None:
    with pytest.raises(ContextUnavailableError, match="nowhere"):
        compile_context(["https://example.org/nowhere.jsonld"], load)


@pytest.mark.parametrize(
    "context",
    [
        5,
        {"a": 5},
        {"a": {"@id": "urn:x:a", "@context": {"b": "urn:x:b"}}},
        {"a": "relative"},
        ["https://example.org/vehicle.jsonld", 7],
    ],
    ids=["number", "number-term", "scoped", "relative", "number-in-array"],
)
def test_an_invalid_context_is_refused(context: Any) -> None:
    with pytest.raises(BadRequestDataError, match="@context"):
        compile_context(context, load)


def test_a_context_that_includes_itself_ends() -> None:
    loop = {"@context": ["https://example.org/loop.jsonld"]}
    with pytest.raises(BadRequestDataError, match="@context"):
        compile_context("https://example.org/loop.jsonld", lambda _url: loop)


def test_words_of_a_vocabulary_need_not_be_names() -> None:
    core = core_terms()
    assert core.expand_value("non-commercial") == DEFAULT_VOCABULARY + "non-commercial"
    assert core.compact_value(DEFAULT_VOCABULARY + "non-commercial") == "non-commercial"
    assert core.compact_value(core.expand_value("Male")) == "Male"


def test_taking_the_core_context_out_keeps_the_rest() -> None:
    assert without_core(None) is None
    assert without_core(CORE_CONTEXT_URL) is None
    assert without_core([CORE_CONTEXT_URL, [CORE_CONTEXT_URL]]) is None
    assert without_core(["https://a.org", CORE_CONTEXT_URL]) == "https://a.org"
    assert without_core([{"a": "urn:a:b"}, "https://a.org"]) == [{"a": "urn:a:b"}, "https://a.org"]


def test_threads_share_terms() -> None:
    terms = compile_context({"ex": "https://example.org/"}, load)
    names = [f"name{i % 50}" for i in range(2000)]
    with ThreadPoolExecutor(8) as pool:
        expanded = list(pool.map(terms.expand, names))
        compacted = list(pool.map(terms.compact, expanded))
    assert compacted == names

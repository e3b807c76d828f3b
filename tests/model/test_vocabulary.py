"""The platform's @context and the names of its terms for people."""

from __future__ import annotations

import json
import re

from conurb.model.context import compile_context, core_context
from conurb.model.vocabulary import (
    CONTEXT_PATH,
    CONTEXT_URL,
    find_label,
    labels,
    platform_context,
    platform_terms,
)


def test_every_term_has_a_name_in_both_languages_and_every_name_a_term() -> None:
    own = {term for term in platform_context()["@context"] if term not in ("@version", "conurb")}
    known = own | set(core_context()["@context"])
    assert own <= set(labels())
    assert set(labels()) <= known
    for names in labels().values():
        assert set(names) == {"zh", "en"}
        assert re.search(r"[\u4e00-\u9fff]", names["zh"])
        assert names["en"].isascii()


def test_no_term_hides_one_of_the_core_context() -> None:
    assert not set(platform_context()["@context"]) - {"@version"} & set(core_context()["@context"])


def test_terms_expand_and_come_back() -> None:
    terms = platform_terms()
    for term in platform_context()["@context"]:
        if term not in ("@version", "conurb"):
            assert terms.compact(terms.expand(term)) == term
    assert terms.expand("City") == "https://w3id.org/conurb/vocab#City"
    assert terms.expand("Device") == "https://smartdatamodels.org/dataModel.Device/Device"
    assert terms.source == CONTEXT_URL


def test_the_url_ends_in_the_path_that_nodes_serve() -> None:
    assert CONTEXT_URL.endswith(CONTEXT_PATH)


def test_the_document_is_what_a_client_would_compile() -> None:
    document = json.loads(json.dumps(platform_context()))
    terms = compile_context(document["@context"], lambda url: {})
    assert terms.expand("gdp") == platform_terms().expand("gdp")


def test_labels_are_found_by_term_and_by_iri() -> None:
    assert find_label("City", "zh") == "城市"
    assert find_label(platform_terms().expand("City"), "en") == "City"
    assert find_label("https://example.org/unknown", "en") is None

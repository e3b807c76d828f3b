"""Term maps against the general JSON-LD processor (PyLD): the same IRIs, the same short names.

The processor reads `[user @context, core @context]` as clause 4.4 asks. Where it drops what a
@context maps to nothing, the term map refuses; where it would write `ngsi-ld:default-context/x`,
which is no name (clause 4.6.2), the term map gives the fully qualified name.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyld import jsonld

from conurb.errors import BadRequestDataError
from conurb.model.context import compile_context, core_context

CORE = {
    term: {k: v for k, v in definition.items() if k != "@context"}
    if isinstance(definition, dict)
    else definition
    for term, definition in core_context()["@context"].items()
}
NAMES = ("speed", "name", "City", "location", "status", "ex", "a", "unknown", "temperature")
IRIS = (
    "https://example.org/",
    "https://example.org/speed",
    "https://uri.etsi.org/ngsi-ld/speed",
    "https://uri.etsi.org/ngsi-ld/default-context/name",
    "urn:x:y",
    "ex:wheel",
)
definitions = st.sampled_from(IRIS) | st.sampled_from(IRIS).flatmap(
    lambda iri: st.sampled_from([{"@id": iri}, {"@id": iri, "@type": "@id"}])
)
contexts = st.dictionaries(st.sampled_from(NAMES), definitions, max_size=5)
EXPANDED = (*NAMES, "ex:wheel", "ngsi-ld:x", "https://example.org/direct", "urn:x:y")


def no_load(url: str) -> Any:
    raise AssertionError(url)


@settings(deadline=None, max_examples=60)
@given(context=st.lists(contexts, min_size=1, max_size=2), name=st.sampled_from(EXPANDED))
def test_names_expand_as_the_processor_expands_them(context: Any, name: str) -> None:
    try:
        terms = compile_context(context, no_load)
    except BadRequestDataError:
        with pytest.raises(jsonld.JsonLdError):
            jsonld.expand({"@context": [*context, CORE], "@id": "urn:x:1", "unknown": 1})
        return
    document = {"@context": [*context, CORE], "@id": "urn:x:1", name: {"@id": "urn:x:2"}}
    (node,) = jsonld.expand(document)
    expected = next(key for key in node if key != "@id")
    assert terms.expand(name) == expected
    assert terms.expand(terms.compact(expected)) == expected


@settings(deadline=None, max_examples=60)
@given(context=contexts, name=st.sampled_from(EXPANDED))
def test_iris_compact_to_what_the_processor_understands(context: Any, name: str) -> None:
    try:
        terms = compile_context(context, no_load)
    except BadRequestDataError:
        return
    iri = terms.expand(name)
    short = terms.compact(iri)
    (node,) = jsonld.expand(
        {"@context": [context, CORE], "@id": "urn:x:1", short: {"@id": "urn:x:2"}}
    )
    assert iri in node

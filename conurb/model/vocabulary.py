"""The platform's own @context, versioned, and the names of its terms for people (zh, en).

Every node knows the document under `CONTEXT_URL` without fetching anything, and serves it at
`CONTEXT_PATH`. Types and attributes of the Smart Data Models keep their IRIs there, so that data of
any FIWARE city fits. A published version never changes its terms; it may gain some.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

from conurb.model.context import Terms, compile_context

Language = Literal["zh", "en"]

VERSION: Final = "v1"
CONTEXT_URL: Final = f"https://w3id.org/conurb/contexts/conurb-{VERSION}.jsonld"
"""The permanent name of the platform's @context; what a client gives when it means this one."""

CONTEXT_PATH: Final = f"/contexts/conurb-{VERSION}.jsonld"
"""Where a node serves it."""

LABELS_PATH: Final = f"/contexts/conurb-{VERSION}.labels.json"
"""Where a node serves the names of its terms."""


@cache
def platform_context() -> Mapping[str, Any]:
    """Give the document of the platform's @context."""
    document: Mapping[str, Any] = _read(f"conurb-{VERSION}.jsonld")
    return document


@cache
def platform_terms() -> Terms:
    """Give the platform's @context, compiled; its `source` is `CONTEXT_URL`."""
    return compile_context(CONTEXT_URL, lambda _url: platform_context())


@cache
def labels() -> Mapping[str, Mapping[Language, str]]:
    """Give the names for people of every term: term to language to text."""
    names: Mapping[str, Mapping[Language, str]] = _read(f"conurb-{VERSION}.labels.json")
    return names


@cache
def _labels_by_iri() -> Mapping[str, Mapping[Language, str]]:
    terms = platform_terms()
    return {terms.expand(term): names for term, names in labels().items() if term != "scope"}


def find_label(name: str, language: Language) -> str | None:
    """Find the name for people of a term or IRI; None when the platform has none.

    >>> find_label("population", "zh")
    '常住人口'
    """
    names = labels().get(name) or _labels_by_iri().get(name)
    return names[language] if names else None


def _read(name: str) -> Any:
    return json.loads(files("conurb.model").joinpath("data", name).read_text(encoding="utf-8"))

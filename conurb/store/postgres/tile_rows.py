"""What a tile says of an object, in SQL: the meaning is that of `conurb.model.render.flat`.

At once from `flat` where an object has plain values alone, else from its document. Texts, numbers
and booleans are said; lists and objects aren't.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

from conurb.model.context import DEFAULT_VOCABULARY
from conurb.model.render.flat import DATASET_PREFIX, OF_ENTITY, FlatView, flat_attribute
from conurb.model.render.language import parse_lang
from conurb.model.vocabulary import labels, platform_terms
from conurb.store.postgres.sources import FALSE

if TYPE_CHECKING:
    from conurb.store.postgres.names import Names
    from conurb.store.postgres.sources import Arguments

AT_ONCE_MAX: Final = 40
"""Properties that are taken from `flat` in one expression."""

_NOT_PLAIN: Final = ('"datasetId"', '"VocabProperty"')
"""What in a document says that `flat` isn't the whole truth of its keys."""


_SAID: Final = "('string', 'number', 'boolean')"
_HEAD: Final = "jsonb_build_object('id', e.id)"


def properties_sql(view: FlatView, names: Names, arguments: Arguments) -> str:
    """Give the properties of an entity `e` as a jsonb expression."""
    general = f"({_HEAD} || {_from_document(_wanted(view, names), view, arguments)})"
    found = plain_sql(view, names, arguments)
    if found is None:
        return general
    irregular, plain = found
    return plain if irregular == FALSE else f"CASE WHEN {irregular} THEN {general} ELSE {plain} END"


def plain_sql(view: FlatView, names: Names, arguments: Arguments) -> tuple[str, str] | None:
    """Give the properties of an entity `e` out of `flat`, after the predicate of those that can't.

    None when what is asked isn't in `flat`. What an object doesn't have is null.
    """
    if view.names is None or view.names & OF_ENTITY:
        return None
    keys = _keys(view.names)
    if len(keys) > AT_ONCE_MAX or any("@" in key for key in keys):
        return None
    expand = platform_terms().expand
    asked = [(key, names.find_tid(expand(key))) for key in keys]
    known = [(key, f"(e.flat -> '{tid}')") for key, tid in asked if tid is not None]
    if not known:
        return FALSE, _HEAD
    members = ", ".join(
        f"{arguments.add(key, 'text')}, "
        f"CASE WHEN jsonb_typeof({value}) = 'array' THEN {value} -> 0 ELSE {value} END"
        for key, value in known
    )
    irregular = " OR ".join(f"jsonb_typeof({value}) = 'null'" for _, value in known)
    marked = " OR ".join(f"strpos(e.doc, '{mark}') > 0" for mark in _NOT_PLAIN)
    return (
        f"(coalesce({irregular}, false) OR {marked})",
        f"jsonb_build_object('id', e.id, {members})",
    )


def _keys(asked: frozenset[str]) -> list[str]:
    return [key for key in sorted(asked) if key != "id" and key not in OF_ENTITY]


def _wanted(view: FlatView, names: Names) -> list[tuple[str, str, str | None]]:
    """Give what is looked for in a document: IRI, term, and the one key that is meant."""
    terms = platform_terms()
    if view.names is None:
        return [(iri, terms.compact(iri), None) for iri in names.list_iris()]
    return [
        (flat_attribute(key, terms)[0], key.partition("@")[0], key if "@" in key else None)
        for key in _keys(view.names)
    ]


def _from_document(
    wanted: Sequence[tuple[str, str, str | None]], view: FlatView, arguments: Arguments
) -> str:
    """Give keys and values out of the document: of (IRI, term, the one key that is meant)."""
    columns = ", ".join(arguments.add([one[n] for one in wanted], "text[]") for n in range(3))
    prefix = arguments.add(DATASET_PREFIX, "text")
    dataset = "(i.node ->> 'datasetId')"
    short = (
        f"CASE WHEN starts_with({dataset}, {prefix}) "
        f"THEN substr({dataset}, {len(DATASET_PREFIX) + 1}) ELSE {dataset} END"
    )
    return (
        "(SELECT coalesce(jsonb_object_agg(v.k, v.v), '{}') FROM ("
        f"SELECT w.term || coalesce('@' || {short}, '') AS k, w.key AS key, "
        f"{_value(view.lang, arguments)} AS v "
        f"FROM (SELECT e.doc::jsonb AS doc OFFSET 0) d, unnest({columns}) w (iri, term, key), "
        "jsonb_array_elements(d.doc -> w.iri) i (node)) v "
        f"WHERE (v.key IS NULL OR v.key = v.k) AND jsonb_typeof(v.v) IN {_SAID})"
    )


def _value(lang: str, arguments: Arguments) -> str:
    """Give the value of an instance `i.node`."""
    return (
        "CASE i.node ->> 'type' "
        "WHEN 'Property' THEN coalesce(i.node -> 'value' -> '@value', i.node -> 'value') "
        f"WHEN 'LanguageProperty' THEN {_text(lang, arguments)} "
        "WHEN 'Relationship' THEN i.node -> 'object' "
        "WHEN 'JsonProperty' THEN coalesce(i.node -> 'json' -> '@value', i.node -> 'json') "
        f"WHEN 'VocabProperty' THEN {_word(arguments)} END"
    )


def _word(arguments: Arguments) -> str:
    """Give the term of a word of a vocabulary."""
    iris = list(_vocabulary())
    names = arguments.add([_vocabulary()[iri] for iri in iris], "text[]")
    known = f"({names})[array_position({arguments.add(iris, 'text[]')}, i.node ->> 'vocab')]"
    default = arguments.add(DEFAULT_VOCABULARY, "text")
    word = "(i.node ->> 'vocab')"
    own = (
        f"CASE WHEN starts_with({word}, {default}) "
        f"THEN substr({word}, {len(DEFAULT_VOCABULARY) + 1}) ELSE {word} END"
    )
    return (
        "CASE WHEN jsonb_typeof(i.node -> 'vocab') = 'string' "
        f"THEN to_jsonb(coalesce({known}, {own})) END"
    )


def _text(lang: str, arguments: Arguments) -> str:
    """Give the text of a language map that is chosen (`render.language.choose_language`)."""
    tags: list[tuple[str, bool]] = []
    for wanted in parse_lang(lang):
        if wanted == "*":
            break
        tag = wanted.lower()
        tags.append((tag, False))
        while "-" in tag:
            tag = tag.rpartition("-")[0]
            tags.append((tag, True))
    asked = arguments.add([tag for tag, _ in tags], "text[]")
    exact = arguments.add([alone for _, alone in tags], "boolean[]")
    return (
        "(SELECT m.value FROM jsonb_each(i.node -> 'languageMap') m LEFT JOIN "
        f"unnest({asked}, {exact}) WITH ORDINALITY c (tag, exact, n) ON lower(m.key) = c.tag "
        "OR (NOT c.exact AND starts_with(lower(m.key), c.tag || '-')) "
        "ORDER BY c.n NULLS LAST, lower(m.key) <> c.tag, m.key <> '@none', length(m.key), "
        'm.key COLLATE "C" LIMIT 1)'
    )


@cache
def _vocabulary() -> Mapping[str, str]:
    """Give the words of the platform by their IRIs."""
    terms = platform_terms()
    return {terms.expand(term): term for term in labels() if term != "scope"}

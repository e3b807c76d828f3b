"""Names and IRIs: a JSON-LD @context, compiled once into two dictionaries.

The general JSON-LD processor (PyLD) reads a user's @context a single time; after that, expanding
or compacting a name is a look-up (2 ms became 0.1 us). The core @context v1.9 ships with the
package (ETSI, BSD-3-Clause), is processed last and can't be overridden, wherever a user's
@context mentions it (ETSI GS CIM 009 v1.9.1, clauses 4.4, 5.5.5 and 5.5.7). So its `@vocab` wins
over a user's, as in any JSON-LD processor that reads the core @context last.

`Terms` is immutable as far as anybody can see and may be shared by threads: its caches only ever
gain what a look-up would give anyway. Who calls keeps compiled Terms (`conurb.node.contexts`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from conurb.errors import BadRequestDataError, ConurbError
from conurb.model.names import check_name

CORE_CONTEXT_URL: Final = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.9.jsonld"
"""The core @context that this node speaks."""

DEFAULT_VOCABULARY: Final = "https://uri.etsi.org/ngsi-ld/default-context/"
"""Where a name goes that no @context maps."""

CORE_PREFIX: Final = "https://uri.etsi.org/ngsi-ld/"
"""The IRIs of the standard's own terms."""

TERMS_MAX: Final = 20_000
"""How many terms one compiled @context may have."""

CACHE_MAX: Final = 20_000
"""How many names one Terms remembers beyond its own."""

_CORE_FILE: Final = "ngsi-ld-core-context-v1.9.jsonld"
_CORE_URL: Final = re.compile(
    r"https?://uri\.etsi\.org/ngsi-ld/v1/ngsi-ld-core-context(-v\d+(\.\d+){0,2})?\.jsonld", re.ASCII
)

ContextValue = Any
"""The value of a member `@context`: a URL, an object of terms, or an array of both."""


def is_core_url(url: Any) -> bool:
    """Whether a URL is that of the core @context, of whichever version."""
    return isinstance(url, str) and _CORE_URL.fullmatch(url) is not None


class Terms:
    """One compiled @context: from a name to its IRI and back.

    `source` is the user's @context as given, without the core @context; None when there is none.
    `aliases` are words for `id` and `type` (JSON-LD keyword aliases); `renames` says whether a user
    has words of their own.
    """

    __slots__ = ("_compacted", "_expanded", "_nothing", "_prefixes", "aliases", "renames", "source")

    def __init__(
        self,
        source: ContextValue,
        terms: Mapping[str, str],
        prefixes: Mapping[str, str],
        *,
        aliases: Mapping[str, str] | None = None,
        nothing: Iterable[str] = (),
    ) -> None:
        self.source = source
        self.aliases: Mapping[str, str] = dict(aliases or {})
        self.renames = any(term != keyword for term, keyword in self.aliases.items())
        self._nothing = frozenset(nothing)
        self._prefixes = dict(prefixes)
        self._expanded: dict[str, str] = {}
        self._compacted: dict[str, str] = {}
        for term, iri in sorted(terms.items(), key=lambda item: (len(item[0]), item[0])):
            self._expanded[term] = iri
            self._compacted.setdefault(iri, term)

    def expand(self, term: str) -> str:
        """Expand the name of a type or attribute to its IRI.

        An absolute IRI is given back, an unknown name gets the default vocabulary. Raises
        BadRequestDataError when it isn't a name (clause 4.6.2), or when the @context maps it to
        nothing or to a JSON-LD keyword.

        >>> core_terms().expand("population")
        'https://uri.etsi.org/ngsi-ld/default-context/population'
        """
        try:
            return self._expanded[term]
        except (KeyError, TypeError):
            return self._expand_new(term)

    def _expand_new(self, term: Any) -> str:
        name = check_name(term)
        if name in self._nothing:
            raise BadRequestDataError(f"{name}: the @context maps this name to nothing")
        if name in self.aliases:
            raise BadRequestDataError(
                f"{name}: stands for the JSON-LD keyword {self.aliases[name]}, "
                "and can't name a type or an attribute"
            )
        prefix, colon, suffix = name.partition(":")
        if not colon:
            iri = DEFAULT_VOCABULARY + name
        elif prefix in self._prefixes and not suffix.startswith("//"):
            iri = self._prefixes[prefix] + suffix
        else:
            iri = name
        if len(self._expanded) < CACHE_MAX + TERMS_MAX:
            self._expanded[name] = iri
        return iri

    def compact(self, iri: str) -> str:
        """Compact an IRI to the shortest name or prefix:name that expands to it again.

        What stands after the prefix may be anything, as in JSON-LD. Without one the IRI is given
        back: a fully qualified name (clause 5.5.7).

        >>> core_terms().compact("https://uri.etsi.org/ngsi-ld/default-context/population")
        'population'
        """
        try:
            return self._compacted[iri]
        except KeyError:
            return self._compact_new(iri)

    def _compact_new(self, iri: str) -> str:
        name = iri
        if iri.startswith(DEFAULT_VOCABULARY):
            candidate = iri[len(DEFAULT_VOCABULARY) :]
            if self._expands_to(candidate, iri):
                name = candidate
        if name == iri:
            candidates = [
                f"{prefix}:{iri[len(base) :]}"
                for prefix, base in self._prefixes.items()
                if iri.startswith(base) and len(iri) > len(base)
            ]
            fitting = [c for c in candidates if self._expands_to(c, iri)]
            name = min(fitting, key=lambda c: (len(c), c), default=iri)
        if len(self._compacted) < CACHE_MAX + TERMS_MAX:
            self._compacted[iri] = name
        return name

    def _expands_to(self, name: str, iri: str) -> bool:
        try:
            return self.expand(name) == iri
        except BadRequestDataError:
            return False

    def expand_value(self, text: str) -> str:
        """Expand a word of a vocabulary (VocabProperty, objectType, valueType; `@type: @vocab`).

        A text that can't be a name goes under the default vocabulary as it is, as JSON-LD does.
        """
        try:
            return self.expand(text)
        except BadRequestDataError:
            return text if ":" in text else DEFAULT_VOCABULARY + text

    def compact_value(self, iri: str) -> str:
        """Compact what `expand_value` gave."""
        if iri.startswith(DEFAULT_VOCABULARY):
            rest = iri[len(DEFAULT_VOCABULARY) :]
            if self.expand_value(rest) == iri:
                return rest
        return self.compact(iri)


def compile_context(context: ContextValue, load: Callable[[str], Any]) -> Terms:
    """Compile a user's @context, with the core @context last and protected.

    `load` gives the document (or the bare @context) at a URL and raises ContextUnavailableError
    when it can't; it is never asked for the core @context. Raises BadRequestDataError when the
    @context isn't valid JSON-LD, or has scoped contexts (clause 5.5.7).
    """
    source = without_core(context)
    if source is None:
        return core_terms()
    mappings = _process(source, load)
    if len(mappings) > TERMS_MAX:
        raise BadRequestDataError(
            f"@context: {len(mappings)} terms; at most {TERMS_MAX} are allowed"
        )
    core = _core_mappings()
    terms: dict[str, str] = {}
    prefixes: dict[str, str] = {}
    aliases: dict[str, str] = {}
    nothing = []
    for term, mapping in {**mappings, **core}.items():
        iri = mapping and mapping.get("@id")
        if not iri:
            nothing.append(term)
        elif iri in ("@id", "@type"):
            aliases[term] = iri[1:]
        elif not iri.startswith("@") and not mapping.get("reverse"):
            terms[term] = iri
            if mapping.get("_prefix"):
                prefixes[term] = iri
    return Terms(source, terms, prefixes, aliases=aliases, nothing=nothing)


def without_core(context: ContextValue) -> ContextValue:
    """Take the core @context out of a @context value; None when nothing else is left.

    >>> without_core(["https://example.org/c.jsonld", CORE_CONTEXT_URL])
    'https://example.org/c.jsonld'
    """
    if context is None or is_core_url(context):
        return None
    if not isinstance(context, list):
        return None if context == {} else context
    rest = [part for part in map(without_core, context) if part is not None]
    if not rest:
        return None
    return rest[0] if len(rest) == 1 else rest


@cache
def core_terms() -> Terms:
    """Give the core @context alone, compiled."""
    core = _core_mappings()
    names = {term: str(m["@id"]) for term, m in core.items() if not m["@id"].startswith("@")}
    prefixes = {term: iri for term, iri in names.items() if core[term].get("_prefix")}
    aliases = {term: m["@id"][1:] for term, m in core.items() if m["@id"].startswith("@")}
    return Terms(None, names, prefixes, aliases=aliases)


@cache
def core_context() -> Mapping[str, Any]:
    """Give the core @context's document, as ETSI publishes it."""
    text = files("conurb.model").joinpath("data", _CORE_FILE).read_text(encoding="utf-8")
    document: Mapping[str, Any] = json.loads(text)
    return document


@cache
def _core_mappings() -> Mapping[str, Mapping[str, Any]]:
    body = dict(core_context()["@context"])
    # The proof's scoped context names a document of the W3C that only adds what nobody asks for;
    # its two terms of the standard are taken as terms, so that nothing is ever fetched.
    proof = dict(body["ngsildproof"])
    own = proof.pop("@context")[0]
    body["ngsildproof"] = proof
    for term, definition in own.items():
        body[term] = definition
    return _process(body, _load_nothing)


def _load_nothing(url: str) -> Any:
    raise BadRequestDataError(f"the core @context refers to {url}")


def _process(context: ContextValue, load: Callable[[str], Any]) -> Mapping[str, Any]:
    from pyld import jsonld

    def document(url: str, _options: Any) -> dict[str, Any]:
        body = {} if is_core_url(url) else _check_scoped(_context_of(load(url), url))
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": {"@context": body},
        }

    options = {
        "base": "",
        "documentLoader": document,
        "processingMode": "json-ld-1.1",
        "contextResolver": jsonld.ContextResolver({}, document),
    }
    try:
        processor = jsonld.JsonLdProcessor()
        initial = processor.process_context(
            {"mappings": {}, "processingMode": "json-ld-1.1"}, None, options
        )
        active = processor.process_context(initial, {"@context": _check_scoped(context)}, options)
    except jsonld.JsonLdError as error:
        raise _cause(error) from error
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise BadRequestDataError(f"@context: not a valid JSON-LD @context: {error}") from error
    mappings: Mapping[str, Any] = active["mappings"]
    return mappings


def _context_of(document: Any, url: str) -> ContextValue:
    if isinstance(document, Mapping) and "@context" in document:
        return document["@context"]
    if isinstance(document, Mapping):
        return dict(document)
    raise BadRequestDataError(f"@context: {url} holds no JSON-LD @context")


def _check_scoped(context: ContextValue) -> ContextValue:
    for part in context if isinstance(context, list) else [context]:
        if isinstance(part, Mapping):
            for term, definition in part.items():
                if isinstance(definition, Mapping) and "@context" in definition:
                    raise BadRequestDataError(
                        f"@context: the term {term!r} has a scoped @context, which isn't allowed"
                    )
        elif part is not None and not isinstance(part, str | list):
            raise BadRequestDataError(
                f"@context: {part!r:.100} is neither a URL, nor an object of terms, nor an array"
            )
    return context


def _cause(error: Any) -> ConurbError:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ConurbError):
            return seen
        seen = getattr(seen, "cause", None) or seen.__cause__ or seen.__context__
    code = getattr(error, "code", None) or "invalid"
    return BadRequestDataError(f"@context: {code}: {error.args[0] if error.args else error}")

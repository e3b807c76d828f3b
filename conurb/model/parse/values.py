"""The members of an attribute instance, one check each: give the internal form, or raise.

Every check has the same shape, `(rules, name, value) -> value`, so that reading an instance is a
look-up per member. None means: leave the member out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NoReturn

import orjson

from conurb.errors import BadRequestDataError
from conurb.model.entity import NULL, SYSTEM_MEMBERS, VALUE_MEMBER
from conurb.model.geometry import check_geometry
from conurb.model.names import is_uri
from conurb.model.parse.rules import VALUE_DEPTH_MAX, Rules
from conurb.model.time import parse_fixed

Check = Callable[[Rules, str, Any], Any]

UNIT_CODE_LENGTH_MAX: Final = 100
"""Characters of a unitCode; UN/CEFACT common codes have 2 or 3, older data has words."""

DEFAULT_DATASET: Final = "@none"
"""The datasetId of the default instance, where one must be said (clause 4.5.5)."""

LANG_STRING: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#langString"
"""The datatype of a text with a language."""

_INTEGER_MIN: Final = -(2**63)
_INTEGER_MAX: Final = 2**64 - 1
_LANGUAGE_CHARACTERS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
)
_NUL_REASON: Final = "a text can't have the character U+0000"


def refuse(name: str, reason: str) -> NoReturn:
    """Raise BadRequestDataError that names the attribute."""
    raise BadRequestDataError(f"{name}: {reason}")


def removal(rules: Rules, name: str, member: str, value: Any = NULL) -> str:
    """Give the NGSI-LD Null where `rules` allow one; else raise, and always for JSON null."""
    if rules.nulls and value is not None:
        return NULL
    refuse(name, f"{member} can't be null here")


def check_json(rules: Rules, name: str, value: Any, depth: int = 0) -> None:
    """Check that a value is JSON that every engine can hold, and has no NGSI-LD Null.

    Numbers are finite, integers fit in 64 bits, texts have no U+0000. Raises BadRequestDataError.
    """
    kind = value.__class__
    if kind is str:
        if value == NULL and not (rules.deep_nulls if depth else rules.nulls):
            refuse(name, f"{NULL} can't be a value here")
        if "\0" in value:
            refuse(name, _NUL_REASON)
    elif kind is int:
        if not _INTEGER_MIN <= value <= _INTEGER_MAX:
            refuse(name, f"{value:.3e} doesn't fit in 64 bits")
    elif kind is float:
        if not math.isfinite(value):
            refuse(name, f"{value} is not a number in JSON")
    elif kind is dict or kind is list:
        if depth >= VALUE_DEPTH_MAX:
            refuse(name, f"the value is nested deeper than {VALUE_DEPTH_MAX} levels")
        if kind is dict and any("\0" in key for key in value):
            refuse(name, _NUL_REASON)
        for item in value.values() if kind is dict else value:
            check_json(rules, name, item, depth + 1)
    elif kind is not bool and value is not None:
        refuse(name, f"{kind.__name__} is not a JSON value")


def check_value(rules: Rules, name: str, value: Any) -> Any:
    """Check a Property's value (clause 4.5.2): any JSON but null."""
    kind = value.__class__
    if kind is float:
        if math.isfinite(value):
            return value
    elif kind is int:
        if _INTEGER_MIN <= value <= _INTEGER_MAX:
            return value
    elif kind is bool or (kind is str and value != NULL and "\0" not in value):
        return value
    elif value is None:
        return removal(rules, name, "value", value)
    elif kind is dict and "@context" in value:
        refuse(name, "a @context inside of an attribute isn't allowed")
    check_json(rules, name, value)
    return value


def check_geo(rules: Rules, name: str, value: Any) -> Any:
    """Check a GeoProperty's value (clause 4.7): a GeoJSON geometry, or one written as text."""
    if value.__class__ is str and value != NULL:
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError:
            refuse(name, f"{value!r:.100} is neither a GeoJSON geometry nor one written as text")
    if value == NULL or value is None:
        return removal(rules, name, "value", value)
    check_geometry(value, name=name)
    if value["type"] == "GeometryCollection":
        refuse(name, "a GeometryCollection can't be the value of a GeoProperty (clause 4.7.1)")
    return value


def check_object(rules: Rules, name: str, value: Any) -> Any:
    """Check a Relationship's object (clause 4.5.3): a URI or an array of URIs."""
    if value.__class__ is str:
        if value == NULL:
            return removal(rules, name, "object")
        if is_uri(value):
            return value
    elif value is None:
        return removal(rules, name, "object", value)
    elif value.__class__ is list and value and all(is_uri(v) and v != NULL for v in value):
        return value
    refuse(name, f"object: {value!r:.200} is neither a URI nor an array of URIs")


def check_language_map(rules: Rules, name: str, value: Any) -> Any:
    """Check a languageMap (clauses 4.5.18, 4.6.5): language tag or @none to text or texts."""
    if value == NULL or value is None:
        removal(rules, name, "languageMap", value)
        return {DEFAULT_DATASET: NULL}
    if value.__class__ is not dict or not value:
        refuse(name, "languageMap is not an object of language tags")
    for tag, text in value.items():
        if tag != "@none" and (not tag or not _LANGUAGE_CHARACTERS.issuperset(tag)):
            refuse(name, f"languageMap: {tag!r:.60} is neither a language tag (RFC 5646) nor @none")
        if text is None or text == NULL:
            removal(rules, name, f"languageMap {tag}", text)
        elif not isinstance(text, str) and not _is_texts(text):
            refuse(name, f"languageMap: {tag} is neither a text nor an array of texts")
        else:
            check_json(rules, name, text)
    return value


def check_vocab(rules: Rules, name: str, value: Any) -> Any:
    """Check a VocabProperty's vocab (clause 4.5.20), and expand it."""
    if value == NULL or value is None:
        return removal(rules, name, "vocab", value)
    if isinstance(value, str):
        return rules.terms.expand_value(value)
    if _is_texts(value) and value:
        return [rules.terms.expand_value(text) for text in value]
    refuse(name, f"vocab: {value!r:.100} is neither a text nor an array of texts")


def check_raw_json(rules: Rules, name: str, value: Any) -> Any:
    """Check a JsonProperty's json (clause 4.5.24): an object or array, never looked into."""
    if value is None or value == NULL:
        return removal(rules, name, "json", value)
    if not isinstance(value, dict | list):
        refuse(name, f"json: {value!r:.100} is neither an object nor an array")
    check_json(Rules(rules.terms, nulls=True, deep_nulls=True), name, value)
    return value


def check_value_list(rules: Rules, name: str, value: Any) -> Any:
    """Check a ListProperty's valueList (clause 4.5.21)."""
    if value == NULL or value is None:
        removal(rules, name, "valueList", value)
        return [NULL]
    if value.__class__ is not list:
        refuse(name, f"valueList: {value!r:.100} is not an array")
    check_json(rules, name, value)
    if None in value:
        refuse(name, "valueList: an item can't be null")
    return value


def check_object_list(rules: Rules, name: str, value: Any) -> Any:
    """Check a ListRelationship's objectList (clause 4.5.22), and give it as plain URIs."""
    if value == NULL or value is None or value in ([NULL], [{"object": NULL}]):
        removal(rules, name, "objectList", value)
        return [NULL]
    if value.__class__ is not list:
        refuse(name, f"objectList: {value!r:.100} is not an array")
    uris = [
        item["object"] if isinstance(item, dict) and item.keys() == {"object"} else item
        for item in value
    ]
    for uri in uris:
        if not is_uri(uri) or uri == NULL:
            refuse(name, f"objectList: {uri!r:.100} is neither a URI nor an object with one")
    return uris


def check_time(member: str) -> Check:
    """Make the check of a member that holds a date-time."""

    def check(rules: Rules, name: str, value: Any) -> Any:
        if value is None or value == NULL:
            return removal(rules, name, member, value)
        if isinstance(value, str) and not value.endswith("Z"):
            refuse(name, f"{member}: {value!r:.60} doesn't end in Z; times are UTC (clause 4.6.3)")
        return parse_fixed(value, name=f"{name}: {member}")

    return check


def check_unit_code(rules: Rules, name: str, value: Any) -> Any:
    """Check a unitCode: a short text, best a UN/CEFACT common code (`conurb.model.units`)."""
    if value is None or value == NULL:
        return removal(rules, name, "unitCode", value)
    if isinstance(value, str) and 0 < len(value) <= UNIT_CODE_LENGTH_MAX:
        return value
    refuse(name, f"unitCode: {value!r:.100} is not a UN/CEFACT common code such as MTK")


def check_dataset(rules: Rules, name: str, value: Any) -> Any:
    """Check a datasetId; None for the default instance."""
    if value == DEFAULT_DATASET:
        return None
    if is_uri(value) and value != NULL:
        return value
    refuse(name, f"datasetId: {value!r:.200} is neither a URI nor @none")


def check_words(member: str) -> Check:
    """Make the check of a member that holds a word of a vocabulary, or several."""

    def check(rules: Rules, name: str, value: Any) -> Any:
        if value is None or value == NULL:
            return removal(rules, name, member, value)
        if isinstance(value, str) and value:
            return rules.terms.expand_value(value)
        if _is_texts(value) and value:
            return [rules.terms.expand_value(text) for text in value]
        refuse(name, f"{member}: {value!r:.100} is neither a name nor an array of names")

    return check


def check_lang_string(rules: Rules, name: str, value: Any) -> Any:
    """Check the valueType of a LanguageProperty: langString, and nothing else (clause 5.2.32)."""
    if value in ("langString", LANG_STRING):
        return LANG_STRING
    refuse(name, f"valueType: {value!r:.100} is not langString, as it must be of a languageMap")


def check_sealed_id(rules: Rules, name: str, value: Any) -> Any:
    """Check the entityIdSealed of a proof (clause 4.5.2.2)."""
    if is_uri(value):
        return value
    refuse(name, f"entityIdSealed: {value!r:.100} is not a URI")


def leave_out(rules: Rules, name: str, value: Any) -> None:
    """Ignore a member that only a node writes."""


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


_EVERYWHERE: Final[dict[str, Check]] = {
    "observedAt": check_time("observedAt"),
    "expiresAt": check_time("expiresAt"),
    "datasetId": check_dataset,
    **dict.fromkeys(SYSTEM_MEMBERS, leave_out),
}
_VALUES: Final[dict[str, Check]] = {
    "Property": check_value,
    "GeoProperty": check_geo,
    "Relationship": check_object,
    "LanguageProperty": check_language_map,
    "VocabProperty": check_vocab,
    "JsonProperty": check_raw_json,
    "ListProperty": check_value_list,
    "ListRelationship": check_object_list,
}
_OWN: Final[dict[str, dict[str, Check]]] = {
    "Property": {"unitCode": check_unit_code, "valueType": check_words("valueType")},
    "GeoProperty": {"unitCode": check_unit_code, "valueType": check_words("valueType")},
    "Relationship": {"objectType": check_words("objectType"), "entity": leave_out},
    "LanguageProperty": {"valueType": check_lang_string},
    "ListProperty": {"unitCode": check_unit_code, "valueType": check_words("valueType")},
    "ListRelationship": {"objectType": check_words("objectType"), "entityList": leave_out},
}

CHECKS: Final[dict[str | None, dict[str, Check]]] = {
    kind: {
        VALUE_MEMBER[kind]: check,
        **_EVERYWHERE,
        **_OWN.get(kind, {}),
    }
    for kind, check in _VALUES.items()
} | {
    None: {
        **_EVERYWHERE,
        "unitCode": check_unit_code,
        "valueType": check_words("valueType"),
        "objectType": check_words("objectType"),
    }
}
"""Kind of attribute to the members that it may have; None is a fragment that doesn't say."""

PROOF_CHECKS: Final[dict[str, Check]] = {
    "entityIdSealed": check_sealed_id,
    "entityTypeSealed": check_words("entityTypeSealed"),
}

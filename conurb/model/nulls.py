"""The NGSI-LD Null: what says 'remove this' in a fragment, 'was removed' in a notification.

It stands in the member that holds the value, in the form that the member's kind asks for (ETSI GS
CIM 009 v1.9.1, clause 4.5.0). An instance with it is never stored as current state.
"""

from __future__ import annotations

from typing import Any, Final

from conurb.model.entity import NULL, VALUE_MEMBER, Instance

NULL_LANGUAGE_MAP: Final = {"@none": NULL}

_NULL_VALUES: Final[dict[str, Any]] = {
    "LanguageProperty": NULL_LANGUAGE_MAP,
    "ListProperty": [NULL],
    "ListRelationship": [NULL],
}


def is_null(instance: Instance) -> bool:
    """Whether an instance says that the attribute is (to be) removed.

    >>> is_null({"type": "Property", "value": NULL}), is_null({"unitCode": NULL})
    (True, False)
    """
    kind = instance.get("type")
    if kind is None:
        return False
    value = instance.get(VALUE_MEMBER[kind])
    return bool(value == _NULL_VALUES.get(kind, NULL))


def null_value(kind: str) -> Any:
    """Give the null in the form of a kind of attribute.

    >>> null_value("LanguageProperty"), null_value("Relationship")
    ({'@none': 'urn:ngsi-ld:null'}, 'urn:ngsi-ld:null')
    """
    value = _NULL_VALUES.get(kind, NULL)
    return value.copy() if isinstance(value, dict | list) else value

"""The types of objects that a system owns, and the rules that their objects keep.

Part of the contract of a system: import these names from `conurb.systems.contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conurb.errors import BadRequestDataError
from conurb.model.entity import VALUE_MEMBER, Entity
from conurb.model.vocabulary import platform_terms


@dataclass(frozen=True, slots=True)
class Attribute:
    """What an attribute of a type must be, as far as it is there.

    `kind` is a kind of attribute (Property, GeoProperty, Relationship ...; None: any). `choices`,
    `low` and `high` bound a plain value.
    """

    kind: str | None = "Property"
    required: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A type of objects that a system owns: its term, what it means, and what its objects keep.

    Objects of the type are checked on every write when the node opts in (setting `check_types`).
    `check` is called after `attributes` have been checked, for rules between attributes; it raises
    BadRequestDataError.
    """

    term: str
    title: Mapping[str, str]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    check: Callable[[Entity], None] | None = None

    def examine(self, entity: Entity) -> None:
        """Raise BadRequestDataError, naming attribute and rule, when an entity breaks one."""
        expand = platform_terms().expand
        for term, rule in self.attributes.items():
            instances = entity.attrs.get(expand(term), ())
            if rule.required and not instances:
                raise BadRequestDataError(f"{entity.id}: a {self.term} needs {term}")
            for instance in instances:
                _examine_instance(entity.id, term, rule, instance)
        if self.check is not None:
            self.check(entity)


def _examine_instance(
    entity_id: str, term: str, rule: Attribute, instance: Mapping[str, Any]
) -> None:
    kind = instance["type"]
    if rule.kind is not None and kind != rule.kind:
        raise BadRequestDataError(f"{entity_id}: {term} is a {kind}, not a {rule.kind}")
    value = instance.get(VALUE_MEMBER[kind])
    if rule.choices and value not in rule.choices:
        raise BadRequestDataError(
            f"{entity_id}: {term} is {value!r:.100}, none of {', '.join(rule.choices)}"
        )
    if rule.low is None and rule.high is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRequestDataError(f"{entity_id}: {term} is {value!r:.100}, not a number")
    if rule.low is not None and value < rule.low:
        raise BadRequestDataError(f"{entity_id}: {term} is {value}, below {rule.low}")
    if rule.high is not None and value > rule.high:
        raise BadRequestDataError(f"{entity_id}: {term} is {value}, above {rule.high}")

"""Rules of detection: `DetectionRule` objects that say which measurement is judged, and how.

A rule is an object like any other: written by NGSI-LD, by `conurb monitoring watch`, or by another
system. `detectionOptions` are those of the method, and of every rule: `confirm` and `clear` (how
many samples in a row begin and end an alarm), `samples` (how far it looks back), `train_from` and
`train_to` (the time when all was as it should be).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from conurb.errors import BadRequestDataError, ConurbError
from conurb.model.entity import Entity, instance_value
from conurb.model.query.tree import Query, Selector, TypeIs
from conurb.model.time import parse_us
from conurb.systems.contract import Attribute, ObjectType, Site

TYPE: Final = "DetectionRule"
RULES_MAX: Final = 10_000
MEASUREMENTS_MAX: Final = 32
SILENCE: Final = "silence"
"""The method that asks whether a measurement still comes; `after_s` is its option."""

METHOD_NAMES: Final = (
    "threshold",
    "seasonal",
    "surprise",
    "change",
    "discord",
    "modal",
    "motion",
    SILENCE,
)
SEVERITIES: Final = ("informational", "low", "medium", "high", "critical")
PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, read.

    `measurements` are the ids of the `DeviceMeasurement` objects that it judges together;
    `train_from_us` and `train_to_us` bound when all was as it should be (None: not said).
    """

    id: str
    name: str
    measurements: tuple[str, ...]
    method: str
    options: Mapping[str, Any]
    severity: str = "medium"
    category: str = "security"
    sub_category: str = "sensorAnomaly"
    confirm: int = 1
    clear: int = 1
    train_from_us: int | None = None
    train_to_us: int | None = None

    @property
    def local(self) -> str:
        """Give the last part of the rule's id."""
        return self.id.rsplit(":", 1)[-1]


def check_rule(entity: Entity) -> None:
    """Raise BadRequestDataError when a rule can't be read."""
    read_rule(entity)


def read_rule(entity: Entity) -> Rule:
    """Read a rule; raise BadRequestDataError naming what isn't as it should be."""
    linked = _value(entity, "refDeviceMeasurement")
    measurements = tuple(linked) if isinstance(linked, list) else (linked,) if linked else ()
    if not 1 <= len(measurements) <= MEASUREMENTS_MAX:
        raise BadRequestDataError(
            f"{entity.id}: {len(measurements)} measurements; 1 to {MEASUREMENTS_MAX} are judged"
        )
    method = _text(entity, "detectionMethod", "")
    if method not in METHOD_NAMES:
        raise BadRequestDataError(
            f"{entity.id}: detectionMethod {method!r:.50} is none of {', '.join(METHOD_NAMES)}"
        )
    options = _value(entity, "detectionOptions") or {}
    if not isinstance(options, dict):
        raise BadRequestDataError(f"{entity.id}: detectionOptions is not an object")
    severity = _text(entity, "severity", "medium")
    if severity not in SEVERITIES:
        raise BadRequestDataError(f"{entity.id}: severity is none of {', '.join(SEVERITIES)}")
    return Rule(
        id=entity.id,
        name=_text(entity, "name", entity.id.rsplit(":", 1)[-1]),
        measurements=measurements,
        method=method,
        options=options,
        severity=severity,
        category=_text(entity, "category", "security"),
        sub_category=_text(entity, "subCategory", "sensorAnomaly"),
        confirm=_count(entity, options, "confirm"),
        clear=_count(entity, options, "clear"),
        train_from_us=_time(options, "train_from"),
        train_to_us=_time(options, "train_to"),
    )


def _value(entity: Entity, term: str) -> Any:
    from conurb.systems.monitoring.sensorthings.mapping import iri

    instances = entity.attrs.get(iri(term))
    return instance_value(instances[0]) if instances else None


def _text(entity: Entity, term: str, default: str) -> str:
    from conurb.systems.monitoring.sensorthings.mapping import text_of

    return text_of(_value(entity, term)) or default


def _count(entity: Entity, options: Mapping[str, Any], name: str) -> int:
    value = options.get(name, 1)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise BadRequestDataError(f"{entity.id}: {name} is {value!r:.50}, not from 1 to 1000")
    return value


def _time(options: Mapping[str, Any], name: str) -> int | None:
    value = options.get(name)
    return None if value is None else parse_us(str(value), name=name)


async def rules_of(site: Site) -> Mapping[str, list[Rule]]:
    """Give the rules of a site by the measurement that they judge; those that can't be read are
    left out.

    Kept in memory until `forget_rules`.
    """
    known: dict[str, list[Rule]] | None = site.memory.get(TYPE)
    if known is not None:
        return known
    found: dict[str, list[Rule]] = {}
    for rule in await list_rules(site):
        for measurement in rule.measurements:
            found.setdefault(measurement, []).append(rule)
    site.memory[TYPE] = found
    return found


async def list_rules(site: Site) -> list[Rule]:
    """List the rules of a site that can be read."""
    rules: list[Rule] = []
    offset = 0
    while offset < RULES_MAX:
        selector = Selector(types=TypeIs(site.expand(TYPE)))
        page = await site.node.store.query(Query((selector,), limit=PAGE, offset=offset))
        for entity in page.entities:
            try:
                rules.append(read_rule(entity))
            except ConurbError:
                continue
        offset += len(page.entities)
        if not page.more or not page.entities:
            break
    return rules


def forget_rules(site: Site) -> None:
    """Forget the rules that were read: one has changed."""
    site.memory.pop(TYPE, None)


TITLE: Final = {"en": "Detection rule", "zh": "检测规则"}
RULE_TYPE: Final = ObjectType(
    TYPE,
    TITLE,
    {
        "refDeviceMeasurement": Attribute("Relationship", required=True),
        "detectionMethod": Attribute(required=True, choices=METHOD_NAMES),
        "severity": Attribute(choices=SEVERITIES),
    },
    check=check_rule,
)

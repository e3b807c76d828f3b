"""What context sources give, read into internal form with the times that they keep.

`conurb.model.parse` reads what callers write, where times are the node's to set; here they are the
source's, and needed: of two statements on one attribute the later counts (clause 4.5.5).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, get_args

from conurb.errors import BadRequestDataError
from conurb.model.changes import HistoryInstance
from conurb.model.entity import ENTITY_MEMBERS, Entity, Instance
from conurb.model.evolution import Aggregates, Evolution, parse_instance_id
from conurb.model.nulls import is_null
from conurb.model.parse import parse_entity, parse_fragment, parse_temporal_entity
from conurb.model.query.tree import AggregationMethod
from conurb.model.time import BEGINNING, parse_fixed, parse_us
from conurb.node.notification import Told

if TYPE_CHECKING:
    from conurb.model.context import Terms

TIMES: Final = ("createdAt", "modifiedAt")
METHODS: Final = get_args(AggregationMethod)
_MOMENT: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z"
_RANGE: Final = re.compile(rf"date-time ({_MOMENT})-({_MOMENT})/.+", re.ASCII)


def read_entity(document: Any, terms: Terms) -> Entity:
    """Read an entity with the times of itself and of its attributes.

    Raises InputError when it isn't an entity.
    """
    entity = parse_entity(document, terms)
    entity.created_at = _us(document, "createdAt")
    entity.modified_at = _us(document, "modifiedAt") or entity.created_at
    for name, given in document.items():
        if name in ENTITY_MEMBERS:
            continue
        instances = entity.attrs.get(terms.expand(name), ())
        documents = given if isinstance(given, list) else [given]
        for written in documents:
            if not isinstance(written, dict):
                continue
            dataset = written.get("datasetId")
            for instance in instances:
                if instance.get("datasetId") == dataset:
                    _keep_times(written, instance)
    return entity


def read_told(document: Any, terms: Terms) -> Told:
    """Read an entity as a notification tells it: what was deleted is marked by the NGSI-LD Null.

    Raises InputError when it isn't one.
    """
    fragment = parse_fragment(document, terms, nulls=True)
    if fragment.id is None or not fragment.types:
        raise BadRequestDataError("an entity has an id and a type")
    deleted = document.get("deletedAt")
    entity = Entity(
        fragment.id,
        fragment.types,
        fragment.attrs,
        scope=fragment.scope or (),
        created_at=_us(document, "createdAt"),
        modified_at=_us(document, "modifiedAt"),
    )
    at_us = parse_us(deleted, name="deletedAt") if isinstance(deleted, str) else None
    return Told(entity, deleted_us=at_us)


def _keep_times(written: Mapping[str, Any], instance: Instance) -> None:
    for member in TIMES:
        if isinstance(written.get(member), str):
            instance[member] = parse_fixed(written[member], name=member)


def _us(document: Mapping[str, Any], member: str) -> int:
    given = document.get(member)
    return parse_us(given, name=member) if isinstance(given, str) else 0


def read_evolution(document: Any, terms: Terms, *, aggregated: bool = False) -> Evolution:
    """Read the history of an entity; raise InputError when it isn't one."""
    if not isinstance(document, dict):
        raise BadRequestDataError("a history is an object")
    if aggregated:
        return _read_aggregates(document, terms)
    fragment = parse_temporal_entity(_without_empty(document), terms)
    evolution = _begun(document, fragment.id or "", fragment.types)
    if fragment.scopes:
        evolution.scope = fragment.scopes[-1].scope
    for name, given in document.items():
        if name in ENTITY_MEMBERS:
            continue
        attribute = terms.expand(name)
        instances = fragment.attrs.get(attribute, [])
        documents = given if isinstance(given, list) else [given]
        items = []
        for number, (instance, written) in enumerate(zip(instances, documents, strict=False), 1):
            if isinstance(written, dict):
                _keep_times(written, instance)
            items.append(_item(attribute, instance, written, number))
        evolution.instances[attribute] = items
    return evolution


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out attributes of which nothing is given: a cut answer writes them as empty arrays."""
    return {
        name: value for name, value in document.items() if name in ENTITY_MEMBERS or value != []
    }


def _begun(document: Mapping[str, Any], entity_id: str, types: tuple[str, ...]) -> Evolution:
    deleted = document.get("deletedAt")
    return Evolution(
        entity_id,
        types,
        (),
        _us(document, "createdAt"),
        _us(document, "modifiedAt"),
        deleted_us=parse_us(deleted, name="deletedAt") if isinstance(deleted, str) else None,
    )


def _item(attribute: str, instance: Instance, written: Any, number: int) -> HistoryInstance:
    given = written.get("instanceId") if isinstance(written, dict) else None
    known = parse_instance_id(given) if isinstance(given, str) else None
    recorded = (
        _us(written, "modifiedAt") or _us(written, "createdAt") if isinstance(written, dict) else 0
    )
    observed = instance.get("observedAt")
    at_us = parse_us(observed, name="observedAt") if observed else recorded or BEGINNING
    gone = is_null(instance)
    return HistoryInstance(
        attribute,
        instance.get("datasetId"),
        at_us,
        recorded,
        None,
        known or number,
        None if gone else instance,
        kind=instance["type"] if gone else None,
    )


def _read_aggregates(document: dict[str, Any], terms: Terms) -> Evolution:
    head = parse_temporal_entity(
        {name: document[name] for name in ("id", "type") if name in document}, terms
    )
    evolution = _begun(document, head.id or "", head.types)
    found: Aggregates = {}
    for name, given in document.items():
        if name in ENTITY_MEMBERS:
            continue
        for one in given if isinstance(given, list) else [given]:
            if not isinstance(one, dict):
                raise BadRequestDataError(f"{name}: an aggregate is an object")
            key = terms.expand(name), one.get("datasetId")
            found[key] = {
                method: [_row(name, row) for row in one[method]]
                for method in METHODS
                if isinstance(one.get(method), list)
            }
    evolution.aggregates = found
    return evolution


def _row(name: str, row: Any) -> tuple[Any, int, int]:
    if not isinstance(row, list) or len(row) != 3:
        raise BadRequestDataError(f"{name}: an aggregate is [value, start, end]")
    return row[0], parse_us(row[1], name=name), parse_us(row[2], name=name)


def truncated_at(content_range: str) -> int | None:
    """Find the time up to which a cut answer goes, out of its Content-Range (6.3.10)."""
    match = _RANGE.fullmatch(content_range.strip())
    return None if match is None else parse_us(match[2], name="Content-Range")

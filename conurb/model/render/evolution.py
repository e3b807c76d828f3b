"""Writing the history of an entity in its three forms (clauses 4.5.6 to 4.5.9, 4.5.19)."""

from __future__ import annotations

from typing import Any, Final, Literal

from conurb.model.changes import HistoryInstance
from conurb.model.context import Terms
from conurb.model.entity import VALUE_MEMBER, Instance
from conurb.model.evolution import HEAD, Evolution, instance_id
from conurb.model.nulls import null_value
from conurb.model.query.tree import TimeProperty
from conurb.model.render.attribute import AttributeWriter
from conurb.model.render.entity import render_entity
from conurb.model.render.view import DEFAULT_DATASET, View
from conurb.model.time import fixed, shown, shown_us

TemporalForm = Literal["normalized", "temporalValues", "aggregatedValues"]

PLURAL: Final[dict[str, str]] = {
    "Property": "values",
    "Relationship": "objects",
    "GeoProperty": "values",
    "LanguageProperty": "languageMaps",
    "VocabProperty": "vocabs",
    "JsonProperty": "jsons",
    "ListProperty": "valueLists",
    "ListRelationship": "objectLists",
}
"""Kind of attribute to the member that holds its values over time (clause 4.5.9)."""


def render_evolution(
    evolution: Evolution,
    terms: Terms,
    view: View,
    *,
    form: TemporalForm = "normalized",
    timeproperty: TimeProperty = "observedAt",
) -> dict[str, Any]:
    """Write the history of an entity as a caller sees it.

    normalized: every attribute an array of instances with their instanceId (concise when the view
    says so). temporalValues: per datasetId an array of [value, time], the time that of
    `timeproperty`. aggregatedValues: per datasetId and method an array of [value, start, end]. An
    attribute that no instance is left of isn't written; one that never had any in the evolution,
    because the answer was cut before it, is an empty array.
    """
    writer = _EvolutionWriter(terms, view, form, timeproperty)
    document: dict[str, Any] = {"id": evolution.id, "type": _types(evolution, terms)}
    if view.sys_attrs:
        document["createdAt"] = shown_us(evolution.created_us)
        document["modifiedAt"] = shown_us(evolution.modified_us)
    if evolution.deleted_us is not None:
        document["deletedAt"] = shown_us(evolution.deleted_us)
    if not view.takes_all:
        document = {key: value for key, value in document.items() if view.takes(key)}
    if view.takes("scope"):
        scope = writer.scope(evolution)
        if scope:
            document["scope"] = scope
    if form == "aggregatedValues":
        writer.add_aggregates(document, evolution)
        return document
    for attribute, instances in evolution.instances.items():
        if attribute == HEAD or not _wanted(attribute, view):
            continue
        kept = [one for one in instances if _in_dataset(one, view)]
        if kept or not instances:
            document[terms.compact(attribute)] = writer.attribute(
                attribute, kept, evolution.kinds.get(attribute, "Property")
            )
    return document


class _EvolutionWriter:
    """Writes the attributes of an evolution in one form."""

    def __init__(
        self, terms: Terms, view: View, form: TemporalForm, timeproperty: TimeProperty
    ) -> None:
        self._terms = terms
        self._view = view
        self._form = form
        self._timeproperty = timeproperty
        self._writer = AttributeWriter(terms, view, render_entity)

    def attribute(self, attribute: str, instances: list[HistoryInstance], kind: str) -> Any:
        """Write one attribute: normalized instances, or values by datasetId.

        None at all is an attribute whose instances are beyond the range of this answer.
        """
        documents = [(one, _document(one, instances)) for one in instances]
        if self._form == "normalized":
            concise = self._view.representation == "concise"
            write = self._writer.concise_instance if concise else self._writer.instance
            return [write(attribute, document) for _, document in documents]
        series: dict[tuple[str, str], list[Any]] = {}
        for one, document in documents:
            key = one.dataset or DEFAULT_DATASET, self._shown_kind(document["type"])
            pair = [self._writer.value(attribute, document), self._time(one, document)]
            series.setdefault(key, []).append(pair)
        if not series:
            series[DEFAULT_DATASET, self._shown_kind(kind)] = []
        written = [
            {
                "type": kind,
                **({} if dataset == DEFAULT_DATASET else {"datasetId": dataset}),
                PLURAL[kind]: pairs,
            }
            for (dataset, kind), pairs in series.items()
        ]
        return written[0] if len(written) == 1 else written

    def _shown_kind(self, kind: str) -> str:
        """Give the kind as a language filter leaves it (clause 4.15)."""
        return "Property" if kind == "LanguageProperty" and self._view.lang is not None else kind

    def scope(self, evolution: Evolution) -> Any:
        """Write the scope as a Property over time (clause 4.5.6).

        A scope that was taken away is an empty one with `deletedAt`.
        """
        heads = evolution.instances.get(HEAD)
        if heads is None:
            if not evolution.scope or self._form != "normalized":
                return None
            return [{"type": "Property", "value": _one_or_all(list(evolution.scope))}]
        before: list[str] = []
        written: list[dict[str, Any]] = []
        for head in sorted(heads, key=_stated_us):
            scope = list(head.instance["scope"]) if head.instance else []
            if scope == before:
                continue
            at = shown_us(_stated_us(head))
            times = {"observedAt": at} if scope else {"deletedAt": at}
            if self._view.sys_attrs:
                times |= {"createdAt": at, "modifiedAt": at}
            written.append({"type": "Property", "value": _one_or_all(scope), **times})
            before = scope
        if self._timeproperty == "deletedAt":
            written = [one for one in written if "deletedAt" in one]
        if self._form == "normalized" or not written:
            return written or None
        pairs = [[one["value"], one.get("observedAt") or one["deletedAt"]] for one in written]
        return None if self._form == "aggregatedValues" else {"type": "Property", "values": pairs}

    def add_aggregates(self, document: dict[str, Any], evolution: Evolution) -> None:
        """Write the aggregates of every attribute."""
        for (attribute, dataset), methods in evolution.aggregates.items():
            if not _wanted(attribute, self._view) or not _has_dataset(dataset, self._view):
                continue
            kind = evolution.kinds.get(attribute, "Property")
            one: dict[str, Any] = {"type": kind}
            if dataset is not None:
                one["datasetId"] = dataset
            for method, rows in methods.items():
                one[method] = [[v, shown_us(start), shown_us(end)] for v, start, end in rows]
            name = self._terms.compact(attribute)
            if name not in document:
                document[name] = one
            elif isinstance(document[name], list):
                document[name].append(one)
            else:
                document[name] = [document[name], one]

    def _time(self, one: HistoryInstance, document: Instance) -> str:
        text = document.get(self._timeproperty) or document.get("deletedAt")
        return shown(text) if text is not None else shown_us(one.recorded_us)


def _stated_us(head: HistoryInstance) -> int:
    """Give the time that a head was stated with, or else was recorded at."""
    stated = head.instance is not None and "observedAt" in head.instance
    return head.at_us if stated else head.recorded_us


def _document(one: HistoryInstance, instances: list[HistoryInstance]) -> Instance:
    """Give the instance as it was, or the instance that a tombstone stands for, with its number."""
    if one.instance is not None:
        return {**one.instance, "instanceId": instance_id(one.number)}
    kind = one.kind or next(
        (i.instance["type"] for i in instances if i.instance and i.dataset == one.dataset),
        "Property",
    )
    at = fixed(one.recorded_us)
    document: Instance = {"type": kind, VALUE_MEMBER[kind]: null_value(kind)}
    if one.dataset is not None:
        document["datasetId"] = one.dataset
    return {
        **document,
        "instanceId": instance_id(one.number),
        "deletedAt": at,
        "modifiedAt": at,
    }


def _types(evolution: Evolution, terms: Terms) -> Any:
    return _one_or_all([terms.compact(iri) for iri in evolution.types])


def _one_or_all(items: list[str]) -> Any:
    return items[0] if len(items) == 1 else items


def _wanted(attribute: str, view: View) -> bool:
    return (view.attrs is None or attribute in view.attrs) and view.takes(attribute)


def _in_dataset(one: HistoryInstance, view: View) -> bool:
    return _has_dataset(one.dataset, view)


def _has_dataset(dataset: str | None, view: View) -> bool:
    return not view.datasets or (dataset or DEFAULT_DATASET) in view.datasets

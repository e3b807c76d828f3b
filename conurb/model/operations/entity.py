"""The operations on a whole object (clauses 5.6.1 to 5.6.3, 5.6.6, 5.6.8, 5.6.17, 5.6.18, 5.6.21).

Each is a frozen value that knows its object and what to do with it; `apply` decides the change.
A fragment says with `None` what it doesn't speak of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from conurb.errors import AlreadyExistsError, NotFoundError
from conurb.model.changes import Change, HistoryInstance
from conurb.model.entity import Entity
from conurb.model.nulls import is_null
from conurb.model.operations.merge import merge_attributes
from conurb.model.operations.state import Draft, created, joined, placed, replaced

if TYPE_CHECKING:
    from conurb.model.parse import Fragment


@dataclass(slots=True)
class Report:
    """Which attributes (IRIs) an operation wrote, and which not with the reason (clause 5.2.18)."""

    updated: list[str] = field(default_factory=list)
    not_updated: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CreateEntity:
    """Create an object (clause 5.6.1)."""

    entity: Entity
    history_of: tuple[str, ...] = ()

    @property
    def entity_id(self) -> str:
        """Give the id of the object that is written."""
        return self.entity.id

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise AlreadyExistsError when there is such an object."""
        if before is not None:
            raise AlreadyExistsError(f"entity {before.id!r} exists already")
        return created(self.entity, stamp)


@dataclass(frozen=True, slots=True)
class PlaceEntity:
    """Put an object as it is, its system times included: the copy of one that is elsewhere."""

    entity: Entity
    history_of: tuple[str, ...] = ()

    @property
    def entity_id(self) -> str:
        """Give the id of the object that is written."""
        return self.entity.id

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change."""
        return placed(before, self.entity)


@dataclass(frozen=True, slots=True)
class ReplaceEntity:
    """Replace all of an object but its time of creation (clause 5.6.18)."""

    entity: Entity
    history_of: tuple[str, ...] = ()

    @property
    def entity_id(self) -> str:
        """Give the id of the object that is written."""
        return self.entity.id

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object."""
        return replaced(existing(before, self.entity.id), self.entity, stamp)


@dataclass(frozen=True, slots=True)
class UpsertEntity:
    """Create an object; or replace the one there is, or write over its attributes (5.6.8)."""

    entity: Entity
    mode: Literal["replace", "update"] = "replace"
    history_of: tuple[str, ...] = ()

    @property
    def entity_id(self) -> str:
        """Give the id of the object that is written."""
        return self.entity.id

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change."""
        entity = self.entity
        if before is None:
            return created(entity, stamp)
        if self.mode == "replace":
            return replaced(before, entity, stamp)
        draft = Draft(before, stamp)
        for attribute, instance in entity.iter_instances():
            draft.put(attribute, instance)
        return draft.change(
            types=joined(before.types, entity.types),
            scope=entity.scope if before.scope and entity.scope else None,
            expires_at=entity.expires_at,
        )


@dataclass(frozen=True, slots=True)
class AppendAttributes:
    """Append attributes; those that exist are replaced with `overwrite` only (clause 5.6.3).

    A null (of a batch update, clause 5.6.9) takes away what may be overwritten. Its result is a
    `Report`.
    """

    entity_id: str
    fragment: Fragment
    overwrite: bool = True
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object."""
        before = existing(before, self.entity_id)
        fragment = self.fragment
        draft = Draft(before, stamp)
        report = Report()
        for attribute, instances in fragment.attrs.items():
            left = False
            for instance in instances:
                dataset = instance.get("datasetId")
                if not self.overwrite and draft.find(attribute, dataset):
                    left = True
                elif is_null(instance):
                    draft.remove(attribute, dataset)
                else:
                    draft.put(attribute, instance)
            if left:
                report.not_updated.append((attribute, "it exists, and noOverwrite was asked for"))
            else:
                report.updated.append(attribute)
        scope = fragment.scope
        if scope is not None and not self.overwrite:
            scope = joined(before.scope, scope)
        return draft.change(
            types=joined(before.types, fragment.types),
            scope=scope,
            expires_at=fragment.expires_at,
            drops_expiry=fragment.drops_expiry,
            result=report,
        )


@dataclass(frozen=True, slots=True)
class UpdateAttributes:
    """Replace attributes that exist, append those that don't; null deletes (clause 5.6.2).

    Its result is a `Report`.
    """

    entity_id: str
    fragment: Fragment
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object."""
        before = existing(before, self.entity_id)
        fragment = self.fragment
        draft = Draft(before, stamp)
        report = Report()
        for attribute, instances in fragment.attrs.items():
            missing = False
            for instance in instances:
                if not is_null(instance):
                    draft.put(attribute, instance)
                elif not draft.remove(attribute, instance.get("datasetId")):
                    missing = True
            if missing:
                report.not_updated.append((attribute, "it doesn't exist, so it can't be deleted"))
            else:
                report.updated.append(attribute)
        if fragment.scope and not before.scope:
            report.not_updated.append(("scope", "it has none, so there is nothing to replace"))
        return draft.change(
            types=joined(before.types, fragment.types),
            scope=fragment.scope if before.scope else None,
            expires_at=fragment.expires_at,
            drops_expiry=fragment.drops_expiry,
            result=report,
        )


@dataclass(frozen=True, slots=True)
class MergeEntity:
    """Merge a fragment into an object, to any depth (clauses 5.6.17, 5.5.12).

    `observed_at` (fixed width) goes to the merged attributes that have an `observedAt` and are
    given none; `lang` is the key of a text that is merged into a LanguageProperty.
    """

    entity_id: str
    fragment: Fragment
    observed_at: str | None = None
    lang: str | None = None
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object."""
        before = existing(before, self.entity_id)
        fragment = self.fragment
        draft = Draft(before, stamp)
        merge_attributes(draft, fragment, observed_at=self.observed_at, lang=self.lang)
        return draft.change(
            types=joined(before.types, fragment.types),
            scope=fragment.scope,
            expires_at=fragment.expires_at,
            drops_expiry=fragment.drops_expiry,
        )


@dataclass(frozen=True, slots=True)
class DeleteEntity:
    """Delete an object; history keeps it (clause 5.6.6)."""

    entity_id: str
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object."""
        return Change(existing(before, self.entity_id), None)


@dataclass(frozen=True, slots=True)
class KeepAttributes:
    """Take attributes away: those of `drop`, or all but those of `keep` (clause 5.6.21)."""

    entity_id: str
    drop: frozenset[str] | None = None
    keep: frozenset[str] | None = None
    history_of: tuple[str, ...] = ()

    def apply(
        self, before: Entity | None, stamp: int, history: Sequence[HistoryInstance]
    ) -> Change:
        """Decide the change; raise NotFoundError when there is no such object."""
        before = existing(before, self.entity_id)
        draft = Draft(before, stamp)
        for attribute, instance in before.iter_instances():
            if self.drop is not None and attribute not in self.drop:
                continue
            if self.keep is not None and attribute in self.keep:
                continue
            draft.remove(attribute, instance.get("datasetId"))
        return draft.change()


def existing(before: Entity | None, entity_id: str) -> Entity:
    """Give the object; raise NotFoundError when there is none."""
    if before is None:
        raise NotFoundError(f"entity {entity_id!r} doesn't exist here")
    return before

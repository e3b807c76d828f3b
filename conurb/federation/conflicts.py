"""What a registration must not conflict with (clauses 4.3.6.3, 5.9.2.4).

Of what is registered as exclusive or redirected nothing is held here, and an exclusive source is
the only one of its attributes of its entity.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from conurb.errors import ConflictError
from conurb.model.query.tree import (
    Query,
    Selector,
    TimeWindow,
    TypeAll,
    TypeIs,
    TypeSelection,
)
from conurb.model.registration import PROXIED, EntityInfo, Information, Mode, Registration

if TYPE_CHECKING:
    from conurb.federation.route import Index
    from conurb.store.contract import Store

_EXCLUSIVE: Final[frozenset[Mode]] = frozenset({"exclusive"})


async def check_conflicts(
    registration: Registration, index: Index, store: Store, *, now_us: int
) -> None:
    """Raise ConflictError for what is registered or held here already."""
    if registration.mode not in PROXIED:
        return
    for other in _rivals(registration, index, now_us):
        raise ConflictError(
            f"registration {registration.id!r} in mode {registration.mode}: {other.id!r} is in "
            f"mode {other.mode} for some of the same attributes of the same entity"
        )
    by_id = registration.mode == "exclusive"
    for information in registration.information:
        page = await store.query(_held(information, typed=not by_id))
        for entity in page.entities:
            raise ConflictError(
                f"registration {registration.id!r} in mode {registration.mode}: entity "
                f"{entity.id!r} is held here with what is registered"
            )


def _rivals(registration: Registration, index: Index, now_us: int) -> list[Registration]:
    """Give registrations that can't be beside another one in mode exclusive or redirect.

    An exclusive one has the entity of an id, whatever its type. Sources of history are beside
    sources of what is now (clause 5.9.1).
    """
    window = TimeWindow() if registration.is_temporal else None
    asked = [(_EXCLUSIVE, False), (PROXIED, True)]
    if registration.mode == "redirect":
        asked = [(_EXCLUSIVE, True)]
    return [
        match.registration
        for information in registration.information
        for modes, typed in asked
        for match in index.find(
            _held(information, typed=typed), now_us=now_us, modes=modes, window=window
        )
        if match.registration.id != registration.id
        and match.registration.is_temporal == registration.is_temporal
    ]


def _held(information: Information, *, typed: bool) -> Query:
    """Say what a piece of information registers as a query, by type too or by id alone."""
    return Query(
        selectors=tuple(_selector(one, typed=typed) for one in information.entities),
        attributes=information.attributes,
        limit=1,
    )


def _selector(entity: EntityInfo, *, typed: bool) -> Selector:
    types: TypeSelection | None = None
    if typed and entity.types:
        parts = tuple(map(TypeIs, entity.types))
        types = parts[0] if len(parts) == 1 else TypeAll(parts)
    ids = () if entity.id is None else (entity.id,)
    return Selector(ids, entity.id_pattern, types)

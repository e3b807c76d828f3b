"""How a write is shared out between sources and this node (clauses 4.3.6.2, 4.3.6.3, 5.6.x).

Attributes that an exclusive registration names go to its source and nowhere else, then those of
redirect registrations to all of theirs; what is left goes to the inclusive sources that match, and
to this node. A proxied source that doesn't offer the operation is a conflict, and the attributes
are lost to the others all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from conurb.errors import (
    AlreadyExistsError,
    ConflictError,
    ConurbError,
    LoopDetectedError,
    NotFoundError,
)
from conurb.federation.legs import Leg
from conurb.model.entity import Entity

if TYPE_CHECKING:
    from conurb.model.parse import Fragment


@dataclass(frozen=True, slots=True)
class Share:
    """One source's part of a write: these attributes, or all that the entity has (`whole`)."""

    leg: Leg
    attributes: frozenset[str]
    whole: bool


@dataclass(slots=True)
class Shares:
    """Who writes what of one entity; `failures` are parts that nobody can write.

    `local` are the attributes that this node writes, `is_local` that it writes at all.
    """

    entity_id: str
    remote: list[Share] = field(default_factory=list)
    failures: list[tuple[Share, ConurbError]] = field(default_factory=list)
    local: frozenset[str] = frozenset()
    is_local: bool = True
    head_is_taken: bool = False

    @property
    def is_own(self) -> bool:
        """Whether this node writes everything, alone."""
        return not self.remote and not self.failures

    @property
    def names_entity(self) -> bool:
        """Whether an inclusive registration says that its source has this very entity."""
        return any(
            share.leg.mode == "inclusive" and share.leg.names(self.entity_id)
            for share in self.remote
        )


def share_out(
    legs: Sequence[Leg],
    operations: Collection[str],
    entity_id: str,
    *,
    types: Collection[str] = (),
    attributes: Iterable[str] = (),
    via: Collection[str] = (),
) -> Shares:
    """Share out a write of one of `operations` to some attributes of an entity.

    `via` are the aliases that the request has come by: a source among them, or behind this node's
    own, would send it round in circles (clause 4.3.6.4).
    """
    shares = Shares(entity_id)
    left = frozenset(attributes)

    def take(leg: Leg, names: frozenset[str]) -> Share | None:
        whole = leg.is_whole(entity_id, types)
        covered = leg.covered(entity_id, types, names)
        if not covered and not (whole and not shares.head_is_taken):
            return None
        return Share(leg, covered, whole)

    def enter(share: Share) -> None:
        if share.leg.registration.alias in via:
            detail = f"{share.leg.name}: the request has come from there"
            shares.failures.append((share, LoopDetectedError(detail)))
        elif any(map(share.leg.supports, operations)):
            shares.remote.append(share)
        else:
            shares.failures.append((share, unsupported(share.leg, "/".join(operations))))

    for leg in legs:
        if leg.mode == "exclusive" and (share := take(leg, left)) is not None:
            enter(share)
            left -= share.attributes
            shares.head_is_taken |= share.whole
    redirected = [
        share for leg in legs if leg.mode == "redirect" and (share := take(leg, left)) is not None
    ]
    for share in redirected:
        enter(share)
        left -= share.attributes
    shares.head_is_taken |= any(share.whole for share in redirected)
    for leg in legs:
        known = leg.registration.alias in via
        if leg.mode != "inclusive" or known or not any(map(leg.supports, operations)):
            continue
        inclusive = take(leg, left)
        if inclusive is not None:
            shares.remote.append(inclusive)
    shares.local = left
    taken = any(share.leg.is_proxied for share in shares.remote) or bool(shares.failures)
    shares.is_local = bool(left) or not taken
    return shares


@dataclass(frozen=True, slots=True)
class Did:
    """What became of one part of a write: by a source, or by this node (no share)."""

    share: Share | None
    error: ConurbError | None = None


def faults(shares: Shares, done: Sequence[Did]) -> list[ConurbError]:
    """Give what went wrong, leaving out that somebody who may have the entity doesn't.

    That is a fault of a source whose registration names the entity; and of this node, if only such
    inclusive sources have it as well.
    """
    found: list[ConurbError] = []
    succeeded = any(one.error is None for one in done)
    for one in done:
        error = one.error
        if error is None:
            continue
        if isinstance(error, NotFoundError) and succeeded:
            sure = (
                shares.names_entity if one.share is None else one.share.leg.names(shares.entity_id)
            )
            if not sure:
                continue
        if one.share is not None:
            error.registration_id = one.share.leg.registration.id
        found.append(error)
    return found


def told_apart(errors: Sequence[ConurbError]) -> bool:
    """Whether what went wrong is told part by part although nothing succeeded.

    When a source answered with an error, its result is one of several (6.3.17); that nobody has the
    entity is one error.
    """
    told = [one for one in errors if not isinstance(one, NotFoundError | LoopDetectedError)]
    return len(told) > 1 and any(one.registration_id for one in told)


def worst(errors: Sequence[ConurbError]) -> ConurbError:
    """Choose the error of a write of which nothing succeeded."""
    for kind in (LoopDetectedError, AlreadyExistsError, ConflictError):
        for error in errors:
            if isinstance(error, kind):
                return error
    return next((one for one in errors if not isinstance(one, NotFoundError)), errors[0])


def of_entity(
    legs: Sequence[Leg],
    operations: Sequence[str],
    entity_id: str,
    types: Collection[str],
    via: Collection[str],
) -> Shares:
    """Share out a write to an entity as a whole: everybody who has some of it, and this node."""
    shares = Shares(entity_id)
    for leg in legs:
        if leg.mode == "auxiliary" or not leg.covers(entity_id, types):
            continue
        share = Share(leg, frozenset(), whole=True)
        if leg.registration.alias in via:
            if leg.is_proxied:
                detail = f"{leg.name}: the request has come from there"
                shares.failures.append((share, LoopDetectedError(detail)))
        elif any(map(leg.supports, operations)):
            shares.remote.append(share)
        elif leg.is_proxied:
            shares.failures.append((share, unsupported(leg, operations[0])))
    return shares


def looped(shares: Shares, attributes: Iterable[str], alias: str) -> Shares:
    """Share out a request that has come by here before: this node alone writes it (6.3.18).

    Raises LoopDetectedError when a source that alone holds some of it sent it back.
    """
    parts = [share for share in shares.remote if share.leg.is_proxied]
    if parts or shares.failures:
        raise LoopDetectedError(f"{alias}: the request has come by here before")
    return Shares(shares.entity_id, local=frozenset(attributes))


def unsupported(leg: Leg, operation: str) -> ConurbError:
    """Give the error of a source that alone holds something and doesn't offer an operation."""
    return ConflictError(f"{leg.name} holds this alone and doesn't offer {operation}")


def part_of(entity: Entity, attributes: Collection[str]) -> Entity:
    """Keep some attributes of an entity."""
    if len(attributes) == len(entity.attrs):
        return entity
    return entity.with_attrs({k: v for k, v in entity.attrs.items() if k in attributes})


def fragment_of(fragment: Fragment, share: Share) -> Fragment:
    """Give a source its part of a fragment: its attributes, and the rest if all is registered."""
    attrs = {k: v for k, v in fragment.attrs.items() if k in share.attributes}
    if share.whole:
        return replace(fragment, attrs=attrs)
    return replace(fragment, attrs=attrs, types=(), scope=None, expires_at=None, drops_expiry=False)


def local_fragment(fragment: Fragment, shares: Shares) -> Fragment:
    """Give this node its part of a fragment."""
    attrs = {k: v for k, v in fragment.attrs.items() if k in shares.local}
    return replace(fragment, attrs=attrs)

"""Who asks: every operation of a node takes a caller.

A caller has rights, and optionally a restriction to scopes and types. The decision is pure: it
raises, or gives the restriction that joins the query before paging, counting and aggregating, so
that a count can't leak what a list would hide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from conurb.errors import ForbiddenError
from conurb.model.entity import Entity
from conurb.model.query.match import admits
from conurb.model.query.tree import Restriction

if TYPE_CHECKING:
    from conurb.model.context import Terms

Right = Literal["read", "write", "federate", "admin"]
RIGHTS: Final[tuple[Right, ...]] = ("read", "write", "federate", "admin")


@dataclass(frozen=True, slots=True)
class Trigger:
    """The request that others are sent for, as far as they are told of it (clause 4.3.6.5).

    `headers` are its headers by lower-case name, `terms` those of its @context (None: the core's).
    """

    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    terms: Terms | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may.

    `admin` includes every right. `restriction` bounds what they see and write. `via` are the
    nodes that a distributed request has passed, `trigger` is the request that was made here.
    `deadline_s`, by the process's monotonic clock, is when they go without what isn't there yet.
    """

    name: str
    rights: frozenset[Right]
    restriction: Restriction = Restriction()
    via: tuple[str, ...] = ()
    trigger: Trigger | None = field(default=None, compare=False, repr=False)
    deadline_s: float | None = field(default=None, compare=False)

    def asking(self, trigger: Trigger) -> Caller:
        """Give the same caller with the request that was made here; every request takes this."""
        return Caller(self.name, self.rights, self.restriction, self.via, trigger, self.deadline_s)

    def may(self, right: Right) -> bool:
        """Whether the caller has a right."""
        return right in self.rights or "admin" in self.rights

    def require(self, right: Right) -> Restriction:
        """Give the restriction under which the caller has this right.

        Raises ForbiddenError when they don't have it.
        """
        if not self.may(right):
            given = ", ".join(sorted(self.rights)) or "none"
            raise ForbiddenError(f"{self.name} has no right {right!r} here; rights given: {given}")
        return self.restriction

    def require_entity(self, entity: Entity) -> None:
        """Raise ForbiddenError when an entity is outside of the caller's restriction."""
        if not admits(self.restriction, entity):
            raise ForbiddenError(
                f"{self.name} may not write {entity.id}: outside of the types or scopes given"
            )


LOCAL: Final = Caller("local", frozenset(RIGHTS))
"""The caller of a node that is open (on loopback by default), and of the node's own parts."""

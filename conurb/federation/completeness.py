"""Who answered: every answer of a region says which nodes were asked, and which didn't answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from conurb.errors import NotFoundError, UnavailableError
from conurb.node.consume import Answer
from conurb.store.contract import EvolutionPage
from conurb.store.together import Run

if TYPE_CHECKING:
    from conurb.federation.modes import Part


class Named(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """Give the name."""
        ...


@dataclass(frozen=True, slots=True)
class Absence:
    """A node that didn't answer, and why.

    `code` is that of the warning: 111 for an answer that can't be read, 199 for none, 299 for an
    error (clause 6.3.17).
    """

    node: str
    reason: str
    code: int = 199


@dataclass(frozen=True, slots=True)
class Skip:
    """A node that wasn't asked although it is registered for this, and why.

    `age_s` is how old that is by which it was decided.
    """

    node: str
    reason: str
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Completeness:
    """The nodes that were asked, and those of them that didn't answer.

    `skipped` are nodes that hold nothing of this and weren't asked. `copied` are nodes that didn't
    answer themselves: copies of theirs did, this many seconds old.
    `count_is_exact` False says that the count is the sum of the nodes' counts: exact unless two
    of them hold an object of the same id. `notes` are what else went otherwise than registered,
    though nothing is missing for it.
    """

    asked: tuple[str, ...] = ()
    missing: tuple[Absence, ...] = ()
    count_is_exact: bool = True
    copied: tuple[tuple[str, float], ...] = ()
    notes: tuple[Absence, ...] = ()
    skipped: tuple[Skip, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether every node that was asked answered."""
        return not self.missing

    def said(self) -> str:
        """Say it in words.

        >>> Completeness(("wuxi", "huzhou"), (Absence("huzhou", "no answer in 5 s"),)).said()
        '1 of 2 nodes answered; missing: huzhou (no answer in 5 s)'
        """
        answered = len(self.asked) - len(self.missing)
        text = f"{answered} of {len(self.asked)} nodes answered"
        if self.missing:
            text += "; missing: " + ", ".join(f"{one.node} ({one.reason})" for one in self.missing)
        if self.copied:
            text += "; from copies: " + ", ".join(
                f"{one} ({s:.0f} s old)" for one, s in self.copied
            )
        if self.skipped:
            text += "; not asked: " + ", ".join(
                f"{one.node} ({one.reason})" for one in self.skipped
            )
        return text


def completeness_of(
    peers: Sequence[Named], absences: Sequence[Absence], skipped: Sequence[Skip] = ()
) -> Completeness:
    """Say who was asked, and who of them, or of those that couldn't be asked, is missing."""
    asked = {peer.name: None for peer in peers}
    absent = {one.node: one for one in absences}
    return Completeness(
        asked=(*asked, *(name for name in absent if name not in asked)),
        missing=tuple(absent.values()),
        copied=tuple(
            (peer.name, age_s)
            for peer in peers
            if peer.name not in absent
            and (age_s := getattr(peer, "copied_age_s", None)) is not None
        ),
        skipped=tuple(skipped),
    )


@dataclass(slots=True)
class FederatedAnswer(Answer):
    """An answer of several nodes, and who gave it.

    `runs` are where the ids lie that were counted, when that is known. `parts` are what the
    entities were merged of, entity by entity.
    """

    completeness: Completeness = field(default_factory=Completeness)
    runs: tuple[Run, ...] | None = None
    parts: Sequence[Sequence[Part]] = ()


@dataclass(slots=True)
class FederatedEvolutionPage(EvolutionPage):
    """Histories of several nodes, and who gave them."""

    completeness: Completeness = field(default_factory=Completeness)


LOOP: Final = "registration loop: the request had been here before"
"""Said by a node that answers alone because the request came by before (clause 6.3.17)."""


class Behind:
    """What nodes say of the nodes behind them: who is missing there, and loops."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, str], Absence] = {}

    def hear(self, answer: Answer | EvolutionPage) -> None:
        """Take note of what an answer says of its own completeness."""
        if isinstance(answer, FederatedAnswer | FederatedEvolutionPage):
            said = answer.completeness
            self._said |= {(one.node, one.reason): one for one in (*said.missing, *said.notes)}

    @property
    def absences(self) -> list[Absence]:
        """Give who is missing behind the nodes."""
        return [one for one in self._said.values() if one.reason != LOOP]

    @property
    def notes(self) -> tuple[Absence, ...]:
        """Give the loops that were found."""
        return tuple(one for one in self._said.values() if one.reason == LOOP)


class NotFoundHereError(NotFoundError):
    """None of the nodes that answered has it; says who didn't answer."""

    def __init__(self, detail: str, completeness: Completeness) -> None:
        said = "" if completeness.whole else f"; {completeness.said()}"
        super().__init__(detail + said)
        self.completeness = completeness


class IncompleteError(UnavailableError):
    """A strict answer would lack a node."""

    def __init__(self, completeness: Completeness) -> None:
        super().__init__(f"strict: {completeness.said()}")
        self.completeness = completeness

"""What an index is: a tree of dimensions, criteria and indicators, and what is public of it.

Branches hold branches or indicators, indicators are the leaves that read a figure. Weights are
relative among siblings: the weight of a leaf is the product of the shares along its path.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, Self, TypeAlias

from conurb.errors import InputError, NotFoundError

Names: TypeAlias = Mapping[str, str]
"""Language (zh, en) to text."""
Direction: TypeAlias = Literal["benefit", "cost", "near"]
Kind: TypeAlias = Literal["index", "checklist"]

DIRECTIONS: Final = ("benefit", "cost", "near")
INDICATORS_MAX: Final = 1_000
"""The most leaves of one tree."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """A leaf: which figure it reads, and what is good.

    It reads the panel's column `figure` (its id, when not given), divided by the column `per` and
    multiplied by `factor`. `direction`: more is better, less is better, or nearer to `target`.
    `bounds` (low, high) are fixed ends for the normalisation min-max, `target` is what the
    normalisation by target measures against; `measure` is the unit of the outcome.
    """

    id: str
    name: Names
    direction: Direction = "benefit"
    figure: str | None = None
    per: str | None = None
    factor: float = 1.0
    weight: float | None = None
    target: float | None = None
    bounds: tuple[float, float] | None = None
    measure: str | None = None
    note: Names | None = None

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise InputError(
                f"Indicator {self.id!r}: direction {self.direction!r}; allowed are {DIRECTIONS}"
            )
        if self.direction == "near" and self.target is None:
            raise InputError(f"Indicator {self.id!r} is better near a target, and has none")
        if self.bounds is not None and not self.bounds[0] < self.bounds[1]:
            raise InputError(f"Indicator {self.id!r}: bounds {self.bounds} don't ascend")
        _check_weight(self.id, self.weight)

    @property
    def column(self) -> str:
        """Give the panel's column that it reads."""
        return self.figure or self.id


@dataclass(frozen=True, slots=True)
class Branch:
    """A dimension or criterion with what stands below it.

    `items` is how many indicators the original has here where the file can't list them.
    """

    id: str
    name: Names
    children: tuple[Branch | Indicator, ...] = ()
    weight: float | None = None
    items: int | None = None
    note: Names | None = None

    def __post_init__(self) -> None:
        _check_weight(self.id, self.weight)

    def iter_leaves(self) -> Iterator[Indicator]:
        """Stream the indicators below, in order."""
        for child in self.children:
            if isinstance(child, Indicator):
                yield child
            else:
                yield from child.iter_leaves()

    def iter_branches(self) -> Iterator[Branch]:
        """Stream itself and the branches below, parents first."""
        yield self
        for child in self.children:
            if isinstance(child, Branch):
                yield from child.iter_branches()


@dataclass(frozen=True, slots=True)
class Definition:
    """An index or a checklist as its file defines it.

    `root` is a branch whose children are the dimensions. `source` and `year` say who defined it;
    `public` what is known of it, `not_public` what isn't and is the user's input. `labels` are
    what is to be said beside every result ("equal weights by choice ...").
    """

    id: str
    version: str
    name: Names
    kind: Kind
    source: str
    year: int
    public: str
    not_public: str
    root: Branch
    labels: tuple[str, ...] = ()
    url: str | None = None

    def __post_init__(self) -> None:
        ids = [one.id for one in self.root.iter_branches()]
        ids += [leaf.id for leaf in self.root.iter_leaves()]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            raise InputError(f"{self.id}: {twice[0]!r} stands twice in the tree")
        if len(self.leaves) > INDICATORS_MAX:
            raise InputError(f"{self.id} has more than {INDICATORS_MAX} indicators")

    @property
    def leaves(self) -> tuple[Indicator, ...]:
        """Give the indicators, in the order of the file."""
        return tuple(self.root.iter_leaves())

    @property
    def branches(self) -> tuple[Branch, ...]:
        """Give dimensions and criteria, parents first, without the root."""
        return tuple(self.root.iter_branches())[1:]

    def paths(self) -> Mapping[str, tuple[str, ...]]:
        """Map each indicator's id to the ids of the branches above it, the dimension first."""
        found: dict[str, tuple[str, ...]] = {}

        def walk(branch: Branch, above: tuple[str, ...]) -> None:
            for child in branch.children:
                if isinstance(child, Indicator):
                    found[child.id] = above
                else:
                    walk(child, (*above, child.id))

        walk(self.root, ())
        return MappingProxyType(found)

    def get(self, node_id: str) -> Branch | Indicator:
        """Give a branch or indicator by its id; NotFoundError with those that there are."""
        nodes: tuple[Branch | Indicator, ...] = (self.root, *self.branches, *self.leaves)
        for one in nodes:
            if one.id == node_id:
                return one
        known = [one.id for one in nodes]
        raise NotFoundError(f"{self.id} has no {node_id!r}; it has {known}")

    def with_weights(self, weights: Mapping[str, float]) -> Self:
        """Give the definition with weights (relative among siblings) of the branches and
        indicators named; those not named keep theirs."""
        for name in weights:
            self.get(name)

        def weigh(branch: Branch) -> Branch:
            children = tuple(
                replace(
                    weigh(one) if isinstance(one, Branch) else one,
                    weight=weights.get(one.id, one.weight),
                )
                for one in branch.children
            )
            return replace(branch, children=children)

        return replace(self, root=weigh(self.root))

    def with_indicators(self, indicators: Mapping[str, Sequence[Indicator]]) -> Self:
        """Give the definition with indicators put below the branches named, after those there.

        This is how items that aren't public come in from the user.
        """
        for name in indicators:
            if isinstance(self.get(name), Indicator):
                raise InputError(f"{self.id}: {name!r} is an indicator; it can't hold others")

        def extend(branch: Branch) -> Branch:
            children = tuple(
                extend(one) if isinstance(one, Branch) else one for one in branch.children
            )
            return replace(branch, children=(*children, *indicators.get(branch.id, ())))

        return replace(self, root=extend(self.root))


def _check_weight(name: str, weight: float | None) -> None:
    if weight is not None and not 0 <= weight < float("inf"):
        raise InputError(f"The weight of {name!r} is {weight}; it must be finite and not negative")

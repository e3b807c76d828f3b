"""How an index is computed: the choices that a definition leaves open, in one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from conurb.errors import InputError

Normalisation: TypeAlias = Literal["min-max", "z", "rank", "target"]
Weighting: TypeAlias = Literal["given", "equal", "entropy", "critic", "ahp"]
Aggregation: TypeAlias = Literal["arithmetic", "geometric", "topsis"]
Across: TypeAlias = Literal["panel", "year"]
Missing: TypeAlias = Literal["refuse", "leave", "reweigh"]

COVERAGE_MIN: Final = 0.5
"""The share of the weight that must be present for a score under `reweigh`."""


@dataclass(frozen=True, slots=True)
class Method:
    """The choices of one computation.

    - `normalisation`: min-max to 0..1 (or the indicator's bounds), z, rank, distance to target
    - `weighting`: those of the definition ("given"), equal among siblings, entropy or CRITIC over
      all indicators, AHP from `judgements` (branch id to the matrix of comparisons among its
      children; the root's id is the definition's)
    - `aggregation`: weighted mean, weighted geometric mean, or closeness to the ideal (TOPSIS)
    - `across`: "panel" takes ends, ideals and weights from all years, so that scores of different
      years compare; "year" takes them from each year, so that only ranks do
    - `missing`: refuse with the cells named, leave that city-year without a score, or reweigh what
      is there when at least `coverage_min` of the weight is
    """

    normalisation: Normalisation = "min-max"
    weighting: Weighting = "given"
    aggregation: Aggregation = "arithmetic"
    across: Across = "panel"
    missing: Missing = "refuse"
    judgements: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    coverage_min: float = COVERAGE_MIN

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("normalisation", self.normalisation, get_args(Normalisation)),
            ("weighting", self.weighting, get_args(Weighting)),
            ("aggregation", self.aggregation, get_args(Aggregation)),
            ("across", self.across, get_args(Across)),
            ("missing", self.missing, get_args(Missing)),
        ):
            if value not in allowed:
                raise InputError(f"{name} is {value!r}; allowed are {list(allowed)}")
        if self.aggregation == "geometric" and self.normalisation == "z":
            raise InputError("A geometric mean needs figures above zero; z has negative ones")
        if not 0 < self.coverage_min <= 1:
            raise InputError(f"coverage_min is {self.coverage_min}; it must be above 0, up to 1")
        if self.judgements and self.weighting != "ahp":
            raise InputError(f"Judgements are for AHP; the weighting is {self.weighting!r}")

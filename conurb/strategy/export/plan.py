"""What a script needs to know: names as the other program takes them, and our own answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conurb.strategy.effect.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Plan:
    """An estimate to be repeated.

    `data` is the file's name, `names` maps our names of columns to those in it. `outcome` is the
    column, `first` the column with the first treated year (0: never), `status` that of 0 and 1,
    `clusters` the number of the unit. `main` is our Callaway-Sant'Anna, `twfe` our static estimate
    (None where it couldn't be had). `gaps` says that the panel has some, `never` that there are
    units which are never treated.
    """

    data: str
    title: str
    names: Mapping[str, str]
    outcome: str
    covariates: tuple[str, ...]
    main: Estimate
    twfe: Estimate | None
    gaps: bool
    never: bool

    def ours(self) -> list[str]:
        """Give our own answers as lines of text."""
        return [
            f"{one.method}: {one.estimate:.7f} (s.e. {one.standard_error:.7f}), "
            f"{one.n_units} units, {one.n_observations} observations, {one.made_by}"
            for one in (self.main, self.twfe)
            if one is not None
        ]


FIRST = "first_treated"
STATUS = "treated"
UNIT = "unit"
UNIT_NUMBER = "unit_id"
YEAR = "year"

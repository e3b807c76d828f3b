"""When a figure raises a warning, and when it ends: levels with hysteresis.

A level is entered when the figure reaches it and left only when the figure has fallen below it by a
margin (a Schmitt trigger), so that a figure which wavers around a limit doesn't raise and clear a
warning every hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from conurb.errors import BadRequestDataError

QUIET: Final = 0
"""The level at which there is no warning."""

Step = Literal["raise", "worsen", "ease", "clear"]


@dataclass(frozen=True, slots=True)
class Levels:
    """Where levels 1, 2 ... begin, rising, and by how much a figure must fall to leave one.

    Raises BadRequestDataError when the limits don't rise by more than the margin.
    """

    limits: tuple[float, ...]
    margin: float

    def __post_init__(self) -> None:
        rising = all(
            high - low > self.margin
            for low, high in zip(self.limits, self.limits[1:], strict=False)
        )
        if not self.limits or self.margin < 0 or not rising:
            raise BadRequestDataError(
                f"limits {self.limits}: they must rise by more than the margin {self.margin}"
            )

    def next_level(self, level: int, figure: float) -> int:
        """Give the level after a figure, from the level before it.

        >>> levels = Levels((151, 201, 301), margin=10)
        >>> levels.next_level(0, 160), levels.next_level(1, 145), levels.next_level(1, 140)
        (1, 1, 0)
        """
        reached = sum(figure >= limit for limit in self.limits)
        if reached >= level:
            return reached
        held = sum(figure > limit - self.margin for limit in self.limits)
        return min(level, held)


def step_of(before: int, after: int) -> Step | None:
    """Name the step from one level to another; None when it is the same."""
    if after == before:
        return None
    if before == QUIET:
        return "raise"
    if after == QUIET:
        return "clear"
    return "worsen" if after > before else "ease"

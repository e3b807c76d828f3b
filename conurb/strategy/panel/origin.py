"""Where one figure of a panel comes from: object, attribute, time, source; or how it was made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """The provenance of one cell.

    `object` is the id of the object that says it, `attribute` and `dataset` which instance,
    `time` its observedAt (UTC), `source` who published it. `series_break` says why it can't be
    compared with the years before ("boundary: ..."). A figure that was computed has `made` (how)
    and `inputs` (of what); an interpolated one says so there.
    """

    object: str | None = None
    attribute: str | None = None
    dataset: str | None = None
    time: str | None = None
    source: str | None = None
    series_break: str | None = None
    made: str | None = None
    inputs: tuple[Origin, ...] = ()

    def iter_leaves(self) -> Iterator[Origin]:
        """Stream what was observed: the origin itself, or those of what it was made of."""
        if not self.inputs:
            yield self
        for one in self.inputs:
            yield from one.iter_leaves()

    def breaks(self) -> tuple[str, ...]:
        """Give the breaks flagged on it, or on anything that it was made of, each once."""
        return tuple(
            dict.fromkeys(one.series_break for one in self.iter_leaves() if one.series_break)
        )

"""Small trees and panels with answers that can be worked out by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from conurb.strategy.index.tree import Branch, Definition, Direction, Indicator
from conurb.strategy.panel import Panel


def names(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def leaf(name: str, direction: Direction = "benefit", weight: float | None = 1.0) -> Indicator:
    return Indicator(name, names(name), direction, weight=weight)


def tree(*dimensions: Sequence[Indicator], weights: Sequence[float | None] = ()) -> Definition:
    given = weights or [1.0] * len(dimensions)
    branches = tuple(
        Branch(f"d{k}", names(f"d{k}"), tuple(leaves), weight=weight)
        for k, (leaves, weight) in enumerate(zip(dimensions, given, strict=True))
    )
    return Definition(
        id="toy",
        version="1",
        name=names("toy"),
        kind="index",
        source="a test",
        year=2026,
        public="all",
        not_public="Nothing.",
        root=Branch("toy", names("toy"), branches),
    )


def panel(**columns: Any) -> Panel:
    figures = {name: np.asarray(given, dtype=float) for name, given in columns.items()}
    n, t = next(iter(figures.values())).shape
    return Panel(tuple("abcdefghijklmnop"[:n]), tuple(range(2000, 2000 + t)), figures)

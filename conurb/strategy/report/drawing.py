"""SVG by hand: elements, scales and axes, on which the report's charts and maps are drawn.

A plot is a text that any browser shows without a network or a library, also inside of a page.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from conurb.errors import InputError

FONT: Final = (
    "'Noto Sans CJK SC','Noto Sans SC','PingFang SC','Microsoft YaHei','Segoe UI',"
    "'Helvetica Neue',Arial,sans-serif"
)
INK: Final = "#1c2733"
QUIET: Final = "#66727f"
RULE: Final = "#d9dee3"
BLUE: Final = "#1f5f8b"
ORANGE: Final = "#c8662b"
GREEN: Final = "#3c8066"
PLUM: Final = "#7d4f7c"
NOTHING: Final = "#eceff1"
"""The colour of what has no figure."""
SERIES: Final = (BLUE, ORANGE, GREEN, PLUM)
TICKS_WANTED: Final = 5
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing: its SVG and its title. Notebooks show it by themselves."""

    svg: str
    title: str

    def _repr_html_(self) -> str:
        return self.svg

    def save(self, path: Path | str) -> None:
        """Write the drawing into a file of its own."""
        Path(path).write_text(self.svg, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from figures low..high to pixels start..end."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Give the pixel of a figure."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def scale(figures: Sequence[float], start: float, end: float, *, room: float = 0.04) -> Scale:
    """Make a scale that holds finite figures with some room at its ends.

    Raises InputError without a finite figure.
    """
    known = [one for one in figures if math.isfinite(one)]
    if not known:
        raise InputError("A plot needs a finite figure")
    low, high = min(known), max(known)
    if low == high:
        low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
    more = (high - low) * room
    return Scale(low - more, high + more, start, end)


def ticks(low: float, high: float, wanted: int = TICKS_WANTED) -> list[float]:
    """Give round figures between two, about as many as wanted.

    >>> ticks(0.0, 1.0)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    raw = (high - low) / max(wanted, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(one * power for one in _STEPS if one * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, last + 1)]


def tick_text(value: float) -> str:
    """Write a tick without needless digits.

    >>> tick_text(1200000), tick_text(0.25)
    ('1.2M', '0.25')
    """
    for size, letter in ((1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}".replace("-", "−")


class Canvas:
    """Collects elements; `finish` gives the plot."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._parts: list[str] = []

    def add(
        self, name: str, content: str = "", *, hint: str = "", **attributes: str | float
    ) -> None:
        """Add an element; `_` in names of attributes stands for `-`, `hint` shows on hovering."""
        said = "".join(
            f" {key.replace('_', '-')}={quoteattr(_plain(value))}"
            for key, value in attributes.items()
        )
        inner = (f"<title>{escape(hint)}</title>" if hint else "") + escape(content)
        self._parts.append(f"<{name}{said}>{inner}</{name}>" if inner else f"<{name}{said}/>")

    def line(
        self, start: tuple[float, float], end: tuple[float, float], stroke: str = RULE,
        *, width: float = 1.0, dash: str = "", opacity: float = 1.0,
    ) -> None:  # fmt: skip
        """Draw a line between two points."""
        more: dict[str, str | float] = {"stroke_dasharray": dash} if dash else {}
        if opacity < 1:
            more["stroke_opacity"] = opacity
        self.add(
            "line", "", hint="", x1=start[0], y1=start[1], x2=end[0], y2=end[1],
            stroke=stroke, stroke_width=width, **more,
        )  # fmt: skip

    def text(
        self, at: tuple[float, float], content: str, *, anchor: str = "start", size: float = 11,
        fill: str = INK, weight: str = "normal", turn: float = 0, halo: bool = False,
    ) -> None:  # fmt: skip
        """Write text at a point, turned by degrees; with a halo it stays readable on a map."""
        more: dict[str, str | float] = {}
        if turn:
            more["transform"] = f"rotate({turn:g} {at[0]:.1f} {at[1]:.1f})"
        if weight != "normal":
            more["font_weight"] = weight
        if halo:
            more |= {"paint_order": "stroke", "stroke": "#fff", "stroke_width": 2.5}
        self.add(
            "text",
            content,
            hint="",
            x=at[0],
            y=at[1],
            text_anchor=anchor,
            font_size=size,
            fill=fill,
            **more,
        )

    def path(self, points: Sequence[tuple[float, float]], stroke: str, width: float = 1.8) -> None:
        """Draw a line through points; one that isn't finite breaks it."""
        d, pen = [], "M"
        for x, y in points:
            if math.isfinite(y):
                d.append(f"{pen}{x:.1f} {y:.1f}")
                pen = "L"
            else:
                pen = "M"
        if d:
            self.add(
                "path", d="".join(d), fill="none", stroke=stroke, stroke_width=width,
                stroke_linejoin="round",
            )  # fmt: skip

    def finish(self) -> Plot:
        """Give the plot."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" height="{self.height:g}" role="img" '
            f'font-family="{FONT}" aria-label={quoteattr(self.title)}>'
        )
        return Plot(f"{head}{''.join(self._parts)}</svg>", self.title)


@dataclass(frozen=True, slots=True)
class Frame:
    """The two scales of a chart, and the box that they fill."""

    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Give the pixel of a pair of figures."""
        return self.x(x), self.y(y)


def draw_axes(
    canvas: Canvas,
    frame: Frame,
    *,
    x_label: str,
    y_label: str,
    x_ticks: Sequence[float] | None = None,
    x_text: Sequence[str] | None = None,
) -> None:
    """Draw rules, ticks and the names of both axes."""
    left, right = frame.x.start, frame.x.end
    bottom, top = frame.y.start, frame.y.end
    for value in ticks(frame.y.low, frame.y.high):
        canvas.line((left, frame.y(value)), (right, frame.y(value)))
        canvas.text((left - 6, frame.y(value) + 3.5), tick_text(value), anchor="end", fill=QUIET)
    marks = ticks(frame.x.low, frame.x.high, 8) if x_ticks is None else x_ticks
    for k, value in enumerate(marks):
        canvas.line((frame.x(value), bottom), (frame.x(value), bottom + 4), QUIET)
        said = tick_text(value) if x_text is None else x_text[k]
        canvas.text((frame.x(value), bottom + 16), said, anchor="middle", fill=QUIET)
    canvas.line((left, bottom), (right, bottom), QUIET)
    canvas.text(((left + right) / 2, bottom + 33), x_label, anchor="middle", size=12)
    canvas.text((left, top - 8), y_label, size=12)


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")

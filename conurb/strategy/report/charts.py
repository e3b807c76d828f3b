"""Charts of the report: lines over years, effects by year, intervals, histograms, scatters.

Every word on them is the caller's, so that a chart speaks the language of its page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from conurb.strategy.panel import Figures
from conurb.strategy.report.drawing import (
    INK,
    ORANGE,
    QUIET,
    SERIES,
    Canvas,
    Frame,
    Plot,
    Scale,
    draw_axes,
    scale,
    tick_text,
    ticks,
)

WIDTH: Final = 720.0
LABEL_GAP: Final = 13.0
"""Least distance in pixels between labels at the ends of lines."""


@dataclass(frozen=True, slots=True)
class Axes:
    """What stands on a chart: its title and the names of its axes."""

    title: str
    x: str
    y: str


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects by year since treatment with ends of intervals, as one method gives them."""

    name: str
    points: Sequence[int]
    estimates: Figures
    low: Figures
    high: Figures


def draw_effects(
    axes: Axes,
    paths: Sequence[Effects],
    *,
    shaded: tuple[int, str] | None = None,
    height: float = 340,
) -> Plot:
    """Draw effects by year since treatment, a colour per method; the line at zero is no effect.

    `shaded` are the years from one on that rest on few units, with what is said of them.
    """
    canvas = Canvas(WIDTH, height, axes.title)
    figures = [float(v) for one in paths for v in (*one.low, *one.high)] + [0.0]
    points = sorted({p for one in paths for p in one.points} | {-1})
    frame = Frame(
        scale([points[0] - 0.5, points[-1] + 0.5], 56, WIDTH - 14, room=0.01),
        scale(figures, height - 44, 42),
    )
    if shaded is not None:
        left = frame.x(shaded[0] - 0.5)
        canvas.add(
            "rect", x=left, y=frame.y.end, width=frame.x.end - left,
            height=frame.y.start - frame.y.end, fill="#eef1f3",
        )  # fmt: skip
        canvas.text((left + 5, frame.y.end + 14), shaded[1], fill=QUIET)
    draw_axes(canvas, frame, x_label=axes.x, y_label=axes.y, x_ticks=_some(points))
    canvas.line(frame.at(frame.x.low, 0), frame.at(frame.x.high, 0), INK)
    canvas.line(frame.at(-0.5, frame.y.low), frame.at(-0.5, frame.y.high), ORANGE, dash="4 3")
    spread = 0.36 / max(len(paths), 1)
    for k, one in enumerate(paths):
        colour, shift = SERIES[k % len(SERIES)], (k - (len(paths) - 1) / 2) * spread
        for p, value, low, high in zip(one.points, one.estimates, one.low, one.high, strict=True):
            if math.isfinite(low) and math.isfinite(high):
                canvas.line(
                    frame.at(p + shift, low), frame.at(p + shift, high), colour,
                    width=1.6, opacity=0.75,
                )  # fmt: skip
            x, y = frame.at(p + shift, value)
            hint = f"{p:+d}: {value:.4f} [{low:.4f}, {high:.4f}]"
            canvas.add("circle", cx=x, cy=y, r=3, fill=colour, hint=hint)
    _legend(canvas, [one.name for one in paths], at=(56, 16))
    return canvas.finish()


def draw_lines(
    axes: Axes,
    years: Sequence[int],
    lines: Mapping[str, Figures],
    *,
    height: float = 300,
    right: float = 130,
) -> Plot:
    """Draw named lines over years with their names at the ends."""
    canvas = Canvas(WIDTH, height, axes.title)
    figures = [float(v) for one in lines.values() for v in one]
    frame = Frame(
        scale([float(years[0]), float(years[-1])], 56, WIDTH - right, room=0.02),
        scale(figures, height - 44, 28),
    )
    draw_axes(canvas, frame, x_label=axes.x, y_label=axes.y)
    ends: list[tuple[float, str, str]] = []
    for k, (name, one) in enumerate(lines.items()):
        colour = SERIES[k % len(SERIES)]
        canvas.path([frame.at(y, float(v)) for y, v in zip(years, one, strict=True)], colour, 2.2)
        known = np.flatnonzero(np.isfinite(one))
        if len(known):
            ends.append((frame.y(float(one[known[-1]])), name, colour))
    last = -math.inf
    for y, name, colour in sorted(ends):
        last = max(y, last + LABEL_GAP)
        canvas.text((WIDTH - right + 6, last + 4), name, fill=colour, weight="600")
    return canvas.finish()


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an interval chart; `outer` is a wider interval, drawn thinner."""

    name: str
    value: float
    low: float
    high: float
    outer: tuple[float, float] | None = None


def draw_intervals(
    axes: Axes,
    rows: Sequence[Row],
    *,
    zero: bool = False,
    left: float = 150,
    step: float = 16,
    legend: Sequence[str] = (),
) -> Plot:
    """Draw a value with its interval per row, from the top down; `zero` marks no effect."""
    height = 60 + step * len(rows) + 30
    canvas = Canvas(WIDTH, height, axes.title)
    ends = [v for r in rows for v in (r.value, r.low, r.high, *(r.outer or ()))]
    x = scale([*ends, 0.0] if zero else ends, left, WIDTH - 20)
    bottom = height - 40
    for mark in ticks(x.low, x.high, 8):
        canvas.line((x(mark), 34), (x(mark), bottom))
        canvas.text((x(mark), bottom + 16), tick_text(mark), anchor="middle", fill=QUIET)
    canvas.text(((left + WIDTH - 20) / 2, bottom + 33), axes.x, anchor="middle", size=12)
    if zero:
        canvas.line((x(0), 34), (x(0), bottom), INK)
    for k, row in enumerate(rows):
        y = 44 + step * k
        canvas.text((left - 8, y + 4), row.name, anchor="end")
        if row.outer is not None:
            canvas.line((x(row.outer[0]), y), (x(row.outer[1]), y), "#a9b8c4", width=1.4)
        if math.isfinite(row.low) and math.isfinite(row.high):
            canvas.line((x(row.low), y), (x(row.high), y), SERIES[0], width=4, opacity=0.45)
        hint = f"{row.name}: {row.value:.4g} [{row.low:.4g}, {row.high:.4g}]"
        canvas.add("circle", cx=x(row.value), cy=y, r=3.6, fill=SERIES[0], hint=hint)
    _key(canvas, legend)
    return canvas.finish()


def draw_histogram(
    axes: Axes, draws: Figures, *, marked: float, said: str, bins: int = 36, height: float = 250
) -> Plot:
    """Draw how placebo estimates spread, with the true one marked."""
    canvas = Canvas(WIDTH, height, axes.title)
    reach = float(max(np.abs(draws).max(), abs(marked))) * 1.05
    counts, edges = np.histogram(draws, bins=bins, range=(-reach, reach))
    frame = Frame(
        Scale(-reach, reach, 56, WIDTH - 20), Scale(0.0, float(counts.max()) * 1.1, height - 44, 34)
    )
    draw_axes(canvas, frame, x_label=axes.x, y_label=axes.y)
    for count, low, high in zip(counts, edges[:-1], edges[1:], strict=True):
        x, y = frame.at(float(low), float(count))
        canvas.add(
            "rect", x=x, y=y, width=frame.x(float(high)) - x - 1, height=frame.y(0) - y,
            fill="#9fb6c8",
        )  # fmt: skip
    canvas.line(frame.at(marked, 0), frame.at(marked, frame.y.high), ORANGE, width=2.2)
    end = marked > 0
    canvas.text(
        (frame.x(marked) + (-6 if end else 6), 46), said,
        anchor="end" if end else "start", fill=ORANGE, weight="600", halo=True,
    )  # fmt: skip
    return canvas.finish()


def draw_scatter(
    axes: Axes,
    x: Figures,
    y: Figures,
    *,
    names: Sequence[str] = (),
    line: tuple[float, float] | None = None,
    height: float = 330,
) -> Plot:
    """Draw points, some named, with a fitted line (intercept, slope) where one is given."""
    canvas = Canvas(WIDTH, height, axes.title)
    known = np.isfinite(x) & np.isfinite(y)
    reach = (float(x[known].min()), float(x[known].max()))
    ends = [] if line is None else [(v, line[0] + line[1] * v) for v in reach]
    frame = Frame(
        scale(reach, 60, WIDTH - 20),
        scale([*map(float, y[known]), *(one[1] for one in ends)], height - 44, 28),
    )
    draw_axes(canvas, frame, x_label=axes.x, y_label=axes.y)
    for i in np.flatnonzero(known):
        px, py = frame.at(float(x[i]), float(y[i]))
        name = names[int(i)] if names else ""
        canvas.add("circle", cx=px, cy=py, r=3, fill=SERIES[0], fill_opacity=0.55, hint=name)
        if name:
            canvas.text((px + 5, py + 3), name, size=9.5, fill=QUIET)
    if ends:
        canvas.line(frame.at(*ends[0]), frame.at(*ends[1]), ORANGE, width=1.8)
    return canvas.finish()


def draw_parts(
    axes: Axes,
    groups: Sequence[str],
    parts: Mapping[str, Figures],
    *,
    total: str,
    height: float = 300,
) -> Plot:
    """Draw what each part did per group as bars beside each other, and their sum as a mark."""
    canvas = Canvas(WIDTH, height, axes.title)
    sums = np.sum(list(parts.values()), axis=0)
    figures = [float(v) for one in (*parts.values(), sums) for v in one] + [0.0]
    frame = Frame(Scale(-0.5, len(groups) - 0.5, 56, WIDTH - 20), scale(figures, height - 44, 42))
    draw_axes(
        canvas, frame, x_label=axes.x, y_label=axes.y,
        x_ticks=list(range(len(groups))), x_text=list(groups),
    )  # fmt: skip
    width = 0.7 / max(len(parts), 1)
    for k, one in enumerate(parts.values()):
        for g, value in enumerate(one):
            left = frame.x(g - 0.35 + k * width)
            top, base = sorted((frame.y(float(value)), frame.y(0)))
            canvas.add(
                "rect", x=left, y=top, width=frame.x(width) - frame.x(0) - 1.5,
                height=max(base - top, 0.5), fill=SERIES[k % len(SERIES)], fill_opacity=0.8,
            )  # fmt: skip
    canvas.line(frame.at(-0.5, 0), frame.at(len(groups) - 0.5, 0), INK)
    for g, value in enumerate(sums):
        canvas.line(
            frame.at(g - 0.38, float(value)), frame.at(g + 0.38, float(value)), INK, width=2.4
        )
    _legend(canvas, [*parts, total], at=(56, 16), line=len(parts))
    return canvas.finish()


def draw_grid(
    axes: Axes,
    rows: Sequence[str],
    columns: Sequence[str],
    colours: Sequence[Sequence[str]],
    legend: Mapping[str, str],
    *,
    left: float = 110,
) -> Plot:
    """Draw a table of coloured cells [rows x columns], and what the colours say."""
    step = 15.0
    lines = _wrapped(list(legend), WIDTH - 20)
    top = 26 + 18 * (lines[-1][1] + 1) if legend else 26
    canvas = Canvas(WIDTH, top + step * len(rows) + 12, axes.title)
    for (x, level), (name, colour) in zip(lines, legend.items(), strict=True):
        canvas.add("rect", x=10 + x, y=6 + 18 * level, width=11, height=11, fill=colour)
        canvas.text((26 + x, 15.5 + 18 * level), name)
    width = (WIDTH - left - 14) / len(columns)
    for c, name in enumerate(columns):
        canvas.text((left + width * (c + 0.5), top - 4), name, anchor="middle", fill=QUIET, size=10)
    for r, name in enumerate(rows):
        canvas.text((left - 6, top + step * r + 11), name, anchor="end", size=10.5)
        for c, colour in enumerate(colours[r]):
            canvas.add(
                "rect", x=left + width * c, y=top + step * r, width=width - 1.5, height=step - 1.5,
                fill=colour, hint=f"{name} {columns[c]}",
            )  # fmt: skip
    return canvas.finish()


def _wrapped(names: Sequence[str], width: float) -> list[tuple[float, int]]:
    """Place names of a legend one after the other: (x, line) of each."""
    places, x, level = [], 0.0, 0
    for name in names:
        long = 26 + text_width(name)
        if x and x + long > width:
            x, level = 0.0, level + 1
        places.append((x, level))
        x += long
    return places


def text_width(text: str, size: float = 11) -> float:
    """Guess how wide text is in pixels: a Chinese character is as wide as it is high."""
    return sum(size if ord(one) > 0x2E7F else size * 0.56 for one in text)


def _legend(
    canvas: Canvas, names: Sequence[str], *, at: tuple[float, float], line: int = -1
) -> None:
    """Say what the colours are; entry number `line` is a black line."""
    x, y = at
    for k, name in enumerate(names):
        if k == line:
            canvas.line((x, y - 4), (x + 12, y - 4), INK, width=2.4)
        else:
            canvas.add("circle", cx=x + 5, cy=y - 4, r=4, fill=SERIES[k % len(SERIES)])
        canvas.text((x + 16, y), name)
        x += 30 + text_width(name)


def _key(canvas: Canvas, legend: Sequence[str]) -> None:
    """Say what the thick and the thin line of an interval chart are."""
    x = 20.0
    for k, name in enumerate(legend):
        colour, width = ((SERIES[0], 4.0), ("#a9b8c4", 1.4))[min(k, 1)]
        canvas.line((x, 14), (x + 18, 14), colour, width=width, opacity=0.45 if k == 0 else 1.0)
        canvas.text((x + 24, 18), name)
        x += 44 + text_width(name)


def _some(points: Sequence[int]) -> list[float]:
    """Give every point, or every other or fifth where there are many."""
    step = 1 if len(points) <= 16 else 2 if len(points) <= 32 else 5
    return [float(p) for p in range(points[0], points[-1] + 1) if p % step == 0]

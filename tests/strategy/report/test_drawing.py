"""Drawings: well-formed, placed right, and theirs to say what is missing."""

from __future__ import annotations

import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from conurb.errors import InputError
from conurb.strategy.report.charts import (
    Axes,
    Effects,
    Row,
    draw_effects,
    draw_grid,
    draw_histogram,
    draw_intervals,
    draw_lines,
    draw_parts,
    draw_scatter,
)
from conurb.strategy.report.drawing import NOTHING, Plot, scale, ticks
from conurb.strategy.report.maps import BLUES, draw_choropleth, draw_links, lay_out
from conurb.strategy.report.notebook import choropleth_plot, event_study_plot, read_pack_subject
from conurb.strategy.report.subject import OUTCOME

AXES = Axes("a < b & c", "x", "y")
SVG = "{http://www.w3.org/2000/svg}"
SQUARES = {
    name: {
        "type": "Polygon",
        "coordinates": [[[x, 30], [x + 1, 30], [x + 1, 31], [x, 31], [x, 30]]],
    }
    for name, x in (("a", 118), ("b", 119), ("c", 120))
}


def parse(plot: Plot) -> ET.Element:
    return ET.fromstring(plot.svg)


def test_every_chart_is_well_formed_and_carries_its_title() -> None:
    figures = np.array([1.0, 2.0, np.nan, 4.0])
    path = Effects("m", (-2, 0, 1), figures[[0, 1, 3]], figures[[0, 1, 3]] - 1, figures[[0, 1, 3]])
    plots = [
        draw_effects(AXES, [path], shaded=(1, "one")),
        draw_lines(AXES, (1, 2, 3, 4), {"n": figures}),
        draw_intervals(AXES, [Row("r", 1, 0, 2, (-1, 3))], zero=True, legend=("near", "far")),
        draw_histogram(AXES, np.arange(9.0) - 4, marked=3.0, said="true"),
        draw_scatter(AXES, figures, figures, names=["a", "b", "c", "d"], line=(0, 1)),
        draw_parts(AXES, ["p", "q"], {"f": np.array([1.0, -2.0])}, total="all"),
        draw_grid(AXES, ["r"], ["c"], [["#fff"]], {"white": "#fff"}),
    ]
    for plot in plots:
        assert parse(plot).get("aria-label") == "a < b & c"
        assert plot._repr_html_() == plot.svg


def test_a_line_breaks_where_a_figure_is_missing() -> None:
    plot = draw_lines(AXES, (1, 2, 3, 4, 5), {"n": np.array([1.0, 2, np.nan, 4, 5])})
    [path] = [one.get("d", "") for one in parse(plot).iter(f"{SVG}path")]
    assert path.count("M") == 2


def test_scales_and_ticks() -> None:
    assert ticks(0, 1) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-0.1, 0.1, 2) == [-0.1, 0.0, 0.1]
    line = scale([0, 10], 100, 200, room=0)
    assert (line(0), line(10), line(5)) == (100, 200, 150)
    with pytest.raises(InputError, match="finite"):
        scale([math.nan], 0, 1)


def test_areas_keep_their_common_border_and_missing_figures_are_grey() -> None:
    areas = lay_out(SQUARES)
    plot = draw_choropleth(
        areas, {"a": 1.0, "b": 2.0, "c": math.nan}, title="t", measure="m",
        names={"a": "A", "b": "B", "c": "C"}, nothing="none",
    )  # fmt: skip
    fills = [one.get("fill") for one in parse(plot).iter(f"{SVG}path")]
    assert fills == [BLUES[0], BLUES[-1], NOTHING]
    assert "C: none" in plot.svg
    shared = [set(re.findall(r"[\d.]+ [\d.]+", one)) for one in areas.paths]
    assert len(shared[0] & shared[1]) == 2


def test_links_are_as_wide_as_they_are_strong() -> None:
    plot = draw_links(
        lay_out(SQUARES),
        {"a": (118.5, 30.5), "b": (119.5, 30.5), "c": (120.5, 30.5)},
        [("a", "b", 9.0), ("b", "c", 1.0)],
        {"a": 1.0, "b": 2.0, "c": 3.0},
        title="t", measure="m", key=[], fill={}, names={}, labelled=["a"], marked=["c"],
    )  # fmt: skip
    widths = [float(one.get("stroke-width", 0)) for one in parse(plot).iter(f"{SVG}line")]
    assert widths == sorted(widths)
    assert widths[0] < widths[1]


def test_an_event_study_plot_of_the_delta(tmp_path: Path) -> None:
    region = read_pack_subject("yrd")
    plot = event_study_plot(region.panel, OUTCOME, region.pilots, years=range(2000, 2020))
    circles = list(parse(plot).iter(f"{SVG}circle"))
    # Years -16 to 9 by one method, -17 to 9 without the reference by the other, and a legend.
    assert len(circles) == 26 + 26 + 2
    plot.save(tmp_path / "event.svg")
    assert (tmp_path / "event.svg").read_text("utf-8") == plot.svg


def test_a_choropleth_names_a_unit_without_a_border() -> None:
    region = read_pack_subject("yrd")
    figures = region.by_unit(region.panel.get("population")[:, -1])
    assert len(list(parse(choropleth_plot(region, figures, lang="zh")).iter(f"{SVG}path"))) == 41
    with pytest.raises(InputError, match="atlantis"):
        choropleth_plot(region, {"atlantis": 1.0})

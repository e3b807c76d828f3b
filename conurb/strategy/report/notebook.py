"""The report's drawings for a notebook: from a region to an event-study plot in a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from conurb.errors import InputError
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.panel import Panel
from conurb.strategy.report.charts import Axes, Effects, draw_effects
from conurb.strategy.report.drawing import Plot
from conurb.strategy.report.maps import BLUES, draw_choropleth, lay_out
from conurb.strategy.report.policy import event_paths
from conurb.strategy.report.subject import Subject, read_pack_subject, read_region
from conurb.strategy.report.words import Words

__all__ = ["choropleth_plot", "event_study_plot", "read_pack_subject", "read_region"]


def event_study_plot(
    panel: Panel,
    outcome: str,
    treatment: Treatment,
    *,
    years: Sequence[int] | None = None,
    title: str = "",
    lang: str = "en",
) -> Plot:
    """Draw effects by year since treatment: Callaway-Sant'Anna with a uniform band, and TWFE.

    `years` are those of the panel that count (all, when not given). Errors as in `Study.of`.
    """
    chosen = panel if years is None else panel.select(years=years)
    words = Words(lang)
    events, dynamic = event_paths(chosen, outcome, treatment)
    paths = [] if dynamic is None else [(words.say("policy.cs_path"), dynamic)]
    paths.append((words.say("policy.twfe_path"), events.series))
    drawn = [Effects(n, s.points, s.estimates, s.low, s.high) for n, s in paths]
    axes = Axes(title or f"{outcome}, {treatment.name}", words.say("head.since"), outcome)
    return draw_effects(axes, drawn)


def choropleth_plot(
    where: Subject | Mapping[str, Mapping[str, Any]],
    figures: Mapping[str, float],
    *,
    title: str = "",
    measure: str = "",
    colours: Sequence[str] = BLUES,
    lang: str = "en",
) -> Plot:
    """Draw figures by unit on the borders of a region (or GeoJSON geometries by unit), in fifths.

    InputError names a unit that has no border.
    """
    words = Words(lang)
    boundaries = where.boundaries if isinstance(where, Subject) else where
    unknown = sorted(set(figures) - set(boundaries))
    if unknown:
        raise InputError(f"There is no border of {unknown[0]!r}; there are {sorted(boundaries)}")
    names = {
        unit: where.name(unit, lang) if isinstance(where, Subject) else unit for unit in boundaries
    }
    return draw_choropleth(
        lay_out(boundaries),
        figures,
        title=title,
        measure=measure,
        names=names,
        colours=colours,
        nothing=words.say("page.nothing"),
    )

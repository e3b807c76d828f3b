"""The report on the Delta: complete, honest about nulls, without a network, in both languages.

Figures on it are held in the tests of the rooms that compute them; here is held that the page says
what they said. Both languages are made once: most of the time goes into the battery.
"""

from __future__ import annotations

import base64
import csv
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from html import unescape
from typing import Any

import numpy as np
import pytest

from conurb.errors import InputError, InvariantError
from conurb.strategy.effect.treatment import Treatment
from conurb.strategy.mechanism.mediation import Mediation
from conurb.strategy.panel import Panel
from conurb.strategy.report import channels, policy, write
from conurb.strategy.report.page import Report
from conurb.strategy.report.subject import read_pack_subject
from conurb.strategy.report.words import LANGUAGES, Words, catalogue, number, p_text
from conurb.strategy.report.write import PARTS, join, make_report

RUN = channels.study_channels
"""The function itself, whatever stands in its place while reports are made."""
DAY = date(2026, 11, 22)
PLACE = re.compile(r"\{(\w+)\}")


@pytest.fixture(scope="module")
def studied() -> dict[str, Any]:
    """Hold what takes long, by outcome: it is the same in every language."""
    return {}


@pytest.fixture(scope="module")
def reports(studied: dict[str, Any]) -> Iterator[dict[str, Report]]:
    study, run = policy.study_policy, channels.study_channels

    def once(panel: Panel, outcome: str, who: Treatment, **more: Any) -> policy.Policy:
        panel.get(outcome)
        if outcome not in studied:
            studied[outcome] = study(panel, outcome, who, **more)
        found: policy.Policy = studied[outcome]
        return found

    def channels_once(panel: Panel, who: Treatment, **more: Any) -> Any:
        if "channels" not in studied:
            studied["channels"] = run(panel, who, **more)
        return studied["channels"]

    subject = read_pack_subject("yrd")
    with pytest.MonkeyPatch.context() as patch:
        for module in (policy, write):
            patch.setattr(module, "study_policy", once)
        for module in (channels, write):
            patch.setattr(module, "study_channels", channels_once)
        yield {lang: make_report(subject, lang=lang, today=DAY) for lang in LANGUAGES}


def text_of(html: str) -> str:
    """Give what a reader sees, without calls, sources and data."""
    for pattern in (r"<style>.*?</style>", r"<pre>.*?</pre>", r"<p><b>(来源|Source).*?</p>"):
        html = re.sub(pattern, " ", html, flags=re.S)
    html = re.sub(r'<figure id="sources">.*?</figure>', " ", html, flags=re.S)
    html = re.sub(r"<(td|th|li|p|text|title|dd|dt)\b", r" | <\1", html)
    return unescape(re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_needs_nothing_else(reports: dict[str, Report], lang: str) -> None:
    html = reports[lang].to_html()
    assert html.startswith("<!doctype html>")
    for outside in ("<script", "<link", "<img", "<iframe", "src=", "@import", "url("):
        assert outside not in html
    targets = re.findall(r'href="([^"]+)"', html)
    assert targets
    assert all(one.startswith(("#", "data:text/csv;base64,")) for one in targets)
    inner = {one[1:] for one in targets if one.startswith("#")}
    assert inner <= set(re.findall(r' id="([^"]+)"', html))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_part_is_there_and_computed(reports: dict[str, Report], lang: str) -> None:
    made = reports[lang]
    assert tuple(one.id for one in made.sections) == PARTS
    failed = Words(lang).say("page.not_computable")
    assert [one.id for one in made.sections if one.headline == failed] == []
    assert len(made.cards) == 6
    ids = [one.id for part in made.sections for one in part.exhibits]
    assert len(set(ids)) == len(ids)
    for part in made.sections:
        for one in part.exhibits:
            assert one.plot is not None or one.shown is not None
            assert one.call
            assert one.source
            assert one.data.rows


def test_a_null_is_headlined_as_a_null(reports: dict[str, Report]) -> None:
    [english] = [one for one in reports["en"].sections if one.id == "policy"]
    assert english.headline.startswith("No effect of low-carbon pilots")
    assert "−3.0%" in english.headline
    said = " ".join(english.text)
    assert "not the effect of smart-city pilots" in said
    assert "rejects parallel trends" in said
    assert "0.22" in said  # the correlation of the two inventories
    assert "Hangzhou" in said  # the years that rest on one city
    [chinese] = [one for one in reports["zh"].sections if one.id == "policy"]
    assert chinese.headline.startswith("未发现低碳试点")


def test_both_inventories_and_randomisation_stand_side_by_side(reports: dict[str, Report]) -> None:
    data = dict(reports["en"].list_data())
    main = list(csv.DictReader(io.StringIO(data["effect-main.csv"])))
    assert [row["reading"] for row in main] == ["none", "none"]
    assert [float(row["estimate"]) for row in main] == pytest.approx([-0.0303, -0.0343], abs=5e-4)
    assert [float(row["standard_error"]) for row in main] == pytest.approx(
        [0.0258, 0.0561], abs=5e-4
    )
    cohorts = list(csv.reader(io.StringIO(data["effect-cohorts.csv"])))
    alone = [row for row in cohorts if row[3] == "Hangzhou"]
    assert [row[5] for row in alone] == ["0.640", "0.120"]
    methods = {row["method"] for row in csv.DictReader(io.StringIO(data["robustness.csv"]))}
    assert len(methods) > 25
    assert any("PSM" in one for one in methods)  # what can't be computed stays in the table


def test_spillover_says_that_gridding_is_built_in(reports: dict[str, Report]) -> None:
    [around] = [one for one in reports["en"].sections if one.id == "around"]
    assert "by EDGAR in 15 of 15 years, by CEADs in 0 of 9" in around.headline
    assert any("built in" in one for one in around.text)


def test_missing_channels_are_named_and_nothing_stands_in_for_them(
    reports: dict[str, Report],
) -> None:
    [told] = [one for one in reports["en"].sections if one.id == "channels"]
    for lacking in ("patents", "energy use", "employment by sector"):
        assert lacking in told.headline


def test_the_chinese_page_speaks_chinese(reports: dict[str, Report]) -> None:
    text = text_of(reports["zh"].to_html())
    told = re.sub(r"conurb strategy \w+", "", text)  # commands are what they are
    assert re.findall(r"\b[a-z]{3,} [a-z]{2,} [a-z]{2,}\b", told) == []
    assert [unit for unit in read_pack_subject("yrd").panel.units if unit in told] == []


def test_the_english_page_has_no_chinese(reports: dict[str, Report]) -> None:
    assert re.findall(r"[\u4e00-\u9fff]+", text_of(reports["en"].to_html())) == []


def test_the_csv_of_a_figure_is_in_the_page(reports: dict[str, Report]) -> None:
    html = reports["en"].to_html()
    carried = dict(re.findall(r'download="([^"]+)" href="data:text/csv;base64,([^"]+)"', html))
    data = dict(reports["en"].list_data())
    assert set(carried) == set(data)
    ranks = base64.b64decode(carried["index-ranks.csv"]).decode("utf-8-sig")
    assert ranks == data["index-ranks.csv"]
    assert next(csv.DictReader(io.StringIO(ranks)))["city"] == "shanghai"


def test_every_call_runs_as_it_stands(reports: dict[str, Report]) -> None:
    names: dict[str, Any] = {}
    exec(reports["en"].preamble, names)
    calls = dict.fromkeys(one.call for part in reports["en"].sections for one in part.exhibits)
    assert len(calls) > 20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in calls:
            exec(call, dict(names))


def test_the_catalogues_say_the_same_things() -> None:
    chinese, english = (catalogue(lang) for lang in ("zh", "en"))
    assert set(chinese) == set(english)
    for key, text in english.items():
        # A language may leave out a figure that its sentence has no place for, but adds none.
        assert set(PLACE.findall(text)) == set(PLACE.findall(chinese[key])), key


def test_a_text_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InvariantError, match="nothing"):
        Words("en").say("nothing")
    with pytest.raises(InputError, match="fr"):
        Words("fr")


def test_figures_are_written_as_people_read_them() -> None:
    assert number(-1234.567, 1) == "−1,234.6"
    assert number(float("nan")) == "–"
    assert p_text(0.0004) == "<0.001"
    assert p_text(None) == "–"


def test_a_users_table_comes_beside_the_regions_figures_for_its_cities_and_years() -> None:
    subject = read_pack_subject("yrd")
    table = Panel(("wuxi", "atlantis"), (2010, 2030), {"granted": np.array([[7.0, 8], [1, 2]])})
    joined = join(subject.panel, table)
    row, column = joined.place("wuxi", 2010)
    assert joined.get("granted")[row, column] == 7
    assert np.isfinite(joined.get("granted")).sum() == 1
    assert joined.units == subject.panel.units


def test_patents_of_the_users_open_the_innovation_channel() -> None:
    subject = read_pack_subject("yrd")
    shape = subject.panel.shape
    granted = np.random.default_rng(1).poisson(50, shape).astype(float)
    table = Panel(subject.panel.units, subject.panel.years, {"granted": granted})
    panel = join(subject.panel, table).select(years=range(2008, 2016))
    findings = RUN(panel, subject.pilots, roles={"patents": "granted"}, years=None)
    [innovation] = [one for one in findings if one.channel == "innovation"]
    assert isinstance(innovation.answer, Mediation)


def test_a_part_whose_figures_are_missing_says_so_and_the_others_stand() -> None:
    subject = read_pack_subject("yrd")
    kept = {"gdp@yearbooks-sectors", "population", "valueAddedPrimary", "valueAddedSecondary",
            "valueAddedTertiary"}  # fmt: skip
    panel = subject.panel
    bare = Panel(
        panel.units,
        panel.years,
        {name: figures for name, figures in panel.columns.items() if name in kept},
    )
    made = make_report(replace(subject, panel=bare), lang="en", today=DAY)
    parts = {one.id: one for one in made.sections}
    assert parts["linking"].headline.startswith("By GDP 3/7")
    for lacking in ("standing", "carbon", "policy", "around"):
        assert parts[lacking].headline == "Not computable from the figures at hand."
        assert "no column" in parts[lacking].text[0] or "co2" in parts[lacking].text[0]

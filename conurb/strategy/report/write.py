"""The whole report: ask every question, tell every answer, sum them up.

A part whose figures a region doesn't have says so in its place; the others stand.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeVar

import numpy as np

from conurb import __version__
from conurb.errors import ConurbError
from conurb.strategy.index.method import Method
from conurb.strategy.mechanism.mediation import Mediation
from conurb.strategy.panel import Panel
from conurb.strategy.report.around import study_around
from conurb.strategy.report.carbon import Carbon, study_carbon
from conurb.strategy.report.channels import study_channels
from conurb.strategy.report.linking import Linking, study_linking
from conurb.strategy.report.page import Card, Report, Section
from conurb.strategy.report.policy import LEVEL, YEARS, Policy, study_policy
from conurb.strategy.report.sections.around import tell_around
from conurb.strategy.report.sections.asked import Asked
from conurb.strategy.report.sections.carbon import tell_carbon
from conurb.strategy.report.sections.channels import lacking_text, tell_channels
from conurb.strategy.report.sections.figures import tell_figures
from conurb.strategy.report.sections.linking import tell_linking
from conurb.strategy.report.sections.policy import (
    effect_text,
    interval_text,
    tell_policy,
    treatment_name,
)
from conurb.strategy.report.sections.standing import range_text, tell_standing
from conurb.strategy.report.standing import DEFINITION_OTHER, Standing, study_standing
from conurb.strategy.report.subject import OUTCOME, OUTCOME_OTHER, Subject
from conurb.strategy.report.words import Words, number, p_text, percent

Got = TypeVar("Got")

PARTS: Final = ("standing", "carbon", "policy", "channels", "around", "linking", "figures")
"""The parts of the report, in its order."""


@dataclass(frozen=True, slots=True)
class Extra:
    """What a user adds to a region's figures: a table of their own, and what its columns are.

    `table` has the region's cities as units; its columns come beside the region's, and `roles` say
    which of them play which role in the channels (`conurb.strategy.mechanism.roles`).
    """

    table: Panel
    roles: Mapping[str, str] = field(default_factory=dict)


def make_report(
    subject: Subject,
    *,
    lang: str = "zh",
    today: date,
    command: str = "",
    extra: Extra | None = None,
    done: Callable[[str], None] = lambda part: None,
) -> Report:
    """Ask and tell everything of a region; `done` is called with each part's name.

    Raises InputError for a language that the catalogue hasn't.
    """
    words = Words(lang, {unit: subject.name(unit, lang) for unit in subject.panel.units})
    asked = Asked(subject, words)
    panel = subject.panel if extra is None else join(subject.panel, extra.table)
    sections: list[Section] = []
    cards: list[Card] = []

    def tell(name: str, work: Callable[[], tuple[Section, Card | None]]) -> None:
        try:
            section, card = work()
        except ConurbError as error:
            section, card = asked.failed(name, error.detail), None
        sections.append(section)
        if card is not None:
            cards.append(card)
        done(name)

    tell("standing", lambda: _standing(asked))
    tell("carbon", lambda: _carbon(asked))
    tell("policy", lambda: _policy(asked))
    tell("channels", lambda: _channels(asked, panel, extra))
    tell("around", lambda: _around(asked))
    tell("linking", lambda: _linking(asked))
    tell("figures", lambda: (tell_figures(asked), None))
    return Report(
        words=words,
        title=words.say("page.title", region=subject.title[lang]),
        subtitle=words.say(
            "page.subtitle",
            count=len(panel.units),
            first=panel.years[0],
            last=panel.years[-1],
            today=today.isoformat(),
        ),
        origin=words.say(f"page.origin_{subject.origin}"),
        cards=tuple(cards),
        sections=tuple(sections),
        preamble=preamble(subject),
        facts=_facts(words, command),
    )


def preamble(subject: Subject) -> str:
    """Give the lines of Python that read the region as this report did."""
    if subject.origin == "pack":
        return (
            "from conurb.strategy.report.subject import read_pack_subject\n\n"
            f'region = read_pack_subject("{subject.id}")'
        )
    return (
        "import conurb\nfrom conurb.strategy.report.subject import read_region\n\n"
        "with conurb.connect() as connection:\n"
        f'    region = read_region(connection, "{subject.id}")'
    )


def join(panel: Panel, table: Panel) -> Panel:
    """Put a user's columns beside a region's, for its units and years; others are left out.

    A column that the region has already is replaced by the user's. A year that the table hasn't is
    a gap.
    """
    added = {}
    for name, figures in table.columns.items():
        values = np.full(panel.shape, np.nan)
        for i, unit in enumerate(panel.units):
            for t, year in enumerate(panel.years):
                if unit in table.units and year in table.years:
                    row, column = table.place(unit, year)
                    values[i, t] = figures[row, column]
        added[name] = values
    measures = {name: text for name, text in table.measures.items() if name in added}
    return panel.with_columns(added, measures)


def _standing(asked: Asked) -> tuple[Section, Card | None]:
    found = study_standing(asked.subject.panel)
    other = _try(
        lambda: study_standing(
            asked.subject.panel, DEFINITION_OTHER, Method(missing="leave"), years=[found.year]
        )
    )
    return tell_standing(asked, found, other), _standing_card(asked, found)


def _standing_card(asked: Asked, found: Standing) -> Card:
    near, free = found.near, found.free
    best = int(np.argmin(near.rank))
    return Card(
        asked.name(near.units[best]),
        asked.say("card.standing", year=found.year),
        asked.say("card.standing_text", range=range_text(free.low[best], free.high[best]),
                  width=number(float((free.high - free.low).mean()), 1)),
        "standing",
    )  # fmt: skip


def _carbon(asked: Asked) -> tuple[Section, Card | None]:
    found: Carbon = study_carbon(asked.subject.panel)
    agreement = "–" if found.agreement is None else number(found.agreement[0], 2)
    card = Card(
        percent(found.total_change(), sign=True),
        asked.say("card.carbon", since=found.since, year=found.year),
        asked.say("card.carbon_text", correlation=agreement),
        "carbon",
    )
    return tell_carbon(asked, found), card


def _policy(asked: Asked) -> tuple[Section, Card | None]:
    panel, pilots = asked.subject.panel, asked.subject.pilots
    policies: list[Policy] = [study_policy(panel, OUTCOME, pilots, years=YEARS)]
    labels = [asked.say("carbon.edgar")]
    if OUTCOME_OTHER in panel.columns:
        other = _try(lambda: study_policy(panel, OUTCOME_OTHER, pilots, years=YEARS))
        if other is not None:
            policies.append(other)
            labels.append(asked.say("carbon.ceads"))
    main = policies[0]
    card = Card(
        asked.say(f"card.policy_figure_{main.reading}", effect=effect_text(main.main)),
        asked.say("card.policy", treatment=treatment_name(asked, main, title=True)),
        asked.say(
            f"card.policy_{main.reading}",
            effect=effect_text(main.main),
            interval=interval_text(main.main),
            trends=_trends(asked, main),
        ),
        "policy",
    )
    return tell_policy(asked, policies, labels), card


def _trends(asked: Asked, policy: Policy) -> str:
    p = policy.pretrend_p
    if p is None:
        return asked.say("card.trends_unknown")
    return asked.say("card.trends_bad" if p < LEVEL else "card.trends_good", p=p_text(p))


def _channels(asked: Asked, panel: Panel, extra: Extra | None) -> tuple[Section, Card | None]:
    roles = {} if extra is None else extra.roles
    findings = study_channels(panel, asked.subject.pilots, roles=roles)
    computed = {one.channel for one in findings if isinstance(one.answer, Mediation)}
    card = Card(
        f"{len(computed)}/{len({one.channel for one in findings})}",
        asked.say("card.channels"),
        asked.say("card.channels_text", lacking=lacking_text(asked, findings)),
        "channels",
    )
    return tell_channels(asked, findings, own=extra is not None), card


def _around(asked: Asked) -> tuple[Section, Card | None]:
    subject = asked.subject
    found = study_around(subject.panel, subject.centres, subject.pilots)
    last = found.moran[found.local_year]
    others = [one.value for one in found.moran_other.values()]
    card = Card(
        number(last.value, 2),
        asked.say("card.around", year=found.local_year),
        asked.say(
            "card.around_text", p=p_text(last.p), other=number(others[-1] if others else np.nan, 2)
        ),
        "around",
    )
    return tell_around(asked, found), card


def _linking(asked: Asked) -> tuple[Section, Card | None]:
    subject = asked.subject
    found: Linking = study_linking(subject.panel, subject.centres, subject.roles)
    card = Card(
        f"{found.by_size.agreeing}/{found.by_size.compared}",
        asked.say("card.linking"),
        asked.say("card.linking_text", poor=asked.listed(found.linkage.poor_for_size[:4])),
        "linking",
    )
    return tell_linking(asked, found), card


def _try(work: Callable[[], Got]) -> Got | None:
    """Compute what stands beside the main answer; None where the figures don't allow it."""
    try:
        return work()
    except ConurbError:
        return None


def _facts(words: Words, command: str) -> tuple[tuple[str, str], ...]:
    facts = [
        (words.say("page.version"), f"conurb {__version__}, Python {platform.python_version()}, "
         f"numpy {np.__version__}"),
        (words.say("page.random"), words.say("page.seeds")),
    ]  # fmt: skip
    if command:
        facts.insert(0, (words.say("page.command"), command))
    return tuple(facts)

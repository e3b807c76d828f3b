"""Through which channel: what the figures carry, and what is missing to say more."""

from __future__ import annotations

import math
from collections.abc import Sequence

from conurb.strategy.mechanism.channels import Finding
from conurb.strategy.mechanism.mediation import Mediation
from conurb.strategy.mechanism.roles import Lacking
from conurb.strategy.report.page import Cell, Data, Exhibit, Section
from conurb.strategy.report.sections.asked import Asked
from conurb.strategy.report.words import number, p_text, percent

_CALL = """\
from conurb.strategy.report.channels import study_channels
for finding in study_channels(region.panel, region.pilots):
    print(finding)
"""


def tell_channels(asked: Asked, findings: Sequence[Finding], *, own: bool) -> Section:
    """Tell of the three channels; `own` when the user gave a table."""
    lacking = any(isinstance(one.answer, Lacking) for one in findings)
    computed = [one for one in findings if isinstance(one.answer, Mediation)]
    answers = [one.answer for one in findings if isinstance(one.answer, Mediation)]
    channels = dict.fromkeys(one.channel for one in computed)
    values = {
        "lacking": lacking_text(asked, findings),
        "channels": asked.words.listed([asked.say(f"channel.{one}") for one in channels]),
        "count": len(computed),
    }
    text = [asked.say("channels.lacks", **values)] if lacking else []
    text += [asked.say("channels.yours" if own else "channels.give")]
    if any(math.isnan(one.share[0]) for one in answers):
        text.append(asked.say("channels.no_share"))
    return Section(
        "channels",
        asked.say("channels.title"),
        asked.say("channels.headline" if lacking else "channels.whole", **values),
        tuple(text),
        (_table(asked, findings),),
    )


def lacking_text(asked: Asked, findings: Sequence[Finding]) -> str:
    """Name the roles that no column plays; employment of three sectors once."""
    roles = {
        role.rstrip(" 123")
        for one in findings
        if isinstance(one.answer, Lacking)
        for role in one.answer.roles
    }
    said = [asked.say(f"role.{one.replace(' ', '_')}") for one in sorted(roles)]
    return asked.words.listed(said) or asked.say("page.none")


def _table(asked: Asked, findings: Sequence[Finding]) -> Exhibit:
    rows: list[tuple[Cell, ...]] = []
    for one in findings:
        head = (asked.say(f"channel.{one.channel}"), asked.words.carry(one.mediator))
        answer = one.answer
        if isinstance(answer, Mediation):
            through, share = answer.indirect, answer.share
            rows.append(
                (
                    *head,
                    f"{number(answer.on_mediator.coefficient, 4, sign=True)}"
                    f" (p {p_text(answer.on_mediator.p_value)})",
                    f"{number(through[0], 4, sign=True)} [{number(through[1], 4, sign=True)}, "
                    f"{number(through[2], 4, sign=True)}]",
                    asked.say("channels.withheld") if math.isnan(share[0]) else percent(share[0]),
                )
            )
        else:
            rows.append((*head, asked.words.carry(str(answer)), None, None))
    columns = asked.heads("channel", "mediator", "on_mediator", "through", "share")
    data = Data(columns, tuple(rows))
    return Exhibit(
        "channels-findings",
        asked.say("channels.table"),
        data,
        _CALL,
        asked.source("edgar-v8", "yearbooks-real", "yearbooks-sectors"),
        shown=data,
        notes=(asked.say("channels.method"), asked.say("channels.assumption")),
    )

"""Watches measurements: judges each that has news by its rules, raises alarms and ends them.

A reaction to the journal: what it writes commits with how far it has read. What is new is known
from the journal too (the sample before this one), so that a restart judges neither less nor twice.
Judging is a pure function of samples, run beside the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from conurb.errors import BadRequestDataError, ConfigError
from conurb.model.entity import Entity
from conurb.model.time import BEGINNING, US_PER_S, fixed_us, parse_us, shown_us
from conurb.systems.contract import Provenance, Site
from conurb.systems.monitoring import rules as rulebook
from conurb.systems.monitoring.alarms import clear_alarm, open_alarm, raise_alarm
from conurb.systems.monitoring.rules import SILENCE, Rule, forget_rules, list_rules, rules_of
from conurb.systems.monitoring.sensorthings.mapping import NUMBER, find_value, iri
from conurb.systems.provenance import marked

if TYPE_CHECKING:
    from conurb.model.changes import Operation
    from conurb.store.contract import Record
    from conurb.systems.monitoring.detect.judgement import Episode, Judgement
    from conurb.systems.monitoring.samples import Samples

TRAINING_KEPT: Final = 100
"""Training parts that are kept in memory."""


@dataclass(frozen=True, slots=True)
class News:
    """What is new of a measurement: samples after `since_us`, and where they come from."""

    since_us: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Verdict:
    """Samples and what a method says of them: scores, episodes, and from where it is news."""

    samples: Samples
    judgement: Judgement
    episodes: Sequence[Episode]


async def watch(records: Sequence[Record], site: Site) -> Sequence[Operation]:
    """React to new samples of measurements, and to rules that change."""
    news: dict[str, News] = {}
    rule_iri, number = iri(rulebook.TYPE), iri(NUMBER)
    for record in records:
        if rule_iri in record.types:
            forget_rules(site)
        elif record.after is not None and number in record.touched:
            _note(news, record, number)
    if not news:
        return ()
    by_measurement = await rules_of(site)
    due: dict[str, tuple[Rule, News]] = {}
    for measurement, one in news.items():
        for rule in by_measurement.get(measurement, ()):
            if rule.method == SILENCE:
                continue
            before = due.get(rule.id)
            since = one.since_us if before is None else min(before[1].since_us, one.since_us)
            due[rule.id] = (rule, News(since, one.provenance))
    operations: list[Operation] = []
    for rule, one in due.values():
        operations += await examine(rule, one, site)
    return operations


def _note(news: dict[str, News], record: Record, number: str) -> None:
    assert record.after is not None  # noqa: S101 - says it to the type checker
    now = record.after.instance(number) or {}
    previous = record.before.get(number) or [{}]
    observed = previous[0].get("observedAt")
    since = BEGINNING if observed is None else fixed_us(observed) + 1
    known = news.get(record.entity_id)
    since = since if known is None else min(known.since_us, since)
    provenance: Provenance = "live"
    for mark in ("simulated", "replayed"):
        if iri(mark) in now:
            provenance = "simulated" if mark == "simulated" else "replayed"
            break
    news[record.entity_id] = News(since, provenance)


async def examine(rule: Rule, news: News, site: Site) -> Sequence[Operation]:
    """Judge a rule's measurements and give what follows: alarms raised, and ended."""
    verdict = await judged(rule, site)
    if verdict is None:
        return ()
    times = verdict.samples.times_us
    opened = await open_alarm(site, rule)
    operations: list[Operation] = []
    free_from = BEGINNING
    if opened is not None:
        end_us = _end_of(_valid_from(opened), verdict, rule)
        if end_us is None:
            return ()
        operations.append(clear_alarm(opened, end_us))
        free_from = end_us
    stream = None
    for episode in verdict.episodes:
        # What was over before the news isn't news; what goes on is, if nobody has said so yet.
        over = episode.end is not None and times[episode.confirmed] < news.since_us
        if over or times[episode.begin] < free_from:
            continue
        stream = stream or await site.node.store.find(rule.measurements[0])
        operations.append(_alarm(rule, verdict, episode, stream, site))
    return marked(operations, news.provenance)


def _end_of(open_from_us: int, verdict: Verdict, rule: Rule) -> int | None:
    """Give when an alarm that is open has ended; None when it goes on."""
    times = verdict.samples.times_us
    ends = [int(times[one.end]) for one in verdict.episodes if one.end is not None]
    later = [end for end in ends if end > open_from_us]
    if later:
        return later[0]
    going = any(one.end is None for one in verdict.episodes)
    return None if going else _since_calm(verdict, rule)


async def judged(rule: Rule, site: Site) -> Verdict | None:
    """Judge a rule's measurements; None when there isn't enough to judge yet."""
    try:
        from conurb.systems.monitoring.detect.judgement import episodes
        from conurb.systems.monitoring.detect.methods import get_method, judge
        from conurb.systems.monitoring.history import load_many
    except ImportError as error:
        raise ConfigError(
            f"detection needs the extra 'monitoring' (pip install conurb[monitoring]): {error}"
        ) from error
    method = get_method(rule.method)
    count = int(rule.options.get("samples", method.samples)) + rule.confirm + rule.clear
    recent = await load_many(site, rule.measurements, last=count)
    learned = await _training(rule, site)
    samples, trained = _joined(learned, recent)
    if not len(samples):
        return None

    def work() -> Verdict:
        judgement = judge(rule.method, samples, rule.options, trained=trained)
        found = episodes(judgement.score, confirm=rule.confirm, clear=rule.clear)
        return Verdict(samples, judgement, found)

    try:
        verdict = await asyncio.to_thread(work)
        unjudged(site).pop(rule.id, None)
        return verdict
    except BadRequestDataError as error:
        # Too few samples yet, or an option that can't be: the system's health says which.
        unjudged(site)[rule.id] = error.detail
        return None


def unjudged(site: Site) -> dict[str, str]:
    """Give the rules that couldn't be judged last time, and why."""
    found: dict[str, str] = site.memory.setdefault("unjudged", {})
    return found


async def _training(rule: Rule, site: Site) -> Samples | None:
    """Give the samples that a rule learns from, when it says from when they are."""
    if rule.train_from_us is None or rule.train_to_us is None:
        return None
    from conurb.systems.monitoring.history import load_many

    kept: dict[Any, Samples] = site.memory.setdefault("training", {})
    key = (rule.measurements, rule.train_from_us, rule.train_to_us)
    known = kept.get(key)
    if known is None:
        known = await load_many(
            site, rule.measurements, begin_us=rule.train_from_us, end_us=rule.train_to_us
        )
        # What is still being written isn't kept: the time to learn from has to be over.
        if rule.train_to_us < site.now_us():
            while len(kept) >= TRAINING_KEPT:
                kept.pop(next(iter(kept)))
            kept[key] = known
    return known


def _joined(learned: Samples | None, recent: Samples) -> tuple[Samples, int]:
    """Put what is learned from before what is recent, each sample once."""
    if learned is None or not len(learned):
        return recent, 0
    import numpy as np

    from conurb.systems.monitoring.samples import Samples as Joined

    later = recent.times_us > learned.times_us[-1]
    times = np.concatenate((learned.times_us, recent.times_us[later]))
    values = np.vstack((learned.values, recent.values[later]))
    return Joined(times, values, recent.names), len(learned)


def _since_calm(verdict: Verdict, rule: Rule) -> int | None:
    """Give since when samples are normal again; None when too few of them have come."""
    score = verdict.judgement.score
    calm = 0
    for index in range(len(score) - 1, -1, -1):
        if score[index] >= 1:
            break
        if isfinite(score[index]):
            calm = index
    normal = sum(1 for value in score[calm:] if value < 1)
    return int(verdict.samples.times_us[calm]) if normal >= rule.clear else None


def _alarm(
    rule: Rule, verdict: Verdict, episode: Episode, stream: Entity | None, site: Site
) -> Operation:
    times, judgement = verdict.samples.times_us, verdict.judgement
    reason = judgement.why(episode.peak)
    evidence = {
        "method": rule.method,
        "rule": rule.name,
        "options": dict(rule.options),
        "samples": len(times),
        "begin": shown_us(int(times[episode.begin])),
        "confirmed": shown_us(int(times[episode.confirmed])),
        "worst": shown_us(int(times[episode.peak])),
        "score": round(float(judgement.score[episode.peak]), 4),
        "value": [float(one) for one in verdict.samples.values[episode.peak]],
        "usual": [
            _finite(judgement.low[episode.peak]),
            _finite(judgement.expected[episode.peak]),
            _finite(judgement.high[episode.peak]),
        ],
        "figures": dict(reason.figures),
    }
    return raise_alarm(
        site,
        rule,
        stream,
        begin_us=int(times[episode.begin]),
        known_us=int(times[episode.confirmed]),
        end_us=None if episode.end is None else int(times[episode.end]),
        reason={"en": reason.en, "zh": reason.zh},
        evidence=evidence,
    )


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def _valid_from(alarm: Entity) -> int:
    value = find_value(alarm, "validFrom")
    return parse_us(str(value["@value"] if isinstance(value, dict) else value))


async def listen_for_silence(site: Site, due_us: int) -> Sequence[Operation]:
    """Raise an alarm for a measurement that doesn't come any more, and end it when it does."""
    operations: list[Operation] = []
    for rule in await list_rules(site):
        if rule.method != SILENCE:
            continue
        after_us = int(float(rule.options.get("after_s", 3600)) * US_PER_S)
        stream = await site.node.store.find(rule.measurements[0])
        last = (stream.instance(iri(NUMBER)) or {}).get("observedAt") if stream else None
        if stream is None or last is None:
            continue
        last_us = fixed_us(last)
        opened = await open_alarm(site, rule)
        silent = due_us - last_us > after_us
        if silent and opened is None:
            hours = (due_us - last_us) / US_PER_S / 3600
            reason = {
                "en": f"nothing has come since {shown_us(last_us)}, for {hours:.1f} hours",
                "zh": f"自 {shown_us(last_us)} 起 {hours:.1f} 小时未收到测值",
            }
            operations.append(
                raise_alarm(
                    site,
                    rule,
                    stream,
                    begin_us=last_us + after_us,
                    known_us=due_us,
                    end_us=None,
                    reason=reason,
                    evidence={"method": SILENCE, "last": shown_us(last_us)},
                )
            )
        elif not silent and opened is not None:
            operations.append(clear_alarm(opened, last_us))
    return operations

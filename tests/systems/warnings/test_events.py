"""Regional events: what cities say about one happening, whatever the order in which they say it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conurb.errors import TooComplexQueryError
from conurb.systems.warnings.events import (
    US_PER_S,
    Statement,
    event_local,
    lineage,
    merge,
    related,
    successor,
)
from conurb.systems.warnings.kinds import slack_of
from conurb.systems.warnings.quality.air import air_quality
from conurb.systems.warnings.replay import (
    EPISODE_H,
    EVERY_S,
    TIME_LAPSE,
    episode_hours,
    episode_pm25,
)

from .sources import delta

HOUR = 3600 * US_PER_S
NEAR = {
    "a": frozenset({"b"}),
    "b": frozenset({"a", "c"}),
    "c": frozenset({"b", "d"}),
    "d": frozenset({"c"}),
}


def said(
    name: str, *cities: str, at_h: float = 0.0, hours: float = 2.0, kind: str = "rainfall"
) -> Statement:
    begin = int(at_h * HOUR)
    return Statement(
        id=name,
        owner=cities[0],
        sender=f"w@{cities[0]}",
        kind=kind,
        begin_us=begin,
        end_us=begin + int(hours * HOUR),
        cities=cities,
        severity="medium",
        state="active",
        issued_us=begin,
    )


def no_slack(_kind: str, _simulated: bool) -> float:
    return 0.0


def members(statements: list[Statement], **options: object) -> list[list[str]]:
    events = merge(statements, NEAR, slack=no_slack, **options)  # type: ignore[arg-type]
    return [[one.id for one in event.statements] for event in events]


STATEMENTS = st.lists(
    st.builds(
        Statement,
        id=st.integers(0, 10**9).map(str),
        owner=st.just("a"),
        sender=st.just("w@a"),
        kind=st.sampled_from(["rainfall", "fog"]),
        begin_us=st.integers(0, 40).map(lambda h: h * HOUR),
        end_us=st.just(0),
        cities=st.sets(st.sampled_from("abcd"), min_size=1, max_size=2).map(
            lambda found: tuple(sorted(found))
        ),
        severity=st.sampled_from(["low", "high"]),
        state=st.sampled_from(["active", "over", "superseded", "withdrawn"]),
        issued_us=st.integers(0, 40).map(lambda h: h * HOUR),
        simulated=st.booleans(),
    ).flatmap(
        lambda one: st.integers(0, 8).map(lambda h: replace(one, end_us=one.begin_us + h * HOUR))
    ),
    max_size=25,
    unique_by=lambda one: one.id,
)


@settings(deadline=None)
@given(STATEMENTS, st.randoms())
def test_events_are_the_same_whatever_the_order(
    statements: list[Statement], chance: random.Random
) -> None:
    shuffled = list(statements)
    chance.shuffle(shuffled)
    assert merge(shuffled, NEAR) == merge(statements, NEAR)


@settings(deadline=None)
@given(STATEMENTS)
def test_events_are_what_looking_at_every_pair_gives(statements: list[Statement]) -> None:
    kept = [one for one in statements if one.state != "withdrawn"]
    groups = [{one.id} for one in kept]
    for i, one in enumerate(kept):
        for other in kept[:i]:
            if related(one, other, NEAR, 0):
                first = next(group for group in groups if one.id in group)
                second = next(group for group in groups if other.id in group)
                if first is not second:
                    groups.remove(second)
                    first |= second
    found = merge(statements, NEAR, slack=no_slack)
    assert sorted(sorted(one.id for one in event.statements) for event in found) == sorted(
        sorted(group) for group in groups
    )


@settings(deadline=None)
@given(STATEMENTS, STATEMENTS)
def test_an_event_keeps_its_name_while_its_first_statement_stays_the_first(
    statements: list[Statement], later: list[Statement]
) -> None:
    shifted = [
        replace(
            one,
            id=f"later-{one.id}",
            begin_us=one.begin_us + 100 * HOUR,
            end_us=one.end_us + 100 * HOUR,
        )
        for one in later
    ]
    before = {event.local for event in merge(statements, NEAR)}
    after = {event.local for event in merge([*statements, *shifted], NEAR)}
    assert before <= after


def test_neighbours_at_one_time_are_one_event_and_others_are_not() -> None:
    assert members([said("1", "a"), said("2", "b", at_h=1)]) == [["1", "2"]]
    assert members([said("1", "a"), said("2", "c", at_h=1)]) == [["1"], ["2"]]
    assert members([said("1", "a"), said("2", "b", at_h=3)]) == [["1"], ["2"]]
    assert members([said("1", "a"), said("2", "b", at_h=1, kind="fog")]) == [["1"], ["2"]]


def test_what_a_third_city_says_joins_two_and_its_withdrawal_parts_them() -> None:
    ends = [said("1", "a"), said("3", "c", at_h=1)]
    bridge = said("2", "b", at_h=0.5)
    assert members(ends) == [["1"], ["3"]]
    assert members([*ends, bridge]) == [["1", "2", "3"]]
    assert members([*ends, replace(bridge, state="withdrawn")]) == [["1"], ["3"]]


def test_slack_joins_what_lies_a_little_apart_in_time() -> None:
    pair = [said("1", "a"), said("2", "b", at_h=4)]
    assert len(merge(pair, NEAR, slack=lambda _kind, _simulated: 2 * 3600)) == 1
    assert len(merge(pair, NEAR, slack=lambda _kind, _simulated: 2 * 3600 - 1)) == 2


def test_an_exercise_never_joins_what_is_real() -> None:
    assert members([said("1", "a"), replace(said("2", "a"), simulated=True)]) == [["1"], ["2"]]


def test_an_event_tells_what_holds_now_and_stays_when_its_first_statement_ends() -> None:
    first = replace(said("1", "a"), state="over", severity="critical")
    [event] = merge([first, said("2", "b", at_h=1)], NEAR)
    assert event.local == event_local(first)
    assert (event.active, event.cities, event.severity) == (True, ("b",), "medium")
    [over] = merge([first], NEAR)
    assert (over.active, over.cities, over.severity) == (False, ("a",), "critical")


def test_merging_and_splitting_are_told() -> None:
    left, right, bridge = said("1", "a"), said("3", "c", at_h=1), said("2", "b", at_h=0.5)
    apart = {e.local: frozenset(s.id for s in e.statements) for e in merge([left, right], NEAR)}
    [joined] = merge([left, right, bridge], NEAR)
    together = {joined.local: frozenset({"1", "2", "3"})}
    assert joined.local == event_local(left)
    told = lineage(joined, apart, together)
    assert told.merged_from == (event_local(right),)
    assert successor(apart[event_local(right)], together) == joined.local
    again = {e.local: e for e in merge([left, right], NEAR)}
    split = lineage(again[event_local(right)], together, apart)
    assert split.split_from == joined.local


def test_a_statement_before_the_first_gives_the_event_its_name_and_says_so() -> None:
    late, early = said("2", "a", at_h=1), said("1", "a")
    before = {event_local(late): frozenset({"2"})}
    [event] = merge([late, early], NEAR)
    told = lineage(event, before, {event.local: frozenset({"1", "2"})})
    assert event.local == event_local(early)
    assert told.merged_from == (event_local(late),)


def test_real_neighbours_of_the_delta_join() -> None:
    cities = delta()
    pair = [said("1", "suzhou-jiangsu"), said("2", "shanghai", at_h=1)]
    apart = [said("1", "shanghai"), said("2", "hefei", at_h=1)]
    assert len(merge(pair, cities.neighbours)) == 1
    assert len(merge(apart, cities.neighbours)) == 2


def test_too_many_statements_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conurb.systems.warnings.events.STATEMENTS_MAX", 1)
    with pytest.raises(TooComplexQueryError, match="2 statements"):
        merge([said("1", "a"), said("2", "b")], NEAR)


def test_each_simulated_episode_is_an_event_of_its_own_that_goes_from_city_to_city() -> None:
    cities, step_us = delta(), int(EVERY_S) * US_PER_S
    cycle_us = int(EPISODE_H * HOUR / TIME_LAPSE)
    spans: list[Statement] = []
    for city in cities.by_id:
        begin: int | None = None
        for at_us in range(0, 2 * cycle_us, step_us):
            pm25 = episode_pm25(cities, city, episode_hours(at_us))
            quality = air_quality({"pm25": pm25})
            assert quality is not None
            if begin is None and quality.index >= 151:
                begin = at_us
            elif begin is not None and quality.index <= 141:
                hours = (at_us - begin) / HOUR
                one = said(f"{city}-{begin}", city, at_h=begin / HOUR, hours=hours)
                spans.append(replace(one, kind="airPollution", simulated=True))
                begin = None
    events = merge(
        spans,
        cities.neighbours,
        slack=lambda kind, _simulated: slack_of(kind) / TIME_LAPSE,
    )
    assert len(events) == 2
    for event in events:
        order = [one.owner for one in event.statements]
        path = ["nanjing", "changzhou", "wuxi", "suzhou-jiangsu", "shanghai"]
        assert [one for one in order if one in path] == path

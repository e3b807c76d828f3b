"""Detection: known answers, real damage and real earthquakes, and reasons that name them.

Tolerances: GNSS steps are held to the day of the earthquake (daily positions; the day of 14:46 or
01:25 local time is the first that can show it) plus one for a day that is half before, half after.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError
from conurb.systems.monitoring.detect.judgement import Episode, episodes
from conurb.systems.monitoring.detect.methods import METHODS, judge
from conurb.systems.monitoring.detect.motion import fit_motion
from conurb.systems.monitoring.detect.shape import change_points, left_profile
from conurb.systems.monitoring.samples import Samples, flags_of, of_one, resample
from tests.systems.monitoring.data import DAMAGED_FROM_H, HOUR_US, SOUND_H, gnss, yonghe

RNG = np.random.default_rng(5)
TOHOKU, KUMAMOTO = "2011-03-11", "2016-04-16"


def hourly(values: np.ndarray) -> Samples:
    return of_one(np.arange(len(values), dtype=np.int64) * HOUR_US, values.astype(float))


def test_the_damage_of_the_yonghe_bridge_is_found_without_a_false_alarm() -> None:
    judgement = judge("modal", yonghe(), {}, trained=SOUND_H)
    before = judgement.score[SOUND_H:DAMAGED_FROM_H]
    assert (before >= 1).sum() == 0
    [found] = episodes(judgement.score, confirm=2, clear=2)
    assert found == Episode(DAMAGED_FROM_H, DAMAGED_FROM_H + 1, None, found.peak)
    reason = judgement.why(found.begin)
    assert reason.en.startswith("all modes fell")
    assert "各阶频率齐降" in reason.zh
    assert all(change < -0.05 for change in reason.figures["change"].values())


def test_nothing_after_the_training_part_moves_what_was_learned() -> None:
    samples = yonghe()
    whole = judge("modal", samples, {}, trained=SOUND_H)
    part = Samples(samples.times_us[:150], samples.values[:150], samples.names)
    assert np.array_equal(judge("modal", part, {}, trained=SOUND_H).score, whole.score[:150])


@pytest.mark.parametrize(
    ("station", "component", "days"),
    [
        ("G001", "lon", [TOHOKU]),
        ("G001", "lat", [TOHOKU]),
        ("G001", "ver", []),
        ("G073", "lon", [KUMAMOTO]),
        ("G073", "ver", []),
        ("J089", "lon", [TOHOKU, KUMAMOTO]),
        ("J089", "lat", [TOHOKU]),
        ("J089", "ver", []),
    ],
)
def test_the_steps_of_a_station_are_the_earthquakes(
    station: str, component: str, days: list[str]
) -> None:
    times, values, dates = gnss(station, component)
    motion = fit_motion(times, values)
    found = [step.index for step in motion.steps]
    assert len(found) == len(days)
    for index, day in zip(found, days, strict=True):
        assert abs(index - dates.index(day)) <= 1


def test_a_velocity_and_a_step_that_were_put_in_are_given_back() -> None:
    days = 1500
    times = np.arange(days, dtype=np.int64) * 24 * HOUR_US
    years = np.arange(days) / 365.25
    values = -12.0 * years + 4 * np.sin(2 * np.pi * years) + RNG.normal(0, 2.0, days)
    values[800:] += 15.0
    values[[10, 500]] += 80.0
    values[900:930] = np.nan
    motion = fit_motion(times, values)
    [step] = motion.steps
    assert abs(step.index - 800) <= 1
    assert abs(step.size_mm - 15.0) < 4 * step.error_mm + 0.5
    assert abs(motion.velocity_mm_a + 12.0) < 4 * motion.velocity_error_mm_a
    judged = judge("motion", of_one(times, values), {"step_mm": 10, "velocity_mm_a": 5})
    assert "a step of +1" in judged.why(805).en
    assert judged.score[100] >= 1, "it moves faster than allowed all along"


def test_a_threshold_counts_from_the_limit_and_holds_by_its_margin() -> None:
    samples = hourly(np.array([1, 5, 6, 4.5, 3.9, 4.5, np.nan, 6]))
    plain = judge("threshold", samples, {"high": 5})
    assert list(plain.score >= 1) == [False, False, True, False, False, False, False, True]
    sticky = judge("threshold", samples, {"high": 5, "margin": 1})
    assert list(sticky.score >= 1) == [False, False, True, True, False, False, False, True]
    assert plain.why(2).en == "6 is above 5"
    assert judge("threshold", samples, {"low": 2}).why(0).zh == "测值 1 低于限值 2"


def test_a_value_that_is_usual_by_day_is_an_anomaly_by_night() -> None:
    hours = np.arange(24 * 40)
    values = 10 + 5 * np.sin(2 * np.pi * hours / 24) + RNG.normal(0, 0.3, len(hours))
    night = 24 * 39 + 18
    values[night] = 15.0
    judged = judge("seasonal", hourly(values), {}, trained=24 * 30)
    assert judged.score[night] > 3
    assert (judged.score[24 * 30 :] >= 1).sum() <= 3
    assert judged.low[night] < 5 < judged.high[night] < 8
    assert "is usual" in judged.why(night).en
    assert " 至 " in judged.why(night).zh


def test_a_stretch_of_another_shape_is_a_discord() -> None:
    hours = np.arange(24 * 30)
    values = np.sin(2 * np.pi * hours / 24) + RNG.normal(0, 0.05, len(hours))
    values[24 * 27 : 24 * 28] = np.sin(4 * np.pi * hours[:24] / 24)
    judged = judge("discord", hourly(values), {"length": 24}, trained=24 * 20)
    worst = int(np.nanargmax(judged.score))
    assert 24 * 27 <= worst <= 24 * 28 + 24
    assert "the nearest began at" in judged.why(worst).en
    assert "最近似" in judged.why(worst).zh


def test_the_left_profile_is_what_comparing_each_pair_gives() -> None:
    values = RNG.normal(0, 1, 80).cumsum()
    length = 8
    quick, nearest = left_profile(values, length)
    stretches = np.array([values[at : at + length] for at in range(len(values) - length + 1)])
    normal = (stretches - stretches.mean(1, keepdims=True)) / stretches.std(1, keepdims=True)
    for index in range(2 * length, len(normal)):
        before = np.linalg.norm(normal[: index - length + 1] - normal[index], axis=1)
        assert quick[index] == pytest.approx(before.min(), abs=1e-6)
        assert before[int(nearest[index])] == pytest.approx(before.min(), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(30, 120), st.integers(30, 120), st.floats(6, 40), st.integers(0, 10_000))
def test_a_level_that_changes_is_cut_where_it_does(
    before: int, after: int, shift: float, seed: int
) -> None:
    noise = np.random.default_rng(seed).normal(0, 1, before + after)
    noise[before:] += shift
    cuts = change_points(noise)
    assert any(abs(cut - before) <= 2 for cut in cuts)
    assert len(cuts) <= 3


def test_a_series_that_is_noise_alone_is_hardly_ever_cut() -> None:
    cut = [bool(change_points(np.random.default_rng(n).normal(0, 1, 400))) for n in range(200)]
    assert sum(cut) <= 10


def test_what_is_rarer_than_ever_is_surprising_and_said_once() -> None:
    values = RNG.normal(0, 1, 800)
    values[600:] += 0
    values[700] = 12.0
    values[702] = 11.0
    judged = judge("surprise", hourly(values), {"hold": 50})
    assert judged.score[700] > 2
    assert judged.score[702] == 0
    assert "as surprising as" in judged.why(700).en


def test_every_method_refuses_an_option_that_it_does_not_have() -> None:
    samples = hourly(RNG.normal(0, 1, 200))
    for name in METHODS:
        with pytest.raises(BadRequestDataError, match="there is no option 'colour'"):
            judge(name, samples, {"colour": 1, "high": 1}, trained=100)
    with pytest.raises(BadRequestDataError, match="methods: threshold"):
        judge("magic", samples, {})
    with pytest.raises(BadRequestDataError, match="at least 48 are needed"):
        judge("seasonal", hourly(np.zeros(20)), {}, trained=10)


def test_an_episode_begins_when_it_is_sure_and_ends_when_it_is_calm() -> None:
    score = np.array([0, 2, 0, 2, 2, np.nan, 3, 0, 2, 0, 0, 2, 2])
    assert episodes(score, confirm=2, clear=2) == [
        Episode(3, 4, 9, 6),
        Episode(11, 12, None, 11),
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([0.0, 2.0, float("nan")]), max_size=60),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_episodes_never_overlap_and_hold_their_peak(
    scores: list[float], confirm: int, clear: int
) -> None:
    found = episodes(np.array(scores, dtype=float), confirm=confirm, clear=clear)
    for one in found:
        assert one.begin <= one.confirmed
        assert one.begin <= one.peak
        assert one.end is None or one.end > one.confirmed
        assert scores[one.begin] == scores[one.peak] == 2.0
    for earlier, later in pairwise(found):
        assert earlier.end is not None
        assert earlier.end <= later.begin


def test_cells_take_their_samples_together_and_short_gaps_are_filled() -> None:
    times = np.array([0, 10, 20, 60, 70, 300], dtype=np.int64) * 60_000_000
    samples = of_one(times, np.array([1.0, 3.0, np.nan, 5.0, 7.0, 9.0]))
    mean = resample(samples, step_us=HOUR_US // 2)
    assert list(mean.counts) == [2, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]
    assert mean.values[0] == 2.0
    assert mean.flags[1] == "missing"
    filled = resample(samples, step_us=HOUR_US // 2, fill="linear", gap_us_max=HOUR_US)
    assert filled.values[1] == 4.0
    assert filled.flags[:4] == ["good", "filled", "good", "missing"]
    for method, expected in (("min", 5), ("max", 7), ("median", 6), ("last", 7), ("sum", 12)):
        assert resample(samples, step_us=HOUR_US // 2, method=method).values[2] == expected
    with pytest.raises(BadRequestDataError, match="cells"):
        resample(samples, step_us=1)


def test_values_that_cannot_be_right_are_flagged() -> None:
    values = RNG.normal(10, 0.1, 60)
    values[20] = 30.0
    values[30] = np.nan
    values[40:56] = 10.05
    values[5] = 9.0
    flags = flags_of(values, low=9.5)
    assert (flags[20], flags[30], flags[45], flags[5], flags[0]) == (
        "spike",
        "missing",
        "stuck",
        "range",
        "good",
    )
    assert set(flags_of(np.ones(50))) == {"good"}, "a series that always stands still isn't stuck"

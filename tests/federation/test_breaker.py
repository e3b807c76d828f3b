"""A source that doesn't answer isn't asked for a while; one that answers with errors still is."""

from __future__ import annotations

from conurb.federation.breaker import (
    FAILURES_MAX,
    LATENCIES_KEPT,
    OPEN_S,
    OPEN_S_MAX,
    SOURCES_MAX,
    Breaker,
    Breakers,
    Figures,
)
from conurb.model.registration import Registration


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def registered(number: int) -> Registration:
    return Registration(id=f"urn:x:{number}", endpoint="http://suzhou.test")


def made() -> tuple[Breaker, Clock]:
    clock = Clock()
    return Breaker(Figures("suzhou", "http://suzhou.test"), clock=clock), clock


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        assert breaker.admits()
        breaker.silent("no answer")


def test_it_opens_after_failures_in_a_row_and_lets_one_probe_through() -> None:
    breaker, clock = made()
    fail(breaker, FAILURES_MAX - 1)
    assert breaker.figures.state == "closed"
    fail(breaker, 1)
    assert breaker.figures.state == "open"
    assert not breaker.admits()
    clock.now_s += OPEN_S
    assert breaker.admits()
    assert breaker.figures.state == "half-open"
    assert not breaker.admits()
    breaker.answered(0.01)
    assert breaker.figures.state == "closed"
    assert breaker.admits()


def test_an_answer_between_failures_starts_the_count_anew() -> None:
    breaker, _ = made()
    fail(breaker, FAILURES_MAX - 1)
    breaker.answered(0.01)
    fail(breaker, FAILURES_MAX - 1)
    assert breaker.figures.state == "closed"


def test_every_probe_that_fails_doubles_the_pause_up_to_a_bound() -> None:
    breaker, clock = made()
    fail(breaker, FAILURES_MAX)
    pause_s = OPEN_S
    for _ in range(8):
        clock.now_s += pause_s - 0.1
        assert not breaker.admits()
        clock.now_s += 0.1
        assert breaker.admits()
        breaker.silent("no answer")
        pause_s = min(pause_s * 2, OPEN_S_MAX)
        assert abs(breaker.wait_s() - pause_s) < 1e-6


def test_a_source_that_answers_with_errors_is_still_asked() -> None:
    breaker, _ = made()
    for _ in range(3 * FAILURES_MAX):
        assert breaker.admits()
        breaker.erred(0.01, "answered 500")
    assert breaker.figures.failures == 3 * FAILURES_MAX
    assert breaker.admits()


def test_a_cooldown_pauses_after_one_failure() -> None:
    breaker, clock = made()
    breaker.erred(0.01, "answered 500", cooldown_s=4.0)
    assert not breaker.admits()
    clock.now_s += 4.0
    assert breaker.admits()


def test_a_probe_that_was_given_up_says_nothing() -> None:
    breaker, clock = made()
    fail(breaker, FAILURES_MAX)
    clock.now_s += OPEN_S
    assert breaker.admits()
    breaker.abandoned()
    assert breaker.admits()


def test_latencies_are_kept_within_a_bound_and_give_percentiles() -> None:
    breaker, _ = made()
    for ms in range(3 * LATENCIES_KEPT):
        breaker.answered(ms / 1000)
    figures = breaker.figures
    assert len(figures.latencies_ms) == LATENCIES_KEPT
    p50, p99 = figures.percentile_ms(0.5), figures.percentile_ms(0.99)
    assert p50 is not None
    assert p99 is not None
    assert 2.4 * LATENCIES_KEPT < p50 < 2.6 * LATENCIES_KEPT < p99


def test_sources_asked_longest_ago_are_forgotten_first() -> None:
    breakers = Breakers()
    for number in range(SOURCES_MAX + 10):
        breakers.of(registered(number))
    assert len(breakers.list_figures()) == SOURCES_MAX
    assert breakers.find(registered(0)) is None
    assert breakers.find(registered(SOURCES_MAX)) is not None

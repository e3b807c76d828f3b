"""Answers that may be given again are bounded, last their time, and go with a write."""

from __future__ import annotations

import pytest

from conurb.federation import cache
from conurb.federation.cache import Answers, Given, Question


def question(name: str) -> Question:
    return "GET", f"http://city/{name}", (("Accept", "application/json"),), None


def given(size: int = 10) -> Given:
    return Given(200, {}, b"x" * size)


def test_an_answer_lasts_its_time() -> None:
    now = [0.0]
    answers = Answers(clock=lambda: now[0])
    answers.keep(question("a"), given(), registration_id="r")
    now[0] = 4.9
    assert answers.find(question("a"), lasting_s=5) is not None
    now[0] = 5.0
    assert answers.find(question("a"), lasting_s=5) is None


def test_a_question_with_another_header_is_another_question() -> None:
    answers = Answers()
    answers.keep(question("a"), given(), registration_id="r")
    method, url, headers, body = question("a")
    assert (
        answers.find((method, url, (*headers, ("Authorization", "Bearer x")), body), lasting_s=5)
        is None
    )


def test_a_write_ends_what_its_source_answered_and_nothing_else() -> None:
    answers = Answers()
    for name in ("a", "b"):
        answers.keep(question(name), given(), registration_id=name)
    answers.forget("a")
    assert answers.find(question("a"), lasting_s=5) is None
    assert answers.find(question("b"), lasting_s=5) is not None


def test_what_was_used_longest_ago_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "ANSWERS_MAX", 2)
    answers = Answers()
    for name in ("a", "b"):
        answers.keep(question(name), given(), registration_id="r")
    answers.find(question("a"), lasting_s=5)
    answers.keep(question("c"), given(), registration_id="r")
    assert [answers.find(question(one), lasting_s=5) is not None for one in "abc"] == [
        True,
        False,
        True,
    ]


def test_answers_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "BYTES_MAX", 100)
    answers = Answers()
    answers.keep(question("huge"), given(26), registration_id="r")
    assert answers.find(question("huge"), lasting_s=5) is None
    for name in "abcdef":
        answers.keep(question(name), given(25), registration_id="r")
    assert [answers.find(question(one), lasting_s=5) is not None for one in "abcdef"] == [
        False
    ] * 2 + [True] * 4

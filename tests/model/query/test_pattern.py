"""Regular expressions: the portable form, what is refused, and a search whose time is linear.

Python's `re` (with DOTALL) reads a portable form as PostgreSQL does, so it is the reference here.
"""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.model.query import pattern
from conurb.model.query.automaton import search
from conurb.model.query.pattern import portable


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        (r"^urn:\d+$", r"\Aurn:[0-9]+\Z"),
        (r"\w\W\s", "[0-9A-Z_a-z][^0-9A-Z_a-z][\t-\r ]"),
        ("a|b*", "a|b*"),
        ("(a|b)+?c", "(?:a|b)+c"),
        ("a{2}b{2,}c{2,5}", "a{2}b{2,}c{2,5}"),
        ("[^a-z]", "[^a-z]"),
        ("[]a-]", r"[\-\]a]"),
        (r"[\d.]", "[.0-9]"),
        (r"\.\{x\}", r"\.\{x\}"),
        ("", ""),
        ("a(b|)c", "a(?:b|)c"),
        ("上[海-港]", "上[海-港]"),
    ],
)
def test_the_portable_form(given_text: str, expected: str):
    assert portable(given_text) == expected
    assert portable(expected) == expected


@pytest.mark.parametrize(
    "text",
    ["(", "a)", "[a", "[z-a]", "*a", "a**", "^*", r"\b", r"\1", "(?=a)", "(?i)a", "[[:alpha:]]",
     "a{", "a{,2}", "a{3,2}", "a{256}", "\\", "a{1}{2}", "()*", "\0", r"[^\d\D]"],
)  # fmt: skip
def test_what_isnt_common_to_both_engines_is_refused(text: str):
    with pytest.raises(BadRequestDataError, match="regular expression"):
        portable(text)


@pytest.mark.parametrize(
    "text",
    ["a" * (pattern.PATTERN_LENGTH_MAX + 1), "(a{255}){255}",
     "(" * (pattern.NESTING_MAX + 1) + ")" * (pattern.NESTING_MAX + 1)],
)  # fmt: skip
def test_bounds_are_kept(text: str):
    with pytest.raises(TooComplexQueryError):
        portable(text)


def test_a_pattern_that_explodes_elsewhere_is_searched_in_linear_time():
    start = time.perf_counter()
    assert not search("(a+)+b", "a" * 20_000)
    assert not search("(.*a){20}c", "a" * 2_000)
    assert time.perf_counter() - start < 10


ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", ".", r"\d", "上", "(?:)", "^", "$", r"\."])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"({'|'.join(parts)})")
        | st.tuples(inner, st.sampled_from("*+?")).map(lambda pair: f"(x{pair[0]}){pair[1]}")
        | inner.map(lambda part: f"(x{part}){{1,3}}")
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(PATTERNS, st.text("abx1.上\n", max_size=8))
def test_search_agrees_with_the_reference(text: str, subject: str):
    form = portable(text)
    assert portable(form) == form
    assert search(form, subject) is bool(re.search(form, subject, re.DOTALL))
    assert search(text, subject) is search(form, subject)

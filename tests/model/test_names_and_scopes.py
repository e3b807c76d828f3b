"""Names, identifiers and scopes (clauses 4.6.2, 4.6.3, 4.18)."""

from __future__ import annotations

from typing import Any

import pytest

from conurb.errors import BadRequestDataError
from conurb.model.names import URI_LENGTH_MAX, check_name, check_uri, is_simple_name, is_uri
from conurb.model.scope import (
    SCOPE_LEVELS_MAX,
    SCOPES_MAX,
    check_scope,
    check_scopes,
    is_within,
)


@pytest.mark.parametrize("value", ["urn:x:1", "https://example.org/a?b=c#d", "a:b", "urn:x:上海"])
def test_uris_are_uris(value: str) -> None:
    assert is_uri(value)
    assert check_uri(value, name="id") == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "x",
        ":x",
        "1a:b",
        "urn:",
        "urn:a b",
        "urn:a\n",
        "urn:<a>",
        "urn:\x7f",
        None,
        5,
        ["urn:x"],
    ],
)
def test_anything_else_is_no_uri(value: Any) -> None:
    assert not is_uri(value)
    with pytest.raises(BadRequestDataError, match="theId"):
        check_uri(value, name="theId")


def test_a_uri_has_a_bounded_length() -> None:
    longest = "urn:x:" + "a" * (URI_LENGTH_MAX - 6)
    assert is_uri(longest)
    assert not is_uri(longest + "a")


@pytest.mark.parametrize("name", ["a", "PM2_5", "人口", "é", "a٣", "ǅ"])
def test_letters_numbers_and_underscores_make_a_name(name: str) -> None:
    assert is_simple_name(name)
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "_a", "2a", "a-b", "a.b", "a b", "a\n", "٣", "a(b)", "a'"])
def test_anything_else_is_no_name(name: str) -> None:
    assert not is_simple_name(name)
    with pytest.raises(BadRequestDataError):
        check_name(name)


def test_prefixed_names_and_iris_are_names() -> None:
    assert check_name("ex:speed") == "ex:speed"
    assert check_name("https://example.org/a-b") == "https://example.org/a-b"


@pytest.mark.parametrize("scope", ["/yrd/上海/pudong_1", "Madrid", "/A"])
def test_scopes_begin_with_a_slash(scope: str) -> None:
    assert check_scope(scope) == "/" + scope.removeprefix("/")


@pytest.mark.parametrize(
    "scope", ["", "/", "//a", "/a/", "/a//b", "/a-b", "/1", "/+", "/#", 5, None, {}, "/a" * 33]
)
def test_anything_else_is_no_scope(scope: Any) -> None:
    with pytest.raises(BadRequestDataError, match="scope"):
        check_scope(scope)


def test_scopes_are_few_and_each_once() -> None:
    assert check_scopes(["/a", "a", "/b"]) == ("/a", "/b")
    assert check_scope("/a" * SCOPE_LEVELS_MAX)
    for wrong in ([], [f"/a{i}" for i in range(SCOPES_MAX + 1)], ["/a", 5]):
        with pytest.raises(BadRequestDataError):
            check_scopes(wrong)


def test_a_scope_lies_within_itself_and_those_above() -> None:
    assert is_within("/yrd/wuxi", "/yrd/wuxi")
    assert is_within("/yrd/wuxi", "/yrd")
    assert is_within("/yrd", "/")
    assert not is_within("/yrd", "/yrd/wuxi")
    assert not is_within("/yrdx", "/yrd")

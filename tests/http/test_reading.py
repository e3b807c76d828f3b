"""Bodies: JSON strictly, bounded in depth whatever is inside."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conurb.errors import InvalidRequestError
from conurb.http.reading import read_json

DEPTH_MAX = 16


def nested(depth: int, *, kind: str = "list") -> Any:
    value: Any = 1
    for level in range(depth):
        mixed = kind == "mixed" and level % 2
        value = {"a": value} if kind == "dict" or mixed else [value]
    return value


@pytest.mark.parametrize("kind", ["list", "dict", "mixed"])
def test_depth_is_bounded_exactly(kind: str) -> None:
    at = orjson.dumps(nested(DEPTH_MAX, kind=kind))
    over = orjson.dumps(nested(DEPTH_MAX + 1, kind=kind))
    assert read_json(at, depth_max=DEPTH_MAX) == nested(DEPTH_MAX, kind=kind)
    with pytest.raises(InvalidRequestError, match="deeper"):
        read_json(over, depth_max=DEPTH_MAX)


@given(
    st.recursive(
        st.text(alphabet='[]{}ab\\"', max_size=8),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(alphabet="[{}]x", max_size=3), inner, max_size=4)
        ),
        max_leaves=60,
    )
)
def test_brackets_inside_of_texts_do_not_count(document: Any) -> None:
    def depth(value: Any) -> int:
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values()), default=0)
        if isinstance(value, list):
            return 1 + max(map(depth, value), default=0)
        return 0

    body = orjson.dumps([document] * 3)
    bound = 3
    if depth([document]) <= bound:
        assert read_json(body, depth_max=bound) == [document] * 3
    else:
        with pytest.raises(InvalidRequestError, match="deeper"):
            read_json(body, depth_max=bound)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1} trailing',
        b"[" * 100_000,
        b"[" * 2000 + b"]" * 2000,
        b"\xff\xfe",
        b'"\\ud800"',
        b'{"a": "\\u0000"}',
    ],
)
def test_what_is_not_plain_json_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        read_json(body, depth_max=DEPTH_MAX)


def test_an_escaped_backslash_before_u0000_is_text() -> None:
    assert read_json(b'{"a": "\\\\u0000"}', depth_max=DEPTH_MAX) == {"a": "\\u0000"}

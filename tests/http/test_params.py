"""Query parameters: typed reading, and refusal of what an operation doesn't know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError, InputError, InvalidRequestError
from conurb.http import params as p

KNOWN = (p.TYPE, p.LIMIT, p.COUNT, p.PICK, p.JOIN, p.options("sysAttrs", "keyValues"))


def read(query: str) -> p.Params:
    return p.read_params(query.encode(), KNOWN, text_max=1000)


def test_values_are_typed() -> None:
    params = read("type=City%7CTown&limit=5&count=true&pick=name,rel{a,b}&options=sysAttrs")
    assert params.text("type") == "City|Town"
    assert params.count("limit") == 5
    assert params.flag("count") is True
    assert params.items("pick") == ("name", "rel{a,b}")
    assert params.option("sysAttrs")
    assert not params.option("keyValues")
    assert "join" not in params


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("nonsense=1", "no parameter 'nonsense'"),
        ("type=A&type=B", "given twice"),
        ("options=unknown", "none of"),
        ("type=%FF", "UTF-8"),
        ("&".join(f"x{i}=1" for i in range(100)), "parameters"),
        ("type=" + "A" * 2000, "bytes"),
    ],
)
def test_requests_that_the_operation_does_not_know_are_invalid(query: str, why: str) -> None:
    with pytest.raises(InvalidRequestError, match=why):
        read(query)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("limit=-1", "limit"),
        ("limit=1.5", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("limit=", "limit"),
        ("count=1", "count"),
        ("count=TRUE", "count"),
        ("type=", "type"),
        ("pick=a,,b", "pick"),
        ("join=sideways", "join"),
        ("type=a%00b", "type"),
    ],
)
def test_values_of_the_wrong_kind_name_the_parameter(query: str, name: str) -> None:
    with pytest.raises(BadRequestDataError, match=name):
        read(query)


def test_no_query_string_gives_no_parameters() -> None:
    assert read("").values == {}
    assert read("&&").values == {}


@given(st.text(max_size=60))
def test_any_query_string_is_read_or_refused(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    try:
        params = p.read_params(raw, KNOWN, text_max=1000)
    except InputError:
        return
    assert set(params.values) <= {param.name for param in KNOWN}

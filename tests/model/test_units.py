"""Units: codes, base units, conversions. Exact by definition; 1e-12 is for binary fractions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conurb.errors import BadRequestDataError
from conurb.model.units import UNITS, convert, find_unit, get_unit, to_base


def test_every_base_is_a_unit_of_its_quantity_and_its_own_base() -> None:
    for code, unit in UNITS.items():
        base = UNITS[unit.base]
        assert unit.code == code
        assert base.quantity == unit.quantity
        assert (base.base, base.factor, base.offset) == (unit.base, 1.0, 0.0)
        assert unit.factor > 0


@pytest.mark.parametrize(
    ("value", "from_code", "to_code", "expected"),
    [
        (1, "HAR", "MTK", 10_000),
        (3.6, "KMH", "MTS", 1),
        (1, "KNT", "KMH", 1.852),
        (1, "HM", "KMH", 1.609344),
        (0, "CEL", "KEL", 273.15),
        (212, "FAH", "CEL", 100),
        (-40, "CEL", "FAH", -40),
        (1, "ATM", "A97", 1013.25),
        (1, "KWH", "3B", 3.6),
        (1, "GP", "GQ", 1000),
        (1, "M1", "GP", 1000),
        (60, "H67", "MTS", 60e-3 / 3600),
        (1000, "L2", "MQH", 60),
        (1, "H61", "G42", 1000),
        (50, "P1", "C62", 0.5),
        (180, "DD", "C81", 3.141592653589793),
        (1, "KTN", "KGM", 1_000_000),
        (5, "CNY", "CNY", 5),
        (1, "ANN", "DAY", 365.25),
    ],
)
def test_known_conversions(value: float, from_code: str, to_code: str, expected: float) -> None:
    assert convert(value, from_code=from_code, to_code=to_code) == pytest.approx(
        expected, rel=1e-12, abs=1e-12
    )


@given(
    value=st.floats(-1e9, 1e9),
    codes=st.sampled_from(sorted(UNITS)).flatmap(
        lambda code: st.tuples(
            st.just(code),
            st.sampled_from([c for c, u in UNITS.items() if u.base == UNITS[code].base]),
        )
    ),
)
def test_there_and_back_is_where_it_was(value: float, codes: tuple[str, str]) -> None:
    there = convert(value, from_code=codes[0], to_code=codes[1])
    # An offset of 273.15 next to a small value costs digits: 1e-9 absolute.
    assert convert(there, from_code=codes[1], to_code=codes[0]) == pytest.approx(
        value, rel=1e-9, abs=1e-9
    )


def test_the_platforms_base_units() -> None:
    assert to_base(2.0, "KGM") == (0.002, "TNE")
    assert to_base(8.0, "KMK") == (8e6, "MTK")
    assert to_base(7.0, "IE") == (7.0, "IE")
    assert to_base(7.0, "CNY") == (7.0, "CNY")


def test_what_measures_something_else_is_refused() -> None:
    with pytest.raises(BadRequestDataError, match="length"):
        convert(1, from_code="MTR", to_code="MTK")
    with pytest.raises(BadRequestDataError, match="CNY"):
        convert(1, from_code="CNY", to_code="USD")


def test_an_unknown_code_is_said() -> None:
    assert find_unit("XYZ") is None
    assert find_unit("MTK") is get_unit("MTK")
    with pytest.raises(BadRequestDataError, match="XYZ"):
        get_unit("XYZ")

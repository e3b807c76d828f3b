"""Units: UN/CEFACT common codes (Recommendation 20) that matter here, and their base units.

Figures are stored in base units: persons, CNY, t, m2 ... A `unitCode` that this table doesn't know
is kept as it is, but can't be converted. Money has the codes of ISO 4217 (UN/CEFACT
Recommendation 9) and isn't converted: a rate isn't a property of a unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from conurb.errors import BadRequestDataError


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit: a value of it times `factor` plus `offset` is a value in the base unit."""

    code: str
    name: str
    symbol: str
    quantity: str
    base: str
    factor: float = 1.0
    offset: float = 0.0


_CURRENCIES: Final = ("CNY", "HKD", "MOP", "TWD", "USD", "EUR", "JPY", "GBP", "KRW", "SGD")

_TABLE: Final[dict[str, tuple[str, tuple[tuple[str, str, str, float, float], ...]]]] = {
    "number": (
        "C62",
        (
            ("C62", "one", "1", 1.0, 0.0),
            ("H87", "piece", "pcs", 1.0, 0.0),
            ("EA", "each", "ea", 1.0, 0.0),
            ("P1", "percent", "%", 0.01, 0.0),
            ("59", "part per million", "ppm", 1e-6, 0.0),
            ("61", "part per billion", "ppb", 1e-9, 0.0),
        ),
    ),
    "persons": ("IE", (("IE", "person", "person", 1.0, 0.0),)),
    "length": (
        "MTR",
        (
            ("MTR", "metre", "m", 1.0, 0.0),
            ("KMT", "kilometre", "km", 1000.0, 0.0),
            ("DMT", "decimetre", "dm", 0.1, 0.0),
            ("CMT", "centimetre", "cm", 0.01, 0.0),
            ("MMT", "millimetre", "mm", 0.001, 0.0),
            ("4H", "micrometre", "um", 1e-6, 0.0),
            ("NMI", "nautical mile", "n mile", 1852.0, 0.0),
            ("SMI", "mile", "mile", 1609.344, 0.0),
            ("FOT", "foot", "ft", 0.3048, 0.0),
            ("INH", "inch", "in", 0.0254, 0.0),
        ),
    ),
    "area": (
        "MTK",
        (
            ("MTK", "square metre", "m2", 1.0, 0.0),
            ("KMK", "square kilometre", "km2", 1e6, 0.0),
            ("HAR", "hectare", "ha", 1e4, 0.0),
            ("H18", "square hectometre", "hm2", 1e4, 0.0),
            ("CMK", "square centimetre", "cm2", 1e-4, 0.0),
            ("MMK", "square millimetre", "mm2", 1e-6, 0.0),
        ),
    ),
    "volume": (
        "MTQ",
        (
            ("MTQ", "cubic metre", "m3", 1.0, 0.0),
            ("LTR", "litre", "l", 0.001, 0.0),
            ("MLT", "millilitre", "ml", 1e-6, 0.0),
            ("HMQ", "million cubic metre", "Mm3", 1e6, 0.0),
        ),
    ),
    "mass": (
        "TNE",
        (
            ("TNE", "tonne", "t", 1.0, 0.0),
            ("KTN", "kilotonne", "kt", 1000.0, 0.0),
            ("KGM", "kilogram", "kg", 0.001, 0.0),
            ("GRM", "gram", "g", 1e-6, 0.0),
            ("MGM", "milligram", "mg", 1e-9, 0.0),
        ),
    ),
    "time": (
        "SEC",
        (
            ("SEC", "second", "s", 1.0, 0.0),
            ("C26", "millisecond", "ms", 0.001, 0.0),
            ("B98", "microsecond", "us", 1e-6, 0.0),
            ("MIN", "minute", "min", 60.0, 0.0),
            ("HUR", "hour", "h", 3600.0, 0.0),
            ("DAY", "day", "d", 86400.0, 0.0),
            ("WEE", "week", "wk", 604800.0, 0.0),
            ("MON", "month", "mo", 2629800.0, 0.0),
            ("ANN", "year", "y", 31557600.0, 0.0),
        ),
    ),
    "speed": (
        "MTS",
        (
            ("MTS", "metre per second", "m/s", 1.0, 0.0),
            ("KMH", "kilometre per hour", "km/h", 5 / 18, 0.0),
            ("KNT", "knot", "kn", 463 / 900, 0.0),
            ("HM", "mile per hour", "mile/h", 0.44704, 0.0),
            ("H67", "millimetre per hour", "mm/h", 1 / 3600000, 0.0),
        ),
    ),
    "acceleration": (
        "MSK",
        (("MSK", "metre per second squared", "m/s2", 1.0, 0.0),),
    ),
    "temperature": (
        "CEL",
        (
            ("CEL", "degree Celsius", "degC", 1.0, 0.0),
            ("KEL", "kelvin", "K", 1.0, -273.15),
            ("FAH", "degree Fahrenheit", "degF", 5 / 9, -160 / 9),
        ),
    ),
    "pressure": (
        "PAL",
        (
            ("PAL", "pascal", "Pa", 1.0, 0.0),
            ("A97", "hectopascal", "hPa", 100.0, 0.0),
            ("KPA", "kilopascal", "kPa", 1000.0, 0.0),
            ("MPA", "megapascal", "MPa", 1e6, 0.0),
            ("BAR", "bar", "bar", 1e5, 0.0),
            ("MBR", "millibar", "mbar", 100.0, 0.0),
            ("ATM", "standard atmosphere", "atm", 101325.0, 0.0),
        ),
    ),
    "energy": (
        "JOU",
        (
            ("JOU", "joule", "J", 1.0, 0.0),
            ("KJO", "kilojoule", "kJ", 1000.0, 0.0),
            ("3B", "megajoule", "MJ", 1e6, 0.0),
            ("GV", "gigajoule", "GJ", 1e9, 0.0),
            ("WHR", "watt hour", "Wh", 3600.0, 0.0),
            ("KWH", "kilowatt hour", "kWh", 3.6e6, 0.0),
            ("MWH", "megawatt hour", "MWh", 3.6e9, 0.0),
            ("GWH", "gigawatt hour", "GWh", 3.6e12, 0.0),
        ),
    ),
    "power": (
        "WTT",
        (
            ("WTT", "watt", "W", 1.0, 0.0),
            ("KWT", "kilowatt", "kW", 1000.0, 0.0),
            ("MAW", "megawatt", "MW", 1e6, 0.0),
            ("A90", "gigawatt", "GW", 1e9, 0.0),
        ),
    ),
    "irradiance": (
        "D54",
        (("D54", "watt per square metre", "W/m2", 1.0, 0.0),),
    ),
    "voltage": (
        "VLT",
        (
            ("VLT", "volt", "V", 1.0, 0.0),
            ("KVT", "kilovolt", "kV", 1000.0, 0.0),
        ),
    ),
    "current": (
        "AMP",
        (
            ("AMP", "ampere", "A", 1.0, 0.0),
            ("4K", "milliampere", "mA", 0.001, 0.0),
        ),
    ),
    "resistance": (
        "OHM",
        (("OHM", "ohm", "ohm", 1.0, 0.0),),
    ),
    "frequency": (
        "HTZ",
        (
            ("HTZ", "hertz", "Hz", 1.0, 0.0),
            ("KHZ", "kilohertz", "kHz", 1000.0, 0.0),
            ("MHZ", "megahertz", "MHz", 1e6, 0.0),
        ),
    ),
    "level": (
        "2N",
        (("2N", "decibel", "dB", 1.0, 0.0),),
    ),
    "illuminance": (
        "LUX",
        (("LUX", "lux", "lx", 1.0, 0.0),),
    ),
    "luminous flux": (
        "LUM",
        (("LUM", "lumen", "lm", 1.0, 0.0),),
    ),
    "luminous intensity": (
        "CDL",
        (("CDL", "candela", "cd", 1.0, 0.0),),
    ),
    "mass concentration": (
        "GQ",
        (
            ("GQ", "microgram per cubic metre", "ug/m3", 1.0, 0.0),
            ("GP", "milligram per cubic metre", "mg/m3", 1000.0, 0.0),
            ("A93", "gram per cubic metre", "g/m3", 1e6, 0.0),
            ("M1", "milligram per litre", "mg/l", 1e6, 0.0),
            ("KMQ", "kilogram per cubic metre", "kg/m3", 1e9, 0.0),
        ),
    ),
    "flow": (
        "MQS",
        (
            ("MQS", "cubic metre per second", "m3/s", 1.0, 0.0),
            ("MQH", "cubic metre per hour", "m3/h", 1 / 3600, 0.0),
            ("L2", "litre per minute", "l/min", 1 / 60000, 0.0),
        ),
    ),
    "conductivity": (
        "D10",
        (
            ("D10", "siemens per metre", "S/m", 1.0, 0.0),
            ("G42", "microsiemens per centimetre", "uS/cm", 1e-4, 0.0),
            ("H61", "millisiemens per centimetre", "mS/cm", 0.1, 0.0),
        ),
    ),
    "acidity": (
        "Q30",
        (("Q30", "pH", "pH", 1.0, 0.0),),
    ),
    "angle": (
        "DD",
        (
            ("DD", "degree of angle", "deg", 1.0, 0.0),
            ("C81", "radian", "rad", 180 / math.pi, 0.0),
        ),
    ),
    "data": (
        "AD",
        (
            ("AD", "byte", "byte", 1.0, 0.0),
            ("2P", "kilobyte", "kB", 1000.0, 0.0),
            ("4L", "megabyte", "MB", 1e6, 0.0),
            ("E34", "gigabyte", "GB", 1e9, 0.0),
            ("E35", "terabyte", "TB", 1e12, 0.0),
        ),
    ),
}
"""Quantity to its base unit and its units: code, name, symbol, factor, offset."""

UNITS: Final[dict[str, Unit]] = {
    code: Unit(code, name, symbol, quantity, base, factor, offset)
    for quantity, (base, units) in _TABLE.items()
    for code, name, symbol, factor, offset in units
} | {code: Unit(code, code, code, f"money in {code}", code) for code in _CURRENCIES}
"""Code to unit."""


def find_unit(code: str) -> Unit | None:
    """Find a unit by its code; None when this table doesn't know it."""
    return UNITS.get(code)


def get_unit(code: str) -> Unit:
    """Give a unit by its code; raise BadRequestDataError when this table doesn't know it."""
    unit = UNITS.get(code)
    if unit is None:
        raise BadRequestDataError(
            f"unitCode: {code!r:.40} is none of the UN/CEFACT common codes known here, such as "
            "MTK, TNE, IE, CEL, or of the currencies, such as CNY"
        )
    return unit


def to_base(value: float, code: str) -> tuple[float, str]:
    """Give a value in the base unit of its quantity, and that unit's code.

    >>> to_base(12.5, "KMK")
    (12500000.0, 'MTK')
    """
    unit = get_unit(code)
    return value * unit.factor + unit.offset, unit.base


def convert(value: float, *, from_code: str, to_code: str) -> float:
    """Convert a value between two units of one quantity.

    Raises BadRequestDataError when they measure different things.

    >>> round(convert(72.0, from_code="KMH", to_code="MTS"), 9)
    20.0
    """
    source, target = get_unit(from_code), get_unit(to_code)
    if source.base != target.base:
        raise BadRequestDataError(
            f"unitCode: {from_code} measures {source.quantity}, {to_code} measures "
            f"{target.quantity}; one can't become the other"
        )
    if source is target:
        return value
    return (value * source.factor + source.offset - target.offset) / target.factor

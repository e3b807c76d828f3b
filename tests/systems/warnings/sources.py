"""Where the tests of warnings find real data, and what they make themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from conurb.systems.warnings.areas import Cities, cities_of
from conurb.systems.warnings.cap.alert import Alert, Severity
from conurb.systems.warnings.compose import Grade, News, Wording, city_area, compose

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)

needs_data = pytest.mark.skipif(
    not (DATA / "alerts").is_dir(), reason=f"no public alerts at {DATA}"
)


def read_data(name: str) -> bytes:
    """Read a file of real data; skip the test without it."""
    file = DATA / name
    if not file.is_file():
        pytest.skip(f"no {file}")
    return file.read_bytes()


def delta() -> Cities:
    """Give the cities of the Delta."""
    return cities_of("yrd")


def an_alert(
    *cities: str,
    kind: str = "rainfall",
    at: datetime = NOW,
    hours: float = 6.0,
    sender: str = "w@x",
) -> Alert:
    """Compose an alert for cities of the Delta."""
    return compose(
        News(
            sender=sender,
            kind=kind,
            grade=Grade(Severity.SEVERE),
            wording=Wording({"zh": "预警", "en": "Warning"}, {"zh": "说明", "en": "Text"}, {}),
            areas=tuple(city_area(delta(), city) for city in cities),
            onset=at,
            expires=at + timedelta(hours=hours),
        ),
        sent=at,
    )

"""SIRI: all public examples read, all that is written valid by the schema."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.systems.transport.live import Call, Notice, Position
from conurb.systems.transport.siri.reading import read
from conurb.systems.transport.siri.writing import (
    Sender,
    Visit,
    check_status,
    estimated_timetable,
    refusal,
    situation_exchange,
    stop_monitoring,
    vehicle_monitoring,
)
from tests.systems.transport.material import NOON_US, SIRI, needs_data

EXAMPLES = sorted((SIRI / "examples").rglob("*.xml"))
SENDER = Sender("shanghai", NOON_US)
DAY = "20260601"
CALLS = (
    Call("t1", "a", NOON_US, 1, "R", DAY, NOON_US, NOON_US + 60_000_000, 30, 60, "丙"),
    Call("t1", "b", NOON_US, 2, "R", DAY, arrival_us=NOON_US + 600_000_000, head_sign="丙"),
    Call("t1", "c", NOON_US, 3, "R", DAY, arrival_us=NOON_US, head_sign="丙", skipped=True),
    Call("t2", "", NOON_US, route="R", day=DAY, cancelled=True),
)
POSITIONS = (
    Position("v1", NOON_US, 121.5, 31.25, 90.0, 36.0, "t1", "R", "a", 1, "STOPPED_AT", "FULL", "1"),
    Position("v2", NOON_US, 121.5, 31.25),
)
CAUSES = (
    "ACCIDENT", "MAINTENANCE", "CONSTRUCTION", "STRIKE", "DEMONSTRATION", "POLICE_ACTIVITY",
    "MEDICAL_EMERGENCY", "WEATHER", "TECHNICAL_PROBLEM", "HOLIDAY", "OTHER_CAUSE", "UNKNOWN_CAUSE",
)  # fmt: skip
EFFECTS = (
    "NO_SERVICE", "REDUCED_SERVICE", "SIGNIFICANT_DELAYS", "DETOUR", "ADDITIONAL_SERVICE",
    "MODIFIED_SERVICE",
)  # fmt: skip
NOTICE = Notice(
    "op/1",
    NOON_US,
    NOON_US,
    NOON_US + 3_600_000_000,
    headline={"en": "Detour", "zh": "绕行"},
    text={"en": "By the river"},
    url="https://example.org",
    affected=(("agency", "A"), ("route", "R"), ("stop", "a"), ("trip", "t1")),
    severity="high",
)
NOTICES = tuple(
    replace(NOTICE, id=f"op/{number}", cause=cause, effect=EFFECTS[number % len(EFFECTS)])
    for number, cause in enumerate(CAUSES)
)
WRITTEN = {
    "sm": stop_monitoring(SENDER, "a", [Visit(CALLS[0], "1", NOON_US), *map(Visit, CALLS[1:])]),
    "sm, nothing": stop_monitoring(SENDER, "a", []),
    "vm": vehicle_monitoring(SENDER, POSITIONS, valid_s=60),
    "vm, nothing": vehicle_monitoring(SENDER, (), valid_s=60),
    "et": estimated_timetable(SENDER, CALLS),
    "et, nothing": estimated_timetable(SENDER, ()),
    "sx": situation_exchange(SENDER, (*NOTICES, Notice("x", NOON_US, ended=True))),
    "sx, nothing": situation_exchange(SENDER, ()),
    "status": check_status(SENDER, started_us=NOON_US),
    "refusal": refusal(SENDER, "not here"),
    "no such stop": refusal(SENDER, "no", condition="InvalidDataReferencesError"),
}


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SIRI / "xsd" / "siri.xsd"))


@needs_data
@pytest.mark.parametrize("name", WRITTEN)
def test_what_is_written_is_valid(schema: etree.XMLSchema, name: str) -> None:
    schema.assertValid(etree.fromstring(WRITTEN[name]))


@needs_data
def test_all_public_examples_are_read() -> None:
    assert len(EXAMPLES) == 83
    kinds = {path.name: read(path.read_bytes(), at_us=NOON_US) for path in EXAMPLES}
    told = [one.batch for one in kinds.values()]
    assert sum(len(one.positions) for one in told) == 10
    assert sum(len(one.calls) for one in told) == 20
    assert sum(len(one.notices) for one in told) == 11
    assert kinds["exs_stopMonitoring_request.xml"].kind == "ServiceRequest"
    assert kinds["exs_stopMonitoring_request.xml"].services == {"SM"}
    assert kinds["exa_checkStatus_request.xml"].kind == "CheckStatusRequest"


def _example(name: str) -> Path:
    return next(path for path in EXAMPLES if path.name == name)


@needs_data
def test_an_example_says_what_it_says() -> None:
    batch = read(_example("exs_stopMonitoring_response.xml").read_bytes(), at_us=0).batch
    first = batch.calls[0]
    assert (first.trip, first.stop, first.route, first.day) == (
        "Oubound", "HLTST011", "Line123", "20041217",
    )  # fmt: skip
    # Aimed 09:42:47, expected 09:40:47: two minutes early, whatever the journey's Delay says.
    assert first.departure_delay_s == -120
    assert batch.positions[0].speed_kmh == pytest.approx(22 * 3.6)
    notice = read(_example("SX_1010_first_message.xml").read_bytes(), at_us=0).batch.notices[0]
    assert notice.effect == "REDUCED_SERVICE"
    assert notice.headline["de"].startswith("Unterbruch")
    assert ("route", "ch:vbl:VBL006") in notice.affected


def test_what_is_written_is_read_again() -> None:
    assert read(WRITTEN["vm"], at_us=0).batch.positions == POSITIONS
    calls = read(WRITTEN["et"], at_us=0).batch.calls
    assert calls[0] == CALLS[0]
    assert [(one.skipped, one.cancelled) for one in calls] == [
        (False, False), (False, False), (True, False), (False, True),
    ]  # fmt: skip
    notices = read(WRITTEN["sx"], at_us=0).batch.notices
    for told, meant in zip(notices, NOTICES, strict=False):
        assert replace(told, affected=tuple(sorted(told.affected))) == meant


@pytest.mark.parametrize(
    "body",
    [
        b"not xml",
        b"<Siri/>",
        b"<other/>",
        b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><Siri><a>&x;</a></Siri>',
        b'<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Siri><x>&b;</x></Siri>',
    ],
)
def test_what_is_not_siri_or_declares_entities_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        read(body, at_us=0)


def test_a_value_that_can_not_be_names_its_element() -> None:
    body = WRITTEN["vm"].replace(b">121.500000<", b">east<")
    with pytest.raises(BadRequestDataError, match="Longitude: 'east'"):
        read(body, at_us=0)

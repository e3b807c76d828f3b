"""Whatever comes in: it is read, or refused as input; never anything else. And goes out valid."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from conurb.errors import InputError
from conurb.model.entity import Entity
from conurb.model.vocabulary import platform_terms
from conurb.systems.transport import datex
from conurb.systems.transport.gtfs import realtime
from conurb.systems.transport.gtfs.objects import objects_of
from conurb.systems.transport.gtfs.reading import Feed
from conurb.systems.transport.live import Batch, Call, Notice, Position
from conurb.systems.transport.live_objects import batch_of, entities_of
from conurb.systems.transport.objects import Maker, local_of, text
from conurb.systems.transport.siri import reading, writing
from conurb.systems.transport.sources.gbfs import read_stations
from conurb.systems.transport.sources.points import read_points
from tests.systems.transport.material import NOON_US, SIRI, needs_data
from tests.systems.transport.test_gtfs import SMALL, zipped
from tests.systems.transport.test_realtime import ALL
from tests.systems.transport.test_siri import WRITTEN

MAKER = Maker("o", "s", "f")
READERS: dict[str, Callable[[bytes], object]] = {
    "gtfs-rt": lambda body: realtime.read_message(body, at_us=0),
    "siri": lambda body: reading.read(body, at_us=0),
    "datex": lambda body: datex.read(body, at_us=0),
    "gbfs": lambda body: read_stations(body, MAKER, at_us=0),
    "points": lambda body: read_points(body, MAKER),
}
GOOD = {
    "gtfs-rt": realtime.write_message(ALL, at_us=NOON_US),
    "siri": WRITTEN["sm"],
    "datex": b"<payload><situation><situationRecord id='1'/></situation></payload>",
    "gbfs": b'{"last_updated": 1, "data": {"stations": [{"station_id": "s", "lat": 1, "lon": 2}]}}',
    "points": b'{"kind": "parking", "id": "p", "lon": 1, "lat": 1, "at": "2026-06-01T12:00:00Z"}',
}
WORDS = st.text(max_size=12)
IDS = st.text(min_size=1, max_size=12).filter(lambda one: one == one.strip() and "\x00" not in one)


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_bytes_are_read_or_refused(kind: str, data: st.DataObject) -> None:
    good = GOOD[kind]
    at = data.draw(st.integers(0, len(good)))
    body = good[:at] + data.draw(st.binary(max_size=8)) + good[at + data.draw(st.integers(0, 8)) :]
    with contextlib.suppress(InputError):
        READERS[kind](body)


@settings(max_examples=60, deadline=None)
@given(name=st.sampled_from(sorted(SMALL)), cells=st.lists(st.lists(WORDS, max_size=6), max_size=4))
def test_rows_of_any_text_are_read_or_told(name: str, cells: list[list[str]]) -> None:
    rows = "\n".join(",".join(row) for row in cells)
    with Feed(zipped({**SMALL, name: f"{SMALL[name]}\n{rows}"})) as feed:
        objects = list(objects_of(feed, MAKER))
    assert len(objects) >= 3
    assert len({one.id for one in objects}) <= len(objects)


def test_a_file_that_is_broken_within_its_zip_is_told() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in SMALL.items():
            archive.writestr(name, content + "\n" * 200)
        at = archive.getinfo("stops.txt").header_offset + 60
    body = bytearray(target.getvalue())
    body[at : at + 8] = b"\xff" * 8
    with Feed(io.BytesIO(bytes(body))) as feed:
        list(objects_of(feed, MAKER))
    assert any(one.file == "stops.txt" and "unpacked" in one.expected for one in feed.problems.kept)


@needs_data
def test_any_ids_and_words_go_out_by_siri_validly_and_come_back() -> None:
    schema = etree.XMLSchema(etree.parse(SIRI / "xsd" / "siri.xsd"))

    @settings(max_examples=80, deadline=None)
    @given(name=IDS, word=WORDS, sequence=st.integers(0, 99))
    def holds(name: str, word: str, sequence: int) -> None:
        sender = writing.Sender(name, NOON_US)
        call = Call(name, name, NOON_US, sequence, name, "20260601", NOON_US, head_sign=word)
        position = Position(name, NOON_US, 1.0, 2.0, trip=name, stop=name, label=word)
        affected = tuple((kind, name) for kind in ("agency", "route", "stop", "trip"))
        notice = Notice(name, NOON_US, headline={word: word, "en": word}, affected=affected)
        bodies = (
            writing.stop_monitoring(sender, name, [writing.Visit(call, word, NOON_US)]),
            writing.vehicle_monitoring(sender, [position], valid_s=1),
            writing.estimated_timetable(sender, [call]),
            writing.situation_exchange(sender, [notice]),
            writing.refusal(sender, word),
        )
        for body in bodies:
            schema.assertValid(etree.fromstring(body))
        assert reading.read(bodies[1], at_us=0).batch.positions[0].vehicle == name
        assert reading.read(bodies[2], at_us=0).batch.calls[0].stop == name

    holds()


@settings(max_examples=60, deadline=None)
@given(name=IDS)
def test_an_id_of_any_text_makes_a_urn_and_is_had_back(name: str) -> None:
    told = Batch((Position(name, NOON_US, 1.0, 2.0, trip=name),))
    [entity] = entities_of(told, MAKER)
    assert entity.id.isascii()
    assert " " not in entity.id
    assert batch_of([entity], platform_terms().compact, local_of).positions == told.positions


def test_words_of_other_sources_do_not_break_a_feed() -> None:
    expand = platform_terms().expand
    strange = {
        "Vehicle": {"serviceStatus": "parked", "occupancy": "half", "speed": "fast"},
        "ArrivalEstimation": {"arrivalTime": "soon", "delay": 1e12, "stopSequence": "first"},
        "Alert": {"category": "traffic", "cause": "moon", "subCategory": "trafficJam"},
    }
    entities: list[Entity] = []
    for entity in entities_of(ALL, MAKER):
        term = platform_terms().compact(entity.types[0])
        said = {expand(name): [text(value)] for name, value in strange[term].items()}  # type: ignore[arg-type]
        entities.append(entity.with_attrs({**entity.attrs, **said}))
    batch = batch_of(entities, platform_terms().compact, local_of)
    again = realtime.read_message(realtime.write_message(batch, at_us=NOON_US), at_us=0)
    assert len(again.positions) == 2
    assert again.notices[0].cause == "UNKNOWN_CAUSE"
    for written in (
        writing.vehicle_monitoring(writing.Sender("o", NOON_US), batch.positions, valid_s=1),
        writing.situation_exchange(writing.Sender("o", NOON_US), batch.notices),
    ):
        assert reading.read(written, at_us=0)

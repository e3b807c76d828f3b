"""GTFS-Realtime in and out: the public examples, and everything that a feed may say."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from google.transit import gtfs_realtime_pb2 as pb

from conurb.errors import InvalidRequestError
from conurb.model.operations.entity import UpsertEntity
from conurb.model.vocabulary import platform_terms
from conurb.systems.transport.gtfs.realtime import read_message, write_message
from conurb.systems.transport.live import Batch, Call, Flow, Notice, Position
from conurb.systems.transport.live_objects import batch_of, entities_of, state_of
from conurb.systems.transport.objects import Maker, local_of, value_of
from conurb.systems.transport.observing import Observe
from tests.systems.transport.material import DATA, NOON_US, needs_data

EXAMPLES = DATA / "standards/gtfs/gtfs-realtime/spec/en/examples"
MAKER = Maker("shanghai", "a test", "bus")
ALL = Batch(
    positions=(
        Position(
            "v1",
            NOON_US,
            121.5,
            31.25,
            bearing=90.0,
            speed_kmh=36.0,
            trip="t 1",
            route="R",
            stop="a",
            sequence=3,
            status="STOPPED_AT",
            occupancy="FULL",
            label="沪A",
        ),
        Position("v2", NOON_US - 1_000_000, 0.0, 0.0),
    ),
    calls=(
        Call("t 1", "a", NOON_US, sequence=1, route="R", day="20260601", arrival_delay_s=-2),
        Call("t 1", "b", NOON_US, sequence=2, route="R", day="20260601", departure_us=NOON_US + 60),
        Call("t 2", "a", NOON_US, sequence=1, skipped=True),
        Call("t 3", "", NOON_US, cancelled=True),
    ),
    notices=(
        Notice(
            "n/1",
            NOON_US,
            from_us=NOON_US,
            to_us=NOON_US + 3_600_000_000,
            cause="CONSTRUCTION",
            effect="DETOUR",
            severity="high",
            headline={"en": "Detour", "zh": "绕行"},
            text={"en": "By the river"},
            url="https://example.org",
            affected=(("route", "R"), ("stop", "a"), ("trip", "t 1"), ("agency", "A")),
        ),
    ),
)


def whole_seconds(batch: Batch) -> Batch:
    """GTFS-Realtime tells whole seconds, and ids of alerts and vehicles as entities have them."""
    call = batch.calls[1]
    second = Call(
        call.trip,
        call.stop,
        call.at_us,
        call.sequence,
        call.route,
        call.day,
        departure_us=NOON_US,
    )
    return Batch(
        batch.positions,
        (batch.calls[0], second, *batch.calls[2:]),
        tuple(Notice(f"alert:{one.id}", *_fields(one)) for one in batch.notices),
        whole=True,
    )


def _fields(one: Notice) -> list[object]:
    return [getattr(one, name) for name in Notice.__slots__ if name != "id"]


def test_what_is_written_is_read_again() -> None:
    assert read_message(write_message(ALL, at_us=NOON_US), at_us=0) == whole_seconds(ALL)


def test_what_is_told_becomes_objects_and_the_same_values_again() -> None:
    entities = entities_of(ALL, MAKER)
    assert len({one.id for one in entities}) == len(entities) == 7
    assert batch_of(entities, platform_terms().compact, local_of) == ALL


@needs_data
@pytest.mark.parametrize("name", ["alerts.asciipb", "trip-updates-full.asciipb"])
def test_the_examples_of_the_standard_pass_through_objects_and_out_again(name: str) -> None:
    message = text_format.Parse((EXAMPLES / name).read_text(), pb.FeedMessage())
    batch = read_message(message.SerializeToString(), at_us=0)
    assert len(batch.calls) + len(batch.notices) in (1, 5)
    objects = batch_of(entities_of(batch, MAKER), platform_terms().compact, local_of)
    out = read_message(write_message(objects, at_us=batch_time(batch)), at_us=0)
    assert out.calls == batch.calls
    assert [_fields(one) for one in out.notices] == [_fields(one) for one in batch.notices]


def batch_time(batch: Batch) -> int:
    return (*batch.calls, *batch.notices)[0].at_us


@pytest.mark.parametrize("body", [b"", b"<xml/>", b"\x0a\x03abc", b"\xff" * 50])
def test_garbage_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="GTFS-Realtime"):
        read_message(body, at_us=0)


def test_a_vehicle_without_a_place_that_can_be_is_left_out() -> None:
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    for number, lat in enumerate((31.0, 131.0)):
        entity = message.entity.add()
        entity.id = str(number)
        entity.vehicle.position.latitude = lat
        entity.vehicle.position.longitude = 121.0
    message.entity.add(id="no place").vehicle.stop_id = "a"
    batch = read_message(message.SerializeToString(), at_us=NOON_US)
    assert [one.vehicle for one in batch.positions] == ["0"]
    assert batch.positions[0].at_us == NOON_US


def test_a_bearing_is_within_the_circle_and_what_is_no_number_is_not_said() -> None:
    message = pb.FeedMessage()
    message.header.gtfs_realtime_version = "2.0"
    for number, (bearing, speed) in enumerate(
        ((-90.0, 10.0), (float("nan"), float("inf")), (360.0, -1.0))
    ):
        told = message.entity.add(id=str(number)).vehicle.position
        told.latitude, told.longitude, told.bearing, told.speed = 31.0, 121.0, bearing, speed
    positions = read_message(message.SerializeToString(), at_us=0).positions
    assert [one.bearing for one in positions] == [270.0, None, 0.0]
    assert [one.speed_kmh for one in positions] == [36.0, None, None]


def test_newer_replaces_older_and_the_same_twice_is_once() -> None:
    def seen(at_us: int, lon: float) -> Observe:
        return Observe(entities_of(Batch((Position("v", at_us, lon, 31.0),)), MAKER)[0])

    first = UpsertEntity(seen(NOON_US, 121.0).entity).apply(None, NOON_US, ()).after
    again = seen(NOON_US, 121.0).apply(first, NOON_US + 1, ())
    assert again.kind is None
    assert again.after is first
    newer = seen(NOON_US + 10, 121.1).apply(first, NOON_US + 2, ())
    assert newer.after is not None
    assert value_of(newer.after, "location")["coordinates"] == [121.1, 31.0]
    late = seen(NOON_US - 10, 120.9).apply(newer.after, NOON_US + 3, ())
    assert late.after is newer.after
    assert [one.moves_state for one in late.written] == [False]


def test_an_estimation_goes_when_the_call_is_over_and_an_ended_notice_at_once() -> None:
    told = Batch(
        calls=(Call("t", "a", NOON_US, departure_us=NOON_US + 60_000_000),),
        notices=(Notice("n", NOON_US, ended=True), Notice("m", NOON_US, to_us=NOON_US + 5)),
    )
    expiries = [one.expires_at for one in entities_of(told, MAKER)]
    assert expiries == [NOON_US + 660_000_000, NOON_US, NOON_US + 5]


def test_an_index_has_the_state_of_its_class_and_is_congested_from_crowded_on() -> None:
    assert [state_of(one) for one in (0, 29.9, 30, 50, 70, 100)] == [
        "smooth",
        "smooth",
        "slow",
        "crowded",
        "blocked",
        "blocked",
    ]
    for index, congested in ((49.0, False), (50.0, True)):
        [entity] = entities_of(Batch(flows=(Flow("x", NOON_US, index=index),)), MAKER)
        assert value_of(entity, "congested") is congested

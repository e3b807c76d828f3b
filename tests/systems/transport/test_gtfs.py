"""GTFS read, written, made objects of and back: nothing lost, every fault with its place."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.model.vocabulary import platform_terms
from conurb.systems.transport.gtfs.calendar import service_day_start_us, services_on
from conurb.systems.transport.gtfs.export import rows_of, terms_of
from conurb.systems.transport.gtfs.objects import objects_of
from conurb.systems.transport.gtfs.reading import Feed, read_clock
from conurb.systems.transport.gtfs.tables import (
    FILES,
    Calendar,
    CalendarDate,
    FeedInfo,
    Row,
    ShapePoint,
    Stop,
    StopTime,
    Trip,
)
from conurb.systems.transport.gtfs.timetable import take
from conurb.systems.transport.gtfs.writing import write_feed
from conurb.systems.transport.objects import Maker, local_of
from tests.systems.transport.material import SAMPLE, needs_data, small_timetable

MAKER = Maker("test", "a test", "bus")
SMALL = {
    "agency.txt": "agency_id,agency_name,agency_url,agency_timezone\nA,Bus,http://x,Asia/Shanghai",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon\na,Alpha,31.0,121.0\nb,Beta,31.1,121.1",
    "routes.txt": "route_id,route_type\nR,3",
    "trips.txt": "route_id,service_id,trip_id\nR,W,t",
    "stop_times.txt": "trip_id,arrival_time,departure_time,stop_id,stop_sequence\n"
    "t,08:00:00,08:00:00,a,1\nt,25:10:00,25:10:00,b,2",
    "calendar_dates.txt": "service_id,date,exception_type\nW,20260601,1",
}

TIMES = SMALL["stop_times.txt"]
DATES = SMALL["calendar_dates.txt"]


def zipped(files: dict[str, str], folder: str = "") -> io.BytesIO:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, text in files.items():
            archive.writestr(folder + name, text)
    return target


@needs_data
@pytest.mark.parametrize(("form", "short"), [("sample-feed-1.zip", 13), ("sample-feed-1", 0)])
def test_the_sample_feed_is_read_and_the_short_rows_of_its_zip_are_told(
    form: str, short: int
) -> None:
    with Feed(SAMPLE / form) as feed:
        tables = {table.__name__: len(list(feed.rows(table))) for table in FILES}
    assert tables["Stop"] == 9
    assert tables["StopTime"] == 28
    assert tables["Frequency"] == 11
    assert feed.problems.count == short
    assert [one.line for one in feed.problems.kept] == list(range(17, 17 + short))
    assert {(one.file, one.lost) for one in feed.problems.kept} <= {("stop_times.txt", False)}
    assert feed.unread() == ["fare_attributes.txt", "fare_rules.txt"]


@needs_data
def test_what_is_read_and_written_and_read_again_is_the_same() -> None:
    with Feed(SAMPLE / "sample-feed-1.zip") as feed:
        first = take(feed).tables
    target = io.BytesIO()
    write_feed(target, first)
    again = Feed(target)
    assert take(again).tables == first
    assert again.problems.count == 0
    other = io.BytesIO()
    write_feed(other, first)
    assert other.getvalue() == target.getvalue()


def test_a_timetable_as_objects_makes_the_same_rows_again() -> None:
    timetable = small_timetable()
    objects = list(objects_of(timetable, MAKER))
    assert timetable.problems.count == 0
    expand = platform_terms().expand
    for table in FILES:
        if table in (FeedInfo, ShapePoint):
            continue
        types = {expand(term) for term in terms_of(table)}
        rows = rows_of(table, [one for one in objects if one.types[0] in types], local_of)
        if table is Stop:
            plain = {(one.stop_id, one.stop_name, one.stop_lat) for one in rows}  # type: ignore[attr-defined]
            assert plain == {
                (one.stop_id, one.stop_name, one.stop_lat) for one in timetable.rows(Stop)
            }
        else:
            assert _set(rows) == _set(timetable.rows(table))


def _set(rows: object) -> set[str]:
    return {str(one) for one in rows}  # type: ignore[attr-defined]


def test_shapes_become_lines_and_points_again_and_say_where_their_route_runs() -> None:
    timetable = small_timetable()
    points: list[Row] = [
        ShapePoint(
            shape_id="p", shape_pt_lat=31.0, shape_pt_lon=121.0 + n / 10, shape_pt_sequence=n
        )
        for n in (2, 0, 1)
    ]
    trips: list[Row] = [
        Trip(route_id="R", service_id="weekdays", trip_id="t1", shape_id="p"),
        *list(timetable.rows(Trip))[1:],
    ]
    tables = {**timetable.tables, ShapePoint: points, Trip: trips}
    objects = list(objects_of(type(timetable)(tables), MAKER))
    [shape] = [one for one in objects if one.id == MAKER.urn("GtfsShape", "p")]
    assert [one.shape_pt_lon for one in rows_of(ShapePoint, [shape], local_of)] == [  # type: ignore[attr-defined]
        121.0,
        121.1,
        121.2,
    ]
    [route] = [one for one in objects if one.id == MAKER.urn("GtfsRoute", "R")]
    location = route.instance("https://uri.etsi.org/ngsi-ld/location")
    assert location is not None
    assert location["value"]["type"] == "MultiLineString"


def test_a_feed_in_a_folder_of_its_zip_is_found() -> None:
    with Feed(zipped(SMALL, "gtfs/")) as feed:
        assert len(list(feed.rows(Stop))) == 2


@pytest.mark.parametrize(
    ("name", "text", "line", "column", "lost"),
    [
        ("stops.txt", "stop_id,stop_lat,stop_lon\na,91.0,121.0", 2, "stop_lat", False),
        ("stops.txt", "stop_id,stop_lat,stop_lon\n,31.0,121.0", 2, "stop_id", True),
        ("stops.txt", "stop_lat,stop_lon\n31.0,121.0", 1, "stop_id", True),
        (
            "stop_times.txt",
            SMALL["stop_times.txt"].replace("08:00", "8h00"),
            2,
            "arrival_time",
            False,
        ),
        ("stop_times.txt", SMALL["stop_times.txt"] + "\nt,,,a,x", 4, "stop_sequence", True),
        ("routes.txt", "route_id,route_type\nR,bus", 2, "route_type", True),
        ("calendar_dates.txt", "service_id,date,exception_type\nW,20260231,1", 2, "date", True),
        (
            "calendar_dates.txt",
            "service_id,date,exception_type\nW,20260601,3",
            2,
            "exception_type",
            True,
        ),
    ],
)
def test_a_cell_that_is_wrong_is_told_with_its_place(
    name: str, text: str, line: int, column: str, lost: bool
) -> None:
    with Feed(zipped({**SMALL, name: text})) as feed:
        for table in FILES:
            list(feed.rows(table))
    problem = feed.problems.kept[0]
    assert (problem.file, problem.line, problem.column, problem.lost) == (name, line, column, lost)
    assert f"{name}:{line}" in str(problem)


def test_rows_that_refer_to_nothing_are_left_out_and_told() -> None:
    text = SMALL["stop_times.txt"] + "\nt,26:00:00,26:00:00,nowhere,3"
    with Feed(zipped({**SMALL, "stop_times.txt": text})) as feed:
        objects = list(objects_of(feed, MAKER))
    assert sum("StopTime" in one.types[0] for one in objects) == 2
    [problem] = feed.problems.kept
    assert (problem.column, problem.value, problem.lost) == ("stop_id", "nowhere", True)


def test_what_is_no_feed_raises(tmp_path: Path) -> None:
    file = tmp_path / "feed.zip"
    file.write_bytes(b"not a zip")
    with pytest.raises(InvalidRequestError, match=r"feed\.zip"):
        Feed(file)
    with pytest.raises(BadRequestDataError, match=r"trips\.txt"):
        Feed(zipped({name: text for name, text in SMALL.items() if name != "trips.txt"}))
    with pytest.raises(BadRequestDataError, match="calendar"):
        Feed(zipped({name: text for name, text in SMALL.items() if "calendar" not in name}))


def test_times_pass_midnight() -> None:
    assert read_clock("25:10:00") == 90_600
    with Feed(zipped(SMALL)) as feed:
        assert [one.departure_time for one in feed.rows(StopTime)] == [28_800, 90_600]


def test_services_run_by_week_and_by_exception() -> None:
    calendar = list(small_timetable().rows(Calendar))
    monday, saturday = date(2026, 6, 1), date(2026, 6, 6)
    assert services_on(monday, calendar, []) == {"weekdays"}
    assert services_on(saturday, calendar, []) == set()
    off = CalendarDate(service_id="weekdays", date=monday, exception_type=2)
    extra = CalendarDate(service_id="weekdays", date=saturday, exception_type=1)
    assert services_on(monday, calendar, [off, extra]) == set()
    assert services_on(saturday, calendar, [off, extra]) == {"weekdays"}
    assert services_on(date(2027, 6, 7), calendar, []) == set()


def test_a_service_day_starts_at_noon_minus_twelve_hours() -> None:
    paris = ZoneInfo("Europe/Paris")
    # On 2026-03-29 clocks go forward at 2: noon minus 12 hours is 23:00 of the day before.
    start = service_day_start_us(date(2026, 3, 29), paris)
    assert start == 1_774_735_200_000_000
    assert start - service_day_start_us(date(2026, 3, 28), paris) == 23 * 3600 * 1_000_000

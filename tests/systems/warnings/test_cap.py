"""CAP 1.2 in and out: public alerts judged right, what is emitted valid by the OASIS schema."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from conurb.errors import BadRequestDataError, InvalidRequestError, TooLargeError
from conurb.systems.warnings.cap.alert import (
    Alert,
    Area,
    Category,
    Certainty,
    Circle,
    Info,
    MsgType,
    Named,
    Reference,
    Resource,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
    write_time,
)
from conurb.systems.warnings.cap.read import judge, read
from conurb.systems.warnings.cap.text import quoted_words, write_words
from conurb.systems.warnings.cap.write import write
from conurb.systems.warnings.cap.xml import read_xml

from .sources import DATA, NOW, an_alert, needs_data, read_data

VALID = (
    "alerts/google_australia.cap",
    "alerts/google_canada.cap",
    "alerts/google_canada_signed.cap",
    "alerts/google_wcatwc-warning.cap",
    "alerts/ibm_cap_amber_alert_example.xml",
    "standards/cap/bf/valid.xml",
    "standards/cap/sc/valid.xml",
    "standards/cap/sc/no_signature.xml",
    "standards/cap/tg/valid.xml",
    "standards/cap/tg/no_signature.xml",
)
VALID_1_1 = (
    "alerts/google_earthquake.cap",
    "alerts/google_no_optional_fields.cap",
    "alerts/google_weather.cap",
)
INVALID = {
    "alerts/google_canada_errors.cap": "alert/references: are needed where msgType is Update",
    "alerts/google_invalid.cap": "alert/scope: is missing",
    "alerts/google_noaa_errors.cap": "alert/info/urgency: '' is none of",
    "standards/cap/bf/invalid_schema.xml": "alert/info/severity: is missing",
    "standards/cap/sc/invalid_schema.xml": "is not alert of CAP 1.2",
    "standards/cap/tg/invalid_schema.xml": "alert/info/certainty: is missing",
}


def oasis_schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.fromstring(read_data("standards/cap/schema/cap12.xsd")))


@needs_data
@pytest.mark.parametrize("name", [*VALID, *VALID_1_1])
def test_a_valid_public_alert_is_read_and_what_is_written_of_it_is_valid_and_the_same(
    name: str,
) -> None:
    alert = read(read_data(name))
    document = write(alert)
    assert oasis_schema().validate(etree.fromstring(document)), oasis_schema().error_log
    assert read(document) == alert


@needs_data
@pytest.mark.parametrize("name", sorted(INVALID))
def test_an_invalid_public_alert_is_refused_saying_what_is_wrong_where(name: str) -> None:
    with pytest.raises(BadRequestDataError) as refused:
        read(read_data(name))
    assert INVALID[name] in refused.value.detail


@needs_data
def test_changed_messages_are_judged_by_shape_as_the_schema_of_oasis_judges_them() -> None:
    # Elements left out, doubled, swapped, renamed, or their text spoilt: 600 changes by chance.
    schema, chance = oasis_schema(), random.Random(1)
    verdicts = {True: 0, False: 0}
    for name in (*VALID, *VALID_1_1):
        data = read_data(name).replace(b"cap:1.1", b"cap:1.2")
        for _ in range(46):
            root = etree.fromstring(data)
            _spoil(root, chance)
            document = etree.tostring(root)
            ours = not any(one.level == "error" for one in _shape_of(document))
            assert ours == schema.validate(etree.fromstring(document)), (
                name,
                [str(one) for one in _shape_of(document)],
                schema.error_log,
            )
            verdicts[ours] += 1
    assert min(verdicts.values()) > 80


def _shape_of(document: bytes) -> list[object]:
    from conurb.systems.warnings.cap.shape import iter_shape_findings

    return list(iter_shape_findings(read_xml(document)))


def _spoil(root: etree._Element, chance: random.Random) -> None:
    own = [
        one
        for one in root.iter()
        if isinstance(one.tag, str) and "cap" in one.tag and one is not root
    ]
    one = chance.choice(own)
    parent = one.getparent()
    assert parent is not None
    kind = chance.randrange(6)
    if kind == 0:
        parent.remove(one)
    elif kind == 1:
        one.addnext(etree.fromstring(etree.tostring(one)))
    elif kind == 2 and one.getnext() is not None and isinstance(one.getnext().tag, str):
        one.getnext().addnext(one)
    elif kind == 3:
        one.tag = etree.QName(one).namespace.join("{}") + "unknown"
    elif kind == 4 and len(one) == 0:
        one.text = chance.choice(("", "x", "12", "2020-01-01T00:00:00Z", "Actual", " Met "))
    else:
        one.set("id", "1")


TEXT = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFFFD, exclude_categories=("Cs",)),
    min_size=1,
    max_size=20,
).map(lambda text: text.strip() or "x")
WORD = st.from_regex(r"[A-Za-z0-9:.@\-]{1,20}", fullmatch=True)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m)))
TIMES = st.builds(
    lambda moment, zone: moment.replace(microsecond=0, tzinfo=zone),
    st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)),
    OFFSETS,
)
NAMED = st.builds(Named, TEXT, TEXT)
COORDINATE = st.tuples(st.floats(-90, 90, allow_nan=False), st.floats(-180, 180, allow_nan=False))
RINGS = st.lists(COORDINATE, min_size=3, max_size=5).map(lambda ring: (*ring, ring[0]))
AREAS = st.builds(
    Area,
    TEXT,
    polygons=st.lists(RINGS, max_size=2).map(tuple),
    circles=st.lists(
        st.builds(Circle, st.floats(-90, 90), st.floats(-180, 180), st.floats(0, 1e4)), max_size=2
    ).map(tuple),
    geocodes=st.lists(NAMED, max_size=2).map(tuple),
    altitude_ft=st.floats(0, 3e4),
    ceiling_ft=st.none() | st.floats(0, 3e4),
)
INFOS = st.builds(
    Info,
    TEXT,
    st.lists(st.sampled_from(Category), min_size=1, max_size=3).map(tuple),
    st.sampled_from(Urgency),
    st.sampled_from(Severity),
    st.sampled_from(Certainty),
    st.sampled_from(["zh-CN", "en", "en-US"]),
    responses=st.lists(st.sampled_from(ResponseType), max_size=2).map(tuple),
    audience=st.none() | TEXT,
    event_codes=st.lists(NAMED, max_size=2).map(tuple),
    effective=st.none() | TIMES,
    onset=st.none() | TIMES,
    expires=st.none() | TIMES,
    headline=st.none() | TEXT,
    instruction=st.none() | TEXT,
    parameters=st.lists(NAMED, max_size=2).map(tuple),
    resources=st.lists(
        st.builds(Resource, TEXT, WORD, size_b=st.none() | st.integers(0, 10**9)), max_size=1
    ).map(tuple),
    areas=st.lists(AREAS, max_size=2).map(tuple),
)
ALERTS = st.builds(
    Alert,
    identifier=WORD,
    sender=WORD,
    sent=TIMES,
    status=st.sampled_from(Status),
    msg_type=st.sampled_from(MsgType),
    scope=st.sampled_from(Scope),
    restriction=TEXT,
    addresses=st.lists(WORD | st.just("two words"), min_size=1, max_size=2).map(tuple),
    codes=st.lists(TEXT, max_size=2).map(tuple),
    note=TEXT,
    references=st.lists(st.builds(Reference, WORD, st.just("other"), TIMES), min_size=1).map(
        lambda found: tuple(found[:3])
    ),
    incidents=st.lists(WORD, max_size=2).map(tuple),
    infos=st.lists(INFOS, max_size=2).map(tuple),
).filter(lambda alert: alert.identifier != "other")


@pytest.mark.skipif(not (DATA / "standards/cap/schema").is_dir(), reason="no schema of OASIS")
@settings(max_examples=60, deadline=None)
@given(ALERTS)
def test_whatever_is_written_is_valid_and_comes_back_the_same(alert: Alert) -> None:
    document = write(alert)
    schema = oasis_schema()
    assert schema.validate(etree.fromstring(document)), schema.error_log
    assert read(document) == alert


def test_utc_is_written_with_a_minus_sign_as_the_standard_has_it() -> None:
    assert write_time(NOW) == "2026-11-22T08:00:00-00:00"
    assert write_time(NOW.astimezone(timezone(timedelta(hours=8)))) == "2026-11-22T16:00:00+08:00"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scope": Scope.PRIVATE}, "alert/addresses"),
        ({"scope": Scope.RESTRICTED}, "alert/restriction"),
        ({"msg_type": MsgType.CANCEL}, "alert/references"),
        ({"identifier": "with space"}, "alert/identifier"),
        ({"sender": "a,b"}, "alert/sender"),
    ],
)
def test_what_the_text_of_the_standard_forbids_is_never_written(
    change: dict[str, object], said: str
) -> None:
    alert = replace(an_alert("suzhou-jiangsu"), **change)  # type: ignore[arg-type]
    with pytest.raises(BadRequestDataError) as refused:
        write(alert)
    assert said in refused.value.detail


@pytest.mark.parametrize(
    ("polygon", "said"),
    [
        ("31,120 32,120 32,121", "four or more pairs"),
        ("31,120 32,120 32,121 31,121", "the last one like the first"),
        ("91,120 32,120 32,121 91,120", "pairs latitude,longitude"),
        ("31,120, 32,120 32,121 31,120", "pairs"),
    ],
)
def test_a_polygon_that_is_none_is_refused(polygon: str, said: str) -> None:
    area = Area("x", polygons=(((31.0, 120.0), (32.0, 120.0), (32.0, 121.0), (31.0, 120.0)),))
    info = replace(an_alert("wuxi").infos[0], areas=(area,))
    document = write(replace(an_alert("wuxi"), infos=(info,)))
    spoilt = document.replace(b"31,120 32,120 32,121 31,120", polygon.encode())
    assert spoilt != document
    with pytest.raises(BadRequestDataError) as refused:
        read(spoilt)
    assert said in refused.value.detail


def test_a_ceiling_without_an_altitude_is_refused() -> None:
    info = replace(an_alert("wuxi").infos[0], areas=(Area("x", ceiling_ft=100.0),))
    with pytest.raises(BadRequestDataError, match="ceiling"):
        write(replace(an_alert("wuxi"), infos=(info,)))


def test_advice_is_given_without_refusing() -> None:
    alert = an_alert("wuxi")
    late = replace(alert.infos[0], expires=alert.sent - timedelta(hours=1))
    found = judge(write(replace(alert, infos=(late,))))
    assert found.alert is not None
    assert [one.path for one in found.findings] == ["alert/info/expires"]


def test_words_in_quotes_stay_whole() -> None:
    assert quoted_words('one "number two"  three') == ("one", "number two", "three")
    assert quoted_words(write_words(("a b", "c"))) == ("a b", "c")


def test_entities_and_document_types_are_refused() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]><a>&y;</a>'
    outside = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    for document in (bomb, outside):
        with pytest.raises(InvalidRequestError, match="document type"):
            read_xml(document)


def test_documents_over_the_bounds_are_refused() -> None:
    with pytest.raises(TooLargeError, match="4000000 at most"):
        read_xml(b"<a>" + b"x" * 4_000_000 + b"</a>")
    with pytest.raises(TooLargeError, match="50000 at most"):
        read_xml(b"<a>" + b"<b/>" * 50_001 + b"</a>")


def test_text_that_xml_cannot_carry_is_refused() -> None:
    info = replace(an_alert("wuxi").infos[0], headline="a\x00b")
    with pytest.raises(BadRequestDataError, match="alert rainfall-"):
        write(replace(an_alert("wuxi"), infos=(info,)))


def test_an_alert_is_composed_in_chinese_and_english_and_its_identifier_derives_from_it() -> None:
    one, same, later = (
        an_alert("wuxi"),
        an_alert("wuxi"),
        an_alert("wuxi", at=NOW + timedelta(seconds=1)),
    )
    assert [info.language for info in one.infos] == ["zh-CN", "en"]
    assert one.identifier == same.identifier != later.identifier
    assert read(write(one)) == one
    assert one.sent.tzinfo is UTC

"""DATEX II: situations, measured traffic and where it is measured, in both versions."""

from __future__ import annotations

import pytest

from conurb.errors import BadRequestDataError, InvalidRequestError
from conurb.model.time import parse_us
from conurb.systems.transport.datex import read
from conurb.systems.transport.live import Flow
from conurb.systems.transport.live_objects import entities_of
from conurb.systems.transport.objects import Maker, value_of
from tests.systems.transport.material import NOON_US

HEAD = (
    '<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0" modelBaseVersion="2" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><payloadPublication lang="en" '
    'xsi:type="{kind}"><publicationTime>2026-06-01T12:00:00+08:00</publicationTime>'
)
TAIL = "</payloadPublication></d2LogicalModel>"
SITUATION = (
    HEAD.format(kind="SituationPublication")
    + """<situation id="S1" version="1"><overallSeverity>high</overallSeverity>
<situationRecord xsi:type="MaintenanceWorks" id="R1" version="2">
<situationRecordCreationTime>2026-06-01T08:00:00+08:00</situationRecordCreationTime>
<situationRecordVersionTime>2026-06-01T09:00:00+08:00</situationRecordVersionTime>
<validity><validityStatus>active</validityStatus><validityTimeSpecification>
<overallStartTime>2026-06-01T08:00:00+08:00</overallStartTime>
<overallEndTime>2026-06-02T08:00:00+08:00</overallEndTime>
</validityTimeSpecification></validity>
<generalPublicComment><comment><values><value lang="en">One lane closed</value>
<value lang="zh">封闭一车道</value></values></comment></generalPublicComment>
<groupOfLocations xsi:type="Point"><pointByCoordinates><pointCoordinates>
<latitude>31.25</latitude><longitude>121.5</longitude></pointCoordinates></pointByCoordinates>
</groupOfLocations></situationRecord>
<situationRecord xsi:type="Accident" id="R2" version="1">
<validity><validityStatus>suspended</validityStatus></validity></situationRecord></situation>"""
    + TAIL
)
MEASURED = (
    HEAD.format(kind="MeasuredDataPublication")
    + """<siteMeasurements><measurementSiteReference id="M1" version="1"/>
<measurementTimeDefault>2026-06-01T12:01:00+08:00</measurementTimeDefault>
<measuredValue index="1"><measuredValue><basicData xsi:type="TrafficFlow"><vehicleFlow>
<vehicleFlowRate>600</vehicleFlowRate></vehicleFlow></basicData></measuredValue></measuredValue>
<measuredValue index="2"><measuredValue><basicData xsi:type="TrafficFlow"><vehicleFlow>
<vehicleFlowRate>840</vehicleFlowRate></vehicleFlow></basicData></measuredValue></measuredValue>
<measuredValue index="3"><measuredValue><basicData xsi:type="TrafficSpeed"><averageVehicleSpeed>
<speed>50</speed></averageVehicleSpeed></basicData></measuredValue></measuredValue>
<measuredValue index="4"><measuredValue><basicData xsi:type="TrafficSpeed"><averageVehicleSpeed>
<speed>71</speed></averageVehicleSpeed></basicData></measuredValue></measuredValue>
<measuredValue index="5"><measuredValue><basicData xsi:type="TrafficSpeed"><averageVehicleSpeed>
<dataError>true</dataError><speed>255</speed></averageVehicleSpeed></basicData></measuredValue>
</measuredValue>
<measuredValue index="6"><measuredValue><basicData xsi:type="TrafficConcentration"><occupancy>
<percentage>12.5</percentage></occupancy></basicData></measuredValue></measuredValue>
</siteMeasurements>
<siteMeasurements><measurementSiteReference id="M2" version="1"/>
<measurementTimeDefault>2026-06-01T12:01:00+08:00</measurementTimeDefault></siteMeasurements>"""
    + TAIL
)
SITES = """<m:messageContainer xmlns:m="http://datex2.eu/schema/3/messageContainer"
xmlns:r="http://datex2.eu/schema/3/roadTrafficData" xmlns:l="http://datex2.eu/schema/3/location"
xmlns:c="http://datex2.eu/schema/3/common"><m:payload>
<c:publicationTime>2026-06-01T12:00:00+08:00</c:publicationTime>
<r:measurementSiteTable><r:measurementSiteRecord id="M1" version="1">
<r:measurementSiteName><c:values><c:value lang="zh">外环一号</c:value></c:values>
</r:measurementSiteName><r:measurementSiteLocation><l:pointByCoordinates><l:pointCoordinates>
<l:latitude>31.25</l:latitude><l:longitude>121.5</l:longitude></l:pointCoordinates>
</l:pointByCoordinates></r:measurementSiteLocation></r:measurementSiteRecord>
</r:measurementSiteTable></m:payload></m:messageContainer>"""


def test_a_situation_becomes_a_notice_with_its_time_place_and_words() -> None:
    works, accident = read(SITUATION.encode(), at_us=NOON_US).notices
    assert (works.id, works.cause, works.severity) == ("R1", "MAINTENANCE", "high")
    assert works.at_us == parse_us("2026-06-01T09:00:00+08:00")
    assert works.from_us == parse_us("2026-06-01T08:00:00+08:00")
    assert works.to_us == parse_us("2026-06-02T08:00:00+08:00")
    assert (works.lon, works.lat) == (121.5, 31.25)
    assert works.text == {"en": "One lane closed", "zh": "封闭一车道"}
    assert works.headline == {"en": "Maintenance works"}
    assert not works.ended
    assert (accident.cause, accident.ended, accident.at_us) == ("ACCIDENT", True, NOON_US)


def test_values_of_one_site_become_one_flow_without_what_is_an_error() -> None:
    flows = read(MEASURED.encode(), at_us=NOON_US).flows
    assert flows == (
        Flow("M1", NOON_US + 60_000_000, speed_kmh=60.5, intensity_vph=1440.0, occupancy=0.125),
    )


def test_a_table_of_sites_says_where_they_are_and_nothing_is_measured() -> None:
    [site] = read(SITES.encode(), at_us=0).flows
    assert (site.site, site.name, site.lon, site.lat) == ("M1", "外环一号", 121.5, 31.25)
    [entity] = entities_of(read(SITES.encode(), at_us=0), Maker("shanghai", "test", "loops"))
    assert value_of(entity, "dateObserved") is None
    assert value_of(entity, "location")["coordinates"] == [121.5, 31.25]


@pytest.mark.parametrize("body", [b"no", b"<Siri/>", b'<!DOCTYPE d [<!ENTITY e "x">]><payload/>'])
def test_what_is_not_datex_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        read(body, at_us=0)


def test_a_number_that_is_none_names_its_element() -> None:
    with pytest.raises(BadRequestDataError, match="speed: 'fast'"):
        read(MEASURED.replace(">71<", ">fast<").encode(), at_us=0)

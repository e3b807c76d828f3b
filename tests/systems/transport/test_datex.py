"""DATEX II: situations, measured traffic and where it is measured, in both versions."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from lxml import etree

from conurb.errors import BadRequestDataError, InvalidRequestError, TooLargeError
from conurb.model.time import parse_us
from conurb.systems.transport.datex import read
from conurb.systems.transport.live import Flow
from conurb.systems.transport.live_objects import entities_of
from conurb.systems.transport.objects import Maker, value_of
from conurb.systems.transport.siri import xml
from tests.systems.transport.material import NOON_US

HEAD = (
    '<d2LogicalModel xmlns="http://datex2.eu/schema/2/2_0" modelBaseVersion="2" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><exchange><supplierIdentification>'
    "<country>other</country><nationalIdentifier>SH</nationalIdentifier></supplierIdentification>"
    '</exchange><payloadPublication lang="en" xsi:type="{kind}">'
    "<publicationTime>2026-06-01T12:00:00+08:00</publicationTime><publicationCreator>"
    "<country>other</country><nationalIdentifier>SH</nationalIdentifier></publicationCreator>"
)
HEADER = (
    "<headerInformation><confidentiality>noRestriction</confidentiality>"
    "<informationStatus>real</informationStatus></headerInformation>"
)
CERTAIN = "<probabilityOfOccurrence>certain</probabilityOfOccurrence>"
SITE = '<measurementSiteReference targetClass="MeasurementSiteRecord" id="{}" version="1"/>'
TAIL = "</payloadPublication></d2LogicalModel>"
SITUATION = (
    HEAD.format(kind="SituationPublication")
    + f"""<situation id="S1" version="1"><overallSeverity>high</overallSeverity>{HEADER}
<situationRecord xsi:type="MaintenanceWorks" id="R1" version="2">
<situationRecordCreationTime>2026-06-01T08:00:00+08:00</situationRecordCreationTime>
<situationRecordVersionTime>2026-06-01T09:00:00+08:00</situationRecordVersionTime>
{CERTAIN}<validity><validityStatus>active</validityStatus><validityTimeSpecification>
<overallStartTime>2026-06-01T08:00:00+08:00</overallStartTime>
<overallEndTime>2026-06-02T08:00:00+08:00</overallEndTime>
</validityTimeSpecification></validity>
<generalPublicComment><comment><values><value lang="en">One lane closed</value>
<value lang="zh">封闭一车道</value></values></comment></generalPublicComment>
<groupOfLocations xsi:type="Point"><pointByCoordinates><pointCoordinates>
<latitude>31.25</latitude><longitude>121.5</longitude></pointCoordinates></pointByCoordinates>
</groupOfLocations><roadMaintenanceType>roadworks</roadMaintenanceType></situationRecord>
<situationRecord xsi:type="Accident" id="R2" version="1">
<situationRecordCreationTime>2026-06-01T08:00:00+08:00</situationRecordCreationTime>
<situationRecordVersionTime>2026-06-01T08:30:00+08:00</situationRecordVersionTime>
{CERTAIN}<validity><validityStatus>suspended</validityStatus><validityTimeSpecification>
<overallStartTime>2026-06-01T08:00:00+08:00</overallStartTime></validityTimeSpecification>
</validity><groupOfLocations xsi:type="Point"/>
<accidentType>accident</accidentType></situationRecord></situation>"""
    + TAIL
)
MEASURED = (
    HEAD.format(kind="MeasuredDataPublication")
    + f"""<measurementSiteTableReference targetClass="MeasurementSiteTable" id="T" version="1"/>
{HEADER}<siteMeasurements>{SITE.format("M1")}
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
<siteMeasurements>{SITE.format("M2")}
<measurementTimeDefault>2026-06-01T12:01:00+08:00</measurementTimeDefault></siteMeasurements>"""
    + TAIL
)
V3 = (
    '<d2:payload xmlns:d2="http://datex2.eu/schema/3/d2Payload" '
    'xmlns:sit="http://datex2.eu/schema/3/situation" '
    'xmlns:roa="http://datex2.eu/schema/3/roadTrafficData" '
    'xmlns:loc="http://datex2.eu/schema/3/locationReferencing" '
    'xmlns:com="http://datex2.eu/schema/3/common" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="{kind}" lang="zh" '
    'modelBaseVersion="3">'
    "<com:publicationTime>2026-06-01T12:00:00.002308656Z</com:publicationTime>"
    "<com:publicationCreator><com:country>cn</com:country>"
    "<com:nationalIdentifier>SH</com:nationalIdentifier></com:publicationCreator>"
)
V3_TAIL = "</d2:payload>"
REAL = "<com:informationStatus>real</com:informationStatus>"
CREATED = "situationRecordCreationTime"
V3_SITUATION = (
    V3.format(kind="sit:SituationPublication")
    + f"""<sit:situation id="S1"><sit:overallSeverity>medium</sit:overallSeverity>
<sit:situationVersionTime>2026-06-01T07:10:18Z</sit:situationVersionTime>
<sit:headerInformation>{REAL}</sit:headerInformation>
<sit:situationRecord xsi:type="sit:SpeedManagement" id="R1" version="18">
<sit:{CREATED}>2026-05-01T08:12:54Z</sit:{CREATED}>
<sit:situationRecordVersionTime>2026-05-02T07:10:18Z</sit:situationRecordVersionTime>
<sit:probabilityOfOccurrence>certain</sit:probabilityOfOccurrence>
<sit:validity><com:validityStatus>definedByValidityTimeSpec</com:validityStatus>
<com:validityTimeSpecification><com:overallStartTime>2026-05-01T10:25:45Z</com:overallStartTime>
</com:validityTimeSpecification></sit:validity>
<sit:locationReference xsi:type="loc:ItineraryByIndexedLocations">
<loc:locationContainedInItinerary index="0"><loc:location xsi:type="loc:LinearLocation">
<loc:gmlLineString srsName="WGS 84">
<loc:posList>31.20 121.40 31.21 121.41 31.23 121.42</loc:posList>
</loc:gmlLineString></loc:location></loc:locationContainedInItinerary>
</sit:locationReference><sit:operatorActionStatus>implemented</sit:operatorActionStatus>
<sit:complianceOption>mandatory</sit:complianceOption>
<sit:speedManagementType>speedRestrictionInOperation</sit:speedManagementType>
<sit:temporarySpeedLimit>70.0</sit:temporarySpeedLimit></sit:situationRecord></sit:situation>"""
    + V3_TAIL
)


def quantity(index: int, kind: str, measure: str, value: str) -> str:
    """Write one quantity of a site as version 3 has it."""
    return (
        f'<roa:physicalQuantity index="{index}">'
        '<roa:physicalQuantity xsi:type="roa:SinglePhysicalQuantity">'
        f'<roa:basicData xsi:type="roa:{kind}"><roa:{measure}>{value}</roa:{measure}>'
        "</roa:basicData></roa:physicalQuantity></roa:physicalQuantity>"
    )


V3_MEASURED = (
    V3.format(kind="roa:MeasuredDataPublication")
    + '<roa:measurementSiteTableReference targetClass="roa:MeasurementSiteTable" id="T" '
    + 'version="1"/>'
    + f"<roa:headerInformation>{REAL}</roa:headerInformation><roa:siteMeasurements>"
    + '<roa:measurementSiteReference targetClass="roa:MeasurementSite" id="M1" version="19"/>'
    + quantity(1, "TrafficFlow", "vehicleFlow", "<com:vehicleFlowRate>360</com:vehicleFlowRate>")
    + quantity(2, "TrafficSpeed", "averageVehicleSpeed", "<com:speed>127.0</com:speed>")
    + quantity(3, "TrafficSpeed", "averageVehicleSpeed", "<com:speed>-1.0</com:speed>")
    + "<roa:measurementTimeDefault><roa:timeValue>2026-06-01T03:55:00Z</roa:timeValue>"
    + "</roa:measurementTimeDefault>"
    + "</roa:siteMeasurements>"
    + V3_TAIL
)
V3_SITES = (
    V3.format(kind="roa:MeasurementSiteTablePublication")
    + f"""<roa:headerInformation>{REAL}</roa:headerInformation>
<roa:measurementSiteTable id="T" version="1"><roa:measurementSite id="M1" version="1">
<roa:measurementSiteName><com:values><com:value lang="zh">外环一号</com:value></com:values>
</roa:measurementSiteName><roa:measurementSpecificCharacteristics index="1">
<roa:measurementSpecificCharacteristics>
<roa:specificMeasurementValueType>trafficSpeed</roa:specificMeasurementValueType>
</roa:measurementSpecificCharacteristics>
</roa:measurementSpecificCharacteristics>
<roa:measurementSiteLocation xsi:type="loc:PointLocation"><loc:pointByCoordinates>
<loc:pointCoordinates><loc:latitude>31.25</loc:latitude><loc:longitude>121.5</loc:longitude>
</loc:pointCoordinates></loc:pointByCoordinates></roa:measurementSiteLocation>
</roa:measurementSite></roa:measurementSiteTable>"""
    + V3_TAIL
)
SCHEMAS = os.environ.get("CONURB_DATEX_SCHEMAS", "")
"""A folder with the schema files of DATEX II 2.3 and 3, if there is one."""


@pytest.mark.skipif(not SCHEMAS, reason="CONURB_DATEX_SCHEMAS names no folder of schema files")
@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("DATEXIISchema_2_2_3.xsd", SITUATION),
        ("DATEXIISchema_2_2_3.xsd", MEASURED),
        ("DATEXII_3_D2Payload.xsd", V3_SITUATION),
        ("DATEXII_3_D2Payload.xsd", V3_MEASURED),
        ("DATEXII_3_D2Payload.xsd", V3_SITES),
    ],
)
def test_the_documents_of_these_tests_are_valid(schema: str, body: str) -> None:
    [path] = Path(SCHEMAS).rglob(schema)
    etree.XMLSchema(etree.parse(path)).assertValid(etree.fromstring(body.encode()))


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
    assert (accident.cause, accident.ended, accident.lon) == ("ACCIDENT", True, None)


def test_values_of_one_site_become_one_flow_without_what_is_an_error() -> None:
    flows = read(MEASURED.encode(), at_us=NOON_US).flows
    assert flows == (
        Flow("M1", NOON_US + 60_000_000, speed_kmh=60.5, intensity_vph=1440.0, occupancy=0.125),
    )


def test_version_3_tells_the_time_of_measuring_and_minus_one_is_no_speed() -> None:
    flows = read(V3_MEASURED.encode(), at_us=0).flows
    measured_us = parse_us("2026-06-01T03:55:00Z")
    assert flows == (Flow("M1", measured_us, speed_kmh=127.0, intensity_vph=360.0),)


def test_a_table_of_sites_says_where_they_are_and_nothing_is_measured() -> None:
    [site] = read(V3_SITES.encode(), at_us=0).flows
    assert (site.site, site.name, site.lon, site.lat) == ("M1", "外环一号", 121.5, 31.25)
    [entity] = entities_of(read(V3_SITES.encode(), at_us=0), Maker("shanghai", "test", "loops"))
    assert value_of(entity, "dateObserved") is None
    assert value_of(entity, "location")["coordinates"] == [121.5, 31.25]


def test_a_situation_of_version_3_along_a_line_stands_at_its_middle() -> None:
    [slow] = read(V3_SITUATION.encode(), at_us=0).notices
    assert (slow.id, slow.severity, slow.effect) == ("R1", "medium", "SIGNIFICANT_DELAYS")
    assert (slow.lon, slow.lat) == (121.41, 31.21)
    assert slow.to_us is None


@pytest.mark.parametrize("word", ["end", "cancel"])
def test_a_record_whose_life_is_over_has_ended(word: str) -> None:
    over = f"<management><lifeCycleManagement><{word}>true</{word}></lifeCycleManagement>"
    body = SITUATION.replace("<groupOf", f"{over}</management><groupOf", 1)
    assert read(body.encode(), at_us=0).notices[0].ended


def test_a_situation_of_weeks_ago_without_an_end_stays_while_it_is_told() -> None:
    maker = Maker("shanghai", "test", "ndw")
    [slow] = entities_of(read(V3_SITUATION.encode(), at_us=0), maker, told_us=NOON_US)
    assert slow.expires_at == NOON_US + 86_400_000_000


def test_a_model_comes_in_an_envelope_or_as_a_gzip_file() -> None:
    held = V3_SITUATION.replace("d2:payload", "mc:payload").replace("xmlns:d2=", "xmlns:mc=")
    container = f'<m:messageContainer xmlns:m="urn:m">{held}</m:messageContainer>'.encode()
    assert read(container, at_us=0) == read(V3_SITUATION.encode(), at_us=0)
    plain = SITUATION.encode()
    soap = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>%b</s:Body>'
    for body in (soap % plain + b"</s:Envelope>", gzip.compress(plain)):
        assert read(body, at_us=NOON_US) == read(plain, at_us=NOON_US)
    with pytest.raises(TooLargeError):
        read(gzip.compress(bytes(xml.BYTES_MAX + 1), 1), at_us=0)


@pytest.mark.parametrize(
    "body", [b"no", b"\x1f\x8bno", b"<Siri/>", b'<!DOCTYPE d [<!ENTITY e "x">]><payload/>']
)
def test_what_is_not_datex_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        read(body, at_us=0)


def test_a_number_that_is_none_names_its_element() -> None:
    with pytest.raises(BadRequestDataError, match="speed: 'fast'"):
        read(MEASURED.replace(">71<", ">fast<").encode(), at_us=0)

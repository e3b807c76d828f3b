"""The client that Fraunhofer wrote for FROST works against a node as it does against FROST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import frost_sta_client as fsc
import pytest
import requests
from frost_sta_client.model.ext.unitofmeasurement import UnitOfMeasurement
from geojson import Point

FIRST = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
POINT = Point((120.29, 31.59))
MEASUREMENT = "http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement"


@pytest.fixture(scope="module")
def service(served: str) -> fsc.SensorThingsService:
    return fsc.SensorThingsService(f"{served}/sensorthings/v1.1")


@pytest.fixture(scope="module")
def stream(service: fsc.SensorThingsService) -> fsc.Datastream:
    """Create a Thing with its Location, a Datastream and ten Observations, one by one."""
    location = fsc.Location("the bridge", "where it is", "application/geo+json", location=POINT)
    thing = fsc.Thing("bridge 1", "a bridge over the canal", {"built": 1998})
    thing.locations = [location]
    service.create(thing)
    sensor = fsc.Sensor(
        "ADXL355", "accelerometer", "application/pdf", metadata="https://example.org/a.pdf"
    )
    service.create(sensor)
    observed = fsc.ObservedProperty("frequency", "https://example.org/def/f", "first mode")
    service.create(observed)
    stream = fsc.Datastream(
        name="first mode",
        description="frequency of the first mode",
        observation_type=MEASUREMENT,
        unit_of_measurement=UnitOfMeasurement("hertz", "Hz", "https://example.org/def/hz"),
    )
    stream.thing, stream.sensor, stream.observed_property = thing, sensor, observed
    service.create(stream)
    for number in range(10):
        observation = fsc.Observation(
            phenomenon_time=(FIRST + timedelta(minutes=number)).isoformat(),
            result=0.40 + number / 100,
            datastream=stream,
        )
        service.create(observation)
    return stream


def test_what_was_created_is_found_by_its_id(
    service: fsc.SensorThingsService, stream: fsc.Datastream
) -> None:
    found = service.datastreams().find(stream.id)
    assert (found.name, found.unit_of_measurement.symbol) == ("first mode", "Hz")
    assert found.phenomenon_time.startswith("2026-06-01T08:00:00")
    thing = service.things().find(stream.thing.id)
    assert (thing.name, thing.properties) == ("bridge 1", {"built": 1998})


def test_observations_are_paged_in_order_of_time(
    service: fsc.SensorThingsService, stream: fsc.Datastream
) -> None:
    observations = service.datastreams().find(stream.id).get_observations().query()
    listed = list(observations.top(4).orderby("phenomenonTime", "desc").count().list())
    assert [round(one.result * 100) for one in listed] == list(range(49, 39, -1))


def test_a_filter_by_time_and_by_result_is_answered(
    service: fsc.SensorThingsService, stream: fsc.Datastream
) -> None:
    query = service.datastreams().find(stream.id).get_observations().query()
    found = list(query.filter("result gt 0.455 and phenomenonTime lt 2026-06-01T08:08:00Z").list())
    assert [round(one.result * 100) for one in found] == [46, 47]


def test_links_are_followed_and_expanded(
    service: fsc.SensorThingsService, stream: fsc.Datastream
) -> None:
    things = (
        service.things()
        .query()
        .filter("name eq 'bridge 1'")
        .expand("Locations,Datastreams($expand=Sensor,ObservedProperty,Observations($top=2))")
    )
    [thing] = list(things.list())
    [location] = list(thing.locations)
    assert location.location["coordinates"] == [120.29, 31.59]
    [expanded] = list(thing.datastreams)
    assert (expanded.sensor.name, expanded.observed_property.name) == ("ADXL355", "frequency")
    assert len(expanded.observations.entities) == 2


def test_the_place_of_a_thing_is_remembered_when_it_moves(
    service: fsc.SensorThingsService, stream: fsc.Datastream
) -> None:
    thing = service.things().find(stream.thing.id)
    there = fsc.Location(
        "workshop", "for repair", "application/geo+json", location=Point((120.4, 31.5))
    )
    there.things = [thing]
    service.create(there)
    moved = requests.get(
        f"{service.url}/Things('{thing.id}')?$expand=Locations,HistoricalLocations", timeout=10
    ).json()
    assert [one["name"] for one in moved["Locations"]] in (["workshop"], ["the bridge", "workshop"])
    assert len(moved["HistoricalLocations"]) == 2


def test_entities_are_changed_by_put_and_by_json_patch(
    service: fsc.SensorThingsService, stream: fsc.Datastream
) -> None:
    sensor = service.sensors().find(stream.sensor.id)
    sensor.description = "a better accelerometer"
    service.update(sensor)
    assert service.sensors().find(sensor.id).description == "a better accelerometer"
    patch = [{"op": "replace", "path": "/properties", "value": {"grade": 1}}]
    service.patch(sensor, patch)
    assert service.sensors().find(sensor.id).properties == {"grade": 1}


def test_an_observation_is_corrected_and_deleted(
    service: fsc.SensorThingsService, stream: fsc.Datastream
) -> None:
    query = service.datastreams().find(stream.id).get_observations().query()
    [first] = list(query.filter("phenomenonTime eq 2026-06-01T08:00:00Z").list())
    first.result = 0.41
    service.update(first)
    assert service.observations().find(first.id).result == 0.41
    service.delete(first)
    with pytest.raises(requests.HTTPError) as caught:
        service.observations().find(first.id)
    assert caught.value.response.status_code == 404


def test_deleting_a_thing_deletes_its_datastreams(
    service: fsc.SensorThingsService, stream: fsc.Datastream
) -> None:
    thing = fsc.Thing("to be gone", "soon")
    service.create(thing)
    gone = fsc.Datastream("gone", "soon", MEASUREMENT, UnitOfMeasurement("one", "1", "-"))
    gone.thing, gone.sensor, gone.observed_property = (
        thing,
        stream.sensor,
        stream.observed_property,
    )
    service.create(gone)
    service.delete(thing)
    with pytest.raises(requests.HTTPError):
        service.datastreams().find(gone.id)


def test_what_the_client_wrote_are_the_nodes_own_objects(
    served: str, service: fsc.SensorThingsService, stream: fsc.Datastream
) -> None:
    link = (
        "<https://w3id.org/conurb/contexts/conurb-v1.jsonld>; "
        'rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    )
    answer = requests.get(
        f"{served}/ngsi-ld/v1/entities/{stream.id}", headers={"Link": link}, timeout=10
    ).json()
    assert answer["type"] == "DeviceMeasurement"
    assert answer["numValue"]["unitCode"] == "Hz"
    assert answer["refDevice"]["object"] == stream.thing.id

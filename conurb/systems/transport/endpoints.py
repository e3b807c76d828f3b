"""What transport answers over HTTP, below `/transport`: questions, and the standards' feeds."""

from __future__ import annotations

import io
from typing import Final
from urllib.parse import quote

from conurb.systems.contract import Asked, Endpoint, Parameter, Response
from conurb.systems.transport.answers import (
    dead_ends,
    departures_at,
    isochrone_around,
    matrix_of_cities,
    state,
    way_between,
)
from conurb.systems.transport.network.graph import BY
from conurb.systems.transport.publishing import (
    FEED_KINDS,
    export_feed,
    live_message,
    siri_answer,
    siri_message,
)
from conurb.systems.transport.reading import Reader

GTFS_MEDIA: Final = "application/zip"
PROTOBUF_MEDIA: Final = "application/x-protobuf"
XML_MEDIA: Final = "application/xml"

_BY: Final = Parameter("by", "what one travels by", tuple(BY))
_DAY: Final = Parameter("day", "the day whose timetable counts, YYYY-MM-DD (today)")
_FEED: Final = Parameter("feed", "name of one feed; its own ids are given then")


async def gtfs(asked: Asked) -> Response:
    """Give the timetable as a GTFS feed."""
    target, reader = io.BytesIO(), Reader(asked.site, asked.caller)
    feed = asked.params.get("feed", "")
    await export_feed(reader, target, feed=feed, url=asked.base_url)
    headers = {
        "Content-Disposition": f'attachment; filename="{quote(feed or asked.site.owner)}.gtfs.zip"',
        **reader.heard.headers(),
    }
    return Response(target.getvalue(), GTFS_MEDIA, headers=headers)


async def gtfs_realtime(asked: Asked) -> Response:
    """Give a GTFS-Realtime feed."""
    kind = asked.args["kind"].removesuffix(".pb")
    reader = Reader(asked.site, asked.caller)
    body = await live_message(reader, kind, feed=asked.params.get("feed", ""))
    return Response(body, PROTOBUF_MEDIA, headers=reader.heard.headers())


async def siri(asked: Asked) -> Response:
    """Give a delivery of SIRI."""
    reader = Reader(asked.site, asked.caller)
    body = await siri_message(
        reader,
        asked.args["service"],
        stop=asked.params.get("stop", ""),
        feed=asked.params.get("feed", ""),
    )
    return Response(body, XML_MEDIA, headers=reader.heard.headers())


async def siri_request(asked: Asked) -> Response:
    """Answer a request of SIRI."""
    return Response(await siri_answer(Reader(asked.site, asked.caller), asked.body), XML_MEDIA)


ENDPOINTS: Final = (
    Endpoint(
        "GET",
        "/transport/departures",
        "transportDepartures",
        "What leaves a stop next, planned and expected",
        departures_at,
        params=(
            Parameter("stop", "id of a GtfsStop or GtfsStation"),
            Parameter("from", "from when on, ISO 8601 (now)"),
            Parameter("minutes", "for how long (60)"),
            Parameter("limit", "how many at most (50)"),
        ),
    ),
    Endpoint(
        "GET",
        "/transport/matrix",
        "transportMatrix",
        "Travel times between the cities of the region",
        matrix_of_cities,
        params=(_BY, _DAY),
    ),
    Endpoint(
        "GET",
        "/transport/isochrone",
        "transportIsochrone",
        "What can be reached from a place within some minutes",
        isochrone_around,
        params=(
            Parameter("lon", "longitude, WGS84"),
            Parameter("lat", "latitude, WGS84"),
            Parameter("minutes", "such as 15,30,60"),
            _BY,
            _DAY,
        ),
        produces=("application/geo+json",),
    ),
    Endpoint(
        "GET",
        "/transport/way",
        "transportWay",
        "The fastest way from one city or stop to another",
        way_between,
        params=(Parameter("from", "id of a City or stop"), Parameter("to", "the same"), _BY, _DAY),
    ),
    Endpoint(
        "GET",
        "/transport/deadends",
        "transportDeadEnds",
        "Dead-end roads at borders, the costliest first",
        dead_ends,
        params=(Parameter("limit", "how many at most (100)"),),
    ),
    Endpoint(
        "GET",
        "/transport/state",
        "transportState",
        "How roads, vehicles, car parks and toll stations are now",
        state,
        params=(),
    ),
    Endpoint(
        "GET",
        "/transport/gtfs.zip",
        "transportGtfs",
        "The timetable as a GTFS feed",
        gtfs,
        params=(_FEED,),
        produces=(GTFS_MEDIA,),
    ),
    Endpoint(
        "GET",
        "/transport/gtfs-rt/{kind}",
        "transportGtfsRealtime",
        f"A GTFS-Realtime feed: {', '.join(FEED_KINDS)}",
        gtfs_realtime,
        params=(_FEED,),
        produces=(PROTOBUF_MEDIA,),
    ),
    Endpoint(
        "GET",
        "/transport/siri/{service}",
        "transportSiri",
        "A delivery of SIRI: sm, vm, et or sx",
        siri,
        params=(Parameter("stop", "for sm: the stop that is monitored"), _FEED),
        produces=(XML_MEDIA,),
    ),
    Endpoint(
        "POST",
        "/transport/siri",
        "transportSiriRequest",
        "Answer a request of SIRI",
        siri_request,
        params=(),
        consumes=(XML_MEDIA, "text/xml"),
        produces=(XML_MEDIA,),
    ),
)

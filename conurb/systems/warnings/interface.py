"""The HTTP interface of the warnings system: the table of its paths, below `/warnings`.

Messages come in as CAP, EDXL-DE or Atom and go out so; the rest is JSON. What is published (the
feed, a public alert's CAP) is open to all, everything else needs the right that its line says.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

from conurb.systems.contract import Asked, Endpoint, Handle, Parameter, Response
from conurb.systems.warnings.states import STATES

BASE: Final = "/warnings"
MEDIA_TYPE: Final = "application/cap+xml"
FEED_MEDIA_TYPE: Final = "application/atom+xml"
EDXL_MEDIA: Final = "application/xml"
CAP_MEDIA: Final = (MEDIA_TYPE, "application/xml", "text/xml", FEED_MEDIA_TYPE)


def _handled(name: str) -> Handle:
    """Give a handler whose module is imported with the first request."""

    async def handle(asked: Asked) -> Response:
        module = import_module("conurb.systems.warnings.endpoints")
        response: Response = await getattr(module, name)(asked)
        return response

    return handle


_STATE: Final = Parameter("state", "state of the alerts; active unless given", ("all", *STATES))
_KIND: Final = Parameter("kind", "kind of happening, such as airPollution")
_CITY: Final = Parameter("city", "id of a city that is affected, or that it was released to")

ENDPOINTS: Final = (
    Endpoint(
        "POST",
        f"{BASE}/cap",
        "receiveWarning",
        "Take in a CAP 1.2 message, an EDXL-DE envelope or an Atom feed of them",
        _handled("post_message"),
        right="write",
        params=(
            Parameter("missing", "take an update of what isn't known here", ("refuse", "accept")),
        ),
        consumes=CAP_MEDIA,
    ),
    Endpoint(
        "POST",
        f"{BASE}/issue",
        "issueWarning",
        "Issue a new alert, or an update of one, from plain JSON",
        _handled("issue"),
        right="write",
        params=(),
        consumes=("application/json",),
    ),
    Endpoint(
        "GET",
        f"{BASE}/alerts",
        "listWarnings",
        "List alerts",
        _handled("list_alerts"),
        params=(_STATE, _KIND, _CITY),
    ),
    Endpoint(
        "GET",
        f"{BASE}/alerts/{{id}}",
        "getWarning",
        "Give an alert: JSON, CAP (.cap) or EDXL-DE (.edxl)",
        _handled("get_published"),
        right=None,
        params=(),
        produces=("application/json", MEDIA_TYPE, EDXL_MEDIA),
    ),
    Endpoint(
        "POST",
        f"{BASE}/alerts/{{id}}/{{action}}",
        "actOnWarning",
        "acknowledge or release (to cities) an alert or an event; cancel or clear an alert",
        _handled("follow_up"),
        right="write",
        params=(),
        consumes=("application/json",),
    ),
    Endpoint(
        "GET",
        f"{BASE}/feed.atom",
        "getWarningFeed",
        "Give the public alerts in force as an Atom feed",
        _handled("feed"),
        right=None,
        params=(_KIND, _CITY),
        produces=(FEED_MEDIA_TYPE,),
    ),
    Endpoint(
        "GET",
        f"{BASE}/events",
        "listRegionalEvents",
        "List regional events: who says what, and where it goes next",
        _handled("list_events"),
        params=(Parameter("state", "active unless given", ("active", "all")),),
    ),
    Endpoint(
        "GET",
        f"{BASE}/forecast",
        "forecastArrival",
        "Forecast arrival: of air from a city by the observed wind, of water from a place",
        _handled("forecast"),
        params=(
            Parameter("city", "id of the city whose air is carried on"),
            Parameter("longitude", "of the place in the water, degrees"),
            Parameter("latitude", "of the place in the water, degrees"),
            Parameter("simulated", "by the simulated wind", ("true", "false")),
        ),
    ),
    Endpoint(
        "GET",
        f"{BASE}/log",
        "listDutyActions",
        "List the log of the duty desk, and of those of the region's members",
        _handled("show_log"),
        params=(Parameter("target", "id of the alert or event that it was done to"),),
    ),
    Endpoint(
        "GET",
        f"{BASE}/desk",
        "describeDutyDesk",
        "Say what a duty desk is drawn from: what the caller may, cities, kinds, desks of members",
        _handled("show_desk"),
        params=(),
    ),
)

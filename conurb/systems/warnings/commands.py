"""`conurb warnings`: take alerts in, issue, change and list them, and look where pollution goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import orjson
from cyclopts import App, Parameter

from conurb.cli.asking import NodeOptions
from conurb.cli.output import err, print_json, print_table
from conurb.errors import InvalidRequestError

app = App(name="warnings", help="Alerts of many cities as one event: CAP in and out, duty desk.")

Json = Annotated[bool, Parameter(negative="", help="Print JSON.")]
Actor = Annotated[str | None, Parameter(help="Who does it. Default: the caller.")]
Note = Annotated[str, Parameter(help="Why, or whatever else should stand in the log.")]

_ALERT: Final = ("id", "kind", "severity", "state", "headline", "cities", "from", "to")
_EVENT: Final = ("id", "kind", "severity", "state", "cities", "from", "to", "provenance")
_ENTRY: Final = ("at", "action", "actor", "account", "target", "cities", "note")
_ARRIVAL: Final = ("city", "expected_h", "earliest_h", "latest_h", "probability")


def _ask(node: NodeOptions, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    with node.connect() as connection:
        return orjson.loads(connection.request(method, path, body=body).content)


def _query(params: Mapping[str, Any]) -> str:
    given = [f"{key}={quote(str(value))}" for key, value in params.items() if value is not None]
    return f"?{'&'.join(given)}" if given else ""


def _told(document: Any, json: bool, line: str) -> None:
    if json:
        print_json(document)
    else:
        err.print(line, highlight=False)


@app.command
def receive(
    file: Path,
    /,
    *,
    accept_missing: Annotated[
        bool, Parameter(negative="", help="Take an update of what isn't known here.")
    ] = False,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Take in a file: a CAP 1.2 message, an EDXL-DE envelope, or an Atom feed of messages.

    Ends with 1 when the message is invalid, its signature doesn't hold, or what it refers to isn't
    known.

    Example: conurb warnings receive alert.xml
    """
    missing = "accept" if accept_missing else "refuse"
    with node.connect() as connection:
        answer = connection.request(
            "POST",
            f"/warnings/cap?missing={missing}",
            body=file.read_bytes(),
            headers={"Content-Type": "application/cap+xml"},
        )
    document = orjson.loads(answer.content)
    rows = document.get("received", [document])
    if json:
        print_json(document)
        return
    print_table(rows, ("id", "state", "cities", "signature", "known"), empty="nothing was taken")


@app.command
def issue(
    kind: str,
    /,
    *,
    severity: Annotated[str, Parameter(help="Extreme, Severe, Moderate, Minor or Unknown.")],
    headline: Annotated[str, Parameter(help="Headline in English, and for all without --zh.")],
    zh: Annotated[str | None, Parameter(help="Headline in Chinese.")] = None,
    cities: Annotated[str | None, Parameter(help="Comma-separated ids of cities.")] = None,
    circle: Annotated[
        str | None, Parameter(help="LONGITUDE,LATITUDE,KM instead of cities.")
    ] = None,
    hours: Annotated[float, Parameter(help="How long it holds.")] = 24.0,
    exercise: Annotated[bool, Parameter(negative="", help="An exercise, nothing real.")] = False,
    actor: Actor = None,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Issue a new alert as CAP 1.2.

    Example: conurb warnings issue rainfall --severity Severe --headline "Heavy rain" \
        --zh 暴雨橙色预警 --cities suzhou-jiangsu,wuxi
    """
    body: dict[str, Any] = {
        "kind": kind,
        "severity": severity,
        "headline": {"en": headline, "zh": zh or headline},
        "hours": hours,
        "exercise": exercise,
        "actor": actor,
    }
    if cities:
        body["cities"] = [one.strip() for one in cities.split(",") if one.strip()]
    if circle:
        try:
            body["circle"] = [float(one) for one in circle.split(",")]
        except ValueError as error:
            raise InvalidRequestError(
                f"--circle {circle}: LONGITUDE,LATITUDE,KM is expected"
            ) from error
    document = _ask(node, "POST", "/warnings/issue", body)
    _told(document, json, f"issued {document['id']} for {', '.join(document['cities'])}")


@app.command
def update(
    file: Path,
    /,
    *,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Take in a CAP update (msgType Update) of an alert that is in force.

    Example: conurb warnings update update.xml
    """
    receive(file, node=node, json=json)


def _act(action: str, alert: str, body: Mapping[str, Any], node: NodeOptions, json: bool) -> None:
    path = f"/warnings/alerts/{quote(alert, safe=':')}/{action}"
    document = _ask(node, "POST", path, body)
    _told(document, json, f"{action}: {alert}")


@app.command
def cancel(
    alert: str,
    /,
    *,
    actor: Actor = None,
    note: Note = "",
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Withdraw an alert: it should not have been given (CAP: Cancel).

    Example: conurb warnings cancel urn:ngsi-ld:Alert:suzhou-jiangsu:1f2e --note "sensor fault"
    """
    _act("cancel", alert, {"note": note, "actor": actor}, node, json)


@app.command
def clear(
    alert: str,
    /,
    *,
    actor: Actor = None,
    note: Note = "",
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Give the all-clear: the danger is over (CAP: Update with responseType AllClear).

    Example: conurb warnings clear urn:ngsi-ld:Alert:suzhou-jiangsu:1f2e
    """
    _act("clear", alert, {"note": note, "actor": actor}, node, json)


@app.command
def ack(
    alert: str,
    /,
    *,
    actor: Actor = None,
    note: Note = "",
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Acknowledge an alert or a regional event: somebody has seen it and is on it.

    Example: conurb warnings ack urn:ngsi-ld:RegionalEvent:yrd:airPollution-1f2e --actor Li
    """
    _act("acknowledge", alert, {"note": note, "actor": actor}, node, json)


@app.command
def release(
    alert: str,
    /,
    *,
    cities: Annotated[str, Parameter(help="Comma-separated ids of cities.")],
    actor: Actor = None,
    note: Note = "",
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Release an alert or a regional event to chosen cities; their feeds show it from then on.

    Example: conurb warnings release urn:ngsi-ld:RegionalEvent:yrd:airPollution-1f2e \
        --cities wuxi,suzhou-jiangsu
    """
    named = [one.strip() for one in cities.split(",") if one.strip()]
    _act("release", alert, {"note": note, "actor": actor, "cities": named}, node, json)


@app.command(name="list")
def list_(
    *,
    state: Annotated[str, Parameter(help="active, expired, cleared ... or all.")] = "active",
    kind: Annotated[str | None, Parameter(help="Such as airPollution.")] = None,
    city: Annotated[str | None, Parameter(help="Id of a city.")] = None,
    events: Annotated[bool, Parameter(negative="", help="Regional events instead.")] = False,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """List alerts, or the regional events that they amount to.

    Example: conurb warnings list --events
    """
    if events:
        path = "/warnings/events" + _query({"state": "all" if state == "all" else "active"})
    else:
        path = "/warnings/alerts" + _query({"state": state, "kind": kind, "city": city})
    rows = _ask(node, "GET", path)
    if json:
        print_json(rows)
        return
    columns = _EVENT if events else _ALERT
    print_table(rows, columns, empty=f"no {'events' if events else 'alerts'}")


@app.command
def show(
    alert: str,
    /,
    *,
    cap: Annotated[bool, Parameter(negative="", help="Print the CAP message.")] = False,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Show an alert, or the CAP message that it keeps.

    Example: conurb warnings show urn:ngsi-ld:Alert:suzhou-jiangsu:1f2e --cap
    """
    path = f"/warnings/alerts/{quote(alert, safe=':')}"
    if cap:
        with node.connect() as connection:
            print(connection.request("GET", f"{path}.cap").content.decode())
        return
    document = _ask(node, "GET", path)
    if json:
        print_json(document)
        return
    rows = [{"attribute": key, "value": value} for key, value in document.items()]
    print_table(rows, ("attribute", "value"), empty="nothing")


@app.command
def log(
    alert: str | None = None,
    /,
    *,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Show who did what at the duty desk and when, the last first; of one alert or event, or all.

    Example: conurb warnings log
    """
    rows = _ask(node, "GET", "/warnings/log" + _query({"target": alert}))
    if json:
        print_json(rows)
        return
    print_table(rows, _ENTRY, empty="nothing has been done")


@app.command
def forecast(
    city: Annotated[str | None, Parameter(help="City whose air the wind carries on.")] = None,
    /,
    *,
    at: Annotated[str | None, Parameter(help="LONGITUDE,LATITUDE of a place in a river.")] = None,
    simulated: Annotated[
        bool, Parameter(negative="", help="By the simulated wind of --replay.")
    ] = False,
    node: NodeOptions = NodeOptions(),
    json: Json = False,
) -> None:
    """Forecast when a pollution arrives: of the air by the observed wind, of water downstream.

    Modelled: arrival only, no concentration. The range is the 10 to 90 % of perturbed winds, or
    slow to fast water.

    Example: conurb warnings forecast --at 118.72,32.09
    """
    if (city is None) == (at is None):
        raise InvalidRequestError("either a city or --at LONGITUDE,LATITUDE is expected")
    params: dict[str, Any] = {"city": city, "simulated": "true" if simulated else None}
    if at is not None:
        longitude, _, latitude = at.partition(",")
        params = {"longitude": longitude, "latitude": latitude}
    document = _ask(node, "GET", "/warnings/forecast" + _query(params))
    if json:
        print_json(document)
        return
    print_table(document["arrivals"], _ARRIVAL, empty="nothing arrives, or no wind is known")

"""`conurb monitoring`: watch a measurement, ask what a method says of it, list alarms."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final
from urllib.parse import quote

import orjson
from cyclopts import App, Parameter

from conurb.cli.asking import NodeOptions
from conurb.cli.output import err, print_json, print_table
from conurb.client.connection import Connection
from conurb.errors import ConflictError, InvalidRequestError
from conurb.systems.monitoring.sources.measuring import local_name

app = App(name="monitoring", help="Watch measurements, judge them, and list alarms.")

ALARMS: Final = ("severity", "since", "until", "what", "why", "id")
JUDGED: Final = ("begin", "end", "score", "why")
LANGUAGES: Final = ("en", "zh")
LISTED_MAX: Final = 1000

JsonFlag = Annotated[bool, Parameter(negative="", help="Print JSON.")]
OptionsFlag = Annotated[
    str, Parameter(help="Options of the method, a JSON object, such as '{\"high\": 4.5}'.")
]


@app.command
def watch(
    *measurements: str,
    method: Annotated[str, Parameter(help="threshold, seasonal, surprise, change, modal ...")],
    options: OptionsFlag = "{}",
    name: Annotated[str | None, Parameter(help="What the rule is called.")] = None,
    severity: Annotated[str, Parameter(help="informational, low, medium, high, critical.")] = (
        "medium"
    ),
    kind: Annotated[
        str, Parameter(help="Category and subcategory of its alarms.")
    ] = "security/sensorAnomaly",
    node: NodeOptions = NodeOptions(),
) -> None:
    """Judge measurements from now on: a rule that raises an alarm and ends it.

    Example: conurb monitoring watch urn:ngsi-ld:DeviceMeasurement:wuxi:gauge-1-level
    --method threshold --options '{"high": 4.5, "confirm": 3}' --severity high
    """
    if not measurements:
        raise InvalidRequestError("which measurements? give their ids")
    called = name or f"{measurements[0].rsplit(':', 1)[-1]} {method}"
    owner = node.tenant or measurements[0].split(":")[3]
    category, _, sub_category = kind.partition("/")
    document = {
        "id": f"urn:ngsi-ld:DetectionRule:{owner}:{local_name(called)}",
        "type": "DetectionRule",
        "name": called,
        "refDeviceMeasurement": {"type": "Relationship", "object": list(measurements)},
        "detectionMethod": method,
        "detectionOptions": {"type": "JsonProperty", "json": _object(options)},
        "severity": severity,
        "category": category,
        "subCategory": sub_category or category,
    }
    with node.connect() as connection:
        errors = connection.put([document])
    if errors:
        raise ConflictError(f"{document['id']}: {errors[0]}")
    sys.stdout.write(f"{document['id']}\n")


@app.command
def alarms(
    *,
    all: Annotated[bool, Parameter(negative="", help="Also those that are over.")] = False,
    language: Annotated[str, Parameter(help="en or zh.")] = "en",
    node: NodeOptions = NodeOptions(),
    json: JsonFlag = False,
) -> None:
    """List the alarms of sensors that go on, worst first; asked of a region, those of all cities.

    Example: conurb monitoring alarms --all
    """
    if language not in LANGUAGES:
        raise InvalidRequestError(f"--language {language}: en or zh is expected")
    q = "refDetectionRule" if all else 'refDetectionRule;alertState=="active"'
    with node.connect() as connection:
        found = connection.query("Alert", q=q, limit=LISTED_MAX, options="keyValues")
    if json:
        print_json(found)
        return
    grades = ("critical", "high", "medium", "low", "informational")
    rows = [_alarm(one, language) for one in found]
    rows.sort(key=lambda row: (grades.index(row["severity"]), row["since"]))
    print_table(rows, ALARMS, empty="No alarm goes on.")


@app.command
def check(
    measurement: str,
    /,
    *others: str,
    method: Annotated[str, Parameter(help="threshold, seasonal, surprise, change, modal ...")],
    options: OptionsFlag = "{}",
    begin: Annotated[str | None, Parameter(name="--from", help="ISO 8601.")] = None,
    end: Annotated[str | None, Parameter(name="--to", help="ISO 8601.")] = None,
    language: Annotated[str, Parameter(help="en or zh.")] = "en",
    node: NodeOptions = NodeOptions(),
    json: JsonFlag = False,
) -> None:
    """Ask what a method says of a measurement's history: each anomaly, with its reason.

    Example: conurb monitoring check urn:ngsi-ld:DeviceMeasurement:wuxi:gauge-1-level
    --method change
    """
    params = {"method": method, "options": orjson.dumps(_object(options)).decode()}
    params |= {name: value for name, value in (("from", begin), ("to", end)) if value}
    if others:
        params["with"] = ",".join(others)
    path = f"/monitoring/judgement/{quote(measurement, safe=':')}"
    with node.connect() as connection:
        found = _get(connection, path, params)
    if json:
        print_json(found)
        return
    rows = [{**one, "why": one["why"][language]} for one in found["anomalies"]]
    print_table(rows, JUDGED, empty="Nothing is out of the ordinary.")


@app.command
def series(
    measurement: str,
    /,
    *,
    step: Annotated[str | None, Parameter(help="Length of a cell, such as PT1H.")] = None,
    method: Annotated[str, Parameter(help="mean, median, min, max, sum, last, count.")] = "mean",
    fill: Annotated[str, Parameter(help="none, linear, previous.")] = "none",
    begin: Annotated[str | None, Parameter(name="--from", help="ISO 8601.")] = None,
    end: Annotated[str | None, Parameter(name="--to", help="ISO 8601.")] = None,
    node: NodeOptions = NodeOptions(),
    json: JsonFlag = False,
) -> None:
    """Show a measurement's values, resampled by the server, each with its quality flag.

    Example: conurb monitoring series urn:ngsi-ld:DeviceMeasurement:wuxi:gauge-1-level --step P1D
    """
    params = {name: value for name, value in (("from", begin), ("to", end)) if value}
    if step is not None:
        params |= {"step": step, "method": method, "fill": fill}
    path = f"/monitoring/series/{quote(measurement, safe=':')}"
    with node.connect() as connection:
        found = _get(connection, path, params)
    if json:
        print_json(found)
        return
    columns = zip(found["times"], found["values"], found["flags"], strict=True)
    rows = [{"time": at, "value": value, "flag": flag} for at, value, flag in columns]
    print_table(rows, ("time", "value", "flag"), empty="There are no values then.")
    if found["missing"]:
        err.print(f"{found['missing']} of {len(rows)} are missing")


def _get(connection: Connection, path: str, params: dict[str, str]) -> Any:
    return orjson.loads(connection.request("GET", path, params=params).content)


def _object(text: str) -> dict[str, Any]:
    try:
        options = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(f"--options: {text!r:.100} is not JSON: {error}") from error
    if not isinstance(options, dict):
        raise InvalidRequestError(f"--options: {text!r:.100} is not a JSON object")
    return options


def _alarm(one: dict[str, Any], language: str) -> dict[str, Any]:
    return {
        "severity": one.get("severity", "informational"),
        "since": _plain(one.get("validFrom")),
        "until": _plain(one.get("validTo")),
        "what": _said(one.get("headline"), language),
        "why": _said(one.get("description"), language),
        "id": one["id"],
    }


def _plain(value: Any) -> Any:
    return value.get("@value") if isinstance(value, dict) else value


def _said(value: Any, language: str) -> Any:
    if isinstance(value, dict):
        texts = value.get("languageMap", value)
        return texts.get(language) or next(iter(texts.values()), None)
    return value

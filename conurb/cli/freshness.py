"""`conurb region freshness` and `promise`: how fresh objects are to be, and how fresh they are."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import orjson
from cyclopts import App, Parameter

from conurb.access.tokens import digest_of
from conurb.cli.asking import NodeOptions
from conurb.cli.output import err, print_json, print_table
from conurb.errors import UnavailableError
from conurb.federation.agreements import CHANGED

_COLUMNS: Final = (
    "node",
    "type",
    "state",
    "max_age_s",
    "by",
    "objects",
    "fresh",
    "newest_s",
    "oldest_s",
    "since",
    "error",
)


def add_to(app: App) -> None:
    """Add the commands to those of `conurb region`."""
    for command in (freshness, promise):
        app.command(command)


def freshness(
    *,
    node: NodeOptions = NodeOptions(),
    json: Annotated[bool, Parameter(negative="", help="Print the whole as JSON.")] = False,
) -> None:
    """Show what each node promises of how fresh its objects are, and how fresh they are.

    `kept` and `broken` say how a promise stands; `empty` has no objects, `unknown` couldn't be
    measured yet, `idle` isn't valid now. Ends with 1 when a promise is broken.

    Example: conurb region freshness --url http://127.0.0.1:8080
    """
    with node.connect() as connection:
        answer = orjson.loads(connection.request("GET", "/region/freshness").content)
    promises = answer["promises"]
    if json:
        print_json(answer)
    else:
        print_table([_row(one) for one in promises], list(_COLUMNS), empty="nothing is promised")
        for one in answer["faults"]:
            err.print(f"{one['node']}: {one['fault']}", style="yellow", highlight=False)
    if answer["broken"]:
        raise UnavailableError(f"{answer['broken']} of {len(promises)} promises are broken")


def _row(promise: dict[str, Any]) -> dict[str, Any]:
    measured = promise["measured"] or {}
    share = measured.get("fresh_share")
    return {
        "node": promise["node"],
        "type": promise["type"],
        "state": promise["state"],
        "max_age_s": promise["max_age_s"],
        "by": promise["measured_by"],
        "objects": measured.get("objects"),
        "fresh": None if share is None else f"{share:.1%}",
        "newest_s": measured.get("newest_age_s"),
        "oldest_s": measured.get("oldest_age_s"),
        "since": promise["broken_since"],
        "error": promise["error"],
    }


def promise(
    type_name: str,
    /,
    *,
    max_age: Annotated[str, Parameter(help="How old an object may be: PT10M, P1D ...")],
    by: Annotated[
        str, Parameter(help="Attribute whose observedAt counts. Default: the last change.")
    ] = CHANGED,
    share: Annotated[float, Parameter(help="Which share of the objects, up to 1.")] = 1.0,
    contact: Annotated[str | None, Parameter(help="Whom to ask when it isn't kept.")] = None,
    valid_from: Annotated[str | None, Parameter(help="Date-time from which it holds.")] = None,
    valid_to: Annotated[str | None, Parameter(help="Date-time up to which it holds.")] = None,
    node: NodeOptions = NodeOptions(),
) -> None:
    """Promise how fresh the objects of a type are; asked of the city's own node.

    The promise is an object of type UpdateAgreement; a second one of the same type takes its place.
    Regions that the city belongs to measure it from now on.

    Example: conurb region promise AirQualityObserved --max-age PT1H --by pm25
    """
    with node.connect() as connection:
        owner = connection.version()["node"]
        local = type_name if re.fullmatch(r"\w{1,80}", type_name) else digest_of(type_name)[:16]
        agreement: dict[str, Any] = {
            "id": f"urn:ngsi-ld:UpdateAgreement:{owner}:{local}",
            "type": "UpdateAgreement",
            "agreedType": {"type": "VocabProperty", "vocab": type_name},
            "maxAge": {"type": "Property", "value": max_age},
            "measuredBy": {"type": "VocabProperty", "vocab": by},
            "agreedShare": {"type": "Property", "value": share},
        }
        given = {"contactPoint": contact, "validFrom": valid_from, "validTo": valid_to}
        for name, value in given.items():
            if value is not None:
                agreement[name] = {"type": "Property", "value": value}
        check(agreement)
        failed = connection.put([agreement])
    if failed:
        raise UnavailableError(f"not promised: {failed[0]}")
    err.print(f"Promised: {agreement['id']}", highlight=False)


def check(agreement: dict[str, Any]) -> None:
    """Raise BadRequestDataError when a document isn't a promise that can be measured."""
    from conurb.federation.agreements import read_agreement
    from conurb.model.parse import parse_entity
    from conurb.model.vocabulary import platform_terms

    read_agreement(parse_entity(agreement, platform_terms()))

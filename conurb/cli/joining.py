"""`conurb region share | invite | join | leave | expel | copy | copies`: who belongs to a region,
and what it keeps of its members."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import orjson
from cyclopts import App, Parameter

from conurb.cli.asking import NodeOptions
from conurb.cli.output import JsonFlag, err, print_json, print_table
from conurb.errors import ConflictError, InvalidRequestError
from conurb.model.vocabulary import platform_terms

FAULTS_SHOWN: Final = 20
DAY_S: Final = 86_400


def add_to(app: App) -> None:
    """Add the commands to those of `conurb region`."""
    for command in (share, invite, join, leave, expel, copy, copies):
        app.command(command)


def share(file: Path, /, *, node: NodeOptions = NodeOptions()) -> None:
    """State which types the members of a region share, and what objects of them must hold.

    The file is JSON: type to attribute to `kind` (Property ...), `required`, `value` (number, text,
    boolean) and `unitCode`, all optional. It replaces what was stated before.

    Example: conurb region share types.json --url https://delta.example.cn
    """
    try:
        types = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InvalidRequestError(f"{file} is not a JSON file: {error}") from error
    with node.connect() as connection:
        connection.request("PUT", "/federation/shared", body={"types": types})
    err.print(f"{len(types)} types are shared")


def invite(
    city: str,
    /,
    *,
    days: Annotated[int, Parameter(help="How long the code holds.")] = 7,
    json: Annotated[bool, Parameter(negative="", help="Print the invitation as JSON.")] = False,
    node: NodeOptions = NodeOptions(),
) -> None:
    """Invite a city into the region and print the one-time code by which it joins.

    The code is shown this once; only its hash is kept. A second invitation ends the first.

    Example: conurb region invite wuxi --url https://delta.example.cn
    """
    body = {"city": city, "lifetime": days * DAY_S}
    with node.connect() as connection:
        response = connection.request("POST", "/federation/invitations", body=body)
    invitation = orjson.loads(response.content)
    if json:
        print_json(invitation)
        return
    err.print(f"Code for {city}, until {invitation['expiresAt']}. Shown this once:")
    sys.stdout.write(invitation["code"] + "\n")


def join(
    region: str,
    /,
    *,
    code: Annotated[str, Parameter(help="The code that the region gave.")],
    share: Annotated[
        str | None,
        Parameter(help="Comma-separated types. Default: the region's, else all there are."),
    ] = None,
    endpoint: Annotated[
        str | None, Parameter(help="Where the region reaches this node. Else its public_url.")
    ] = None,
    region_tenant: Annotated[
        str | None, Parameter(help="When the region is a tenant of the node at its URL.")
    ] = None,
    copies: Annotated[
        bool, Parameter(negative="", help="Let the region keep copies, for when this node is down.")
    ] = False,
    despite: Annotated[
        bool, Parameter(negative="", help="Join although objects don't fit.")
    ] = False,
    dry_run: Annotated[
        bool, Parameter(negative="", help="Only check the objects; the code holds on.")
    ] = False,
    json: Annotated[bool, Parameter(negative="", help="Print the report as JSON.")] = False,
    node: NodeOptions = NodeOptions(),
) -> None:
    """Join this node to the region at a URL; asked of the city's own node, which must be running.

    Its objects are checked against the types that the region shares, tokens are exchanged, and the
    region registers it. What doesn't fit is listed, and then nothing is done.

    Example: conurb region join https://delta.example.cn --code CODE --url http://127.0.0.1:8080
    """
    body: dict[str, Any] = {
        "region": region,
        "code": code,
        "copies": copies,
        "despite": despite,
        "dry": dry_run,
    }
    if share is not None:
        body["types"] = [one.strip() for one in share.split(",") if one.strip()]
    given = {"endpoint": endpoint, "regionTenant": region_tenant}
    body |= {name: one for name, one in given.items() if one is not None}
    with node.connect() as connection:
        response = connection.request("POST", "/federation/memberships", body=body)
    joined = orjson.loads(response.content)
    if json:
        print_json(joined)
    else:
        _show_report(joined["report"])
    if joined["joined"]:
        err.print(f"Joined {joined['region']} as {joined['city']}")
    elif joined["report"]["faults"]:
        raise ConflictError("not joined: objects don't fit; --despite joins all the same")
    else:
        err.print(f"Everything fits {joined['region']}; nothing was done")


def _show_report(report: dict[str, Any]) -> None:
    terms = platform_terms()
    for name, count in report["checked"].items():
        err.print(f"{count:,} of {terms.compact(terms.expand(name))} checked", highlight=False)
    faults = report["faults"]
    for fault in faults[:FAULTS_SHOWN]:
        err.print(
            f"{fault['id']}: {fault['attribute']} {fault['reason']}",
            style="yellow",
            highlight=False,
            markup=False,
        )
    more = len(faults[FAULTS_SHOWN:]) + report["moreFaults"]
    if more:
        err.print(f"{more:,} more")


def leave(
    region: Annotated[
        str | None, Parameter(help="Name of the region. Default: the only one.")
    ] = None,
    /,
    *,
    node: NodeOptions = NodeOptions(),
    json: JsonFlag = False,
) -> None:
    """Leave a region; asked of the city's own node.

    The region's token and subscriptions here end at once, also when the region can't be told.

    Example: conurb region leave delta --url http://127.0.0.1:8080
    """
    with node.connect() as connection:
        if region is None:
            answer = connection.request("GET", "/federation/memberships")
            regions = [one["region"] for one in orjson.loads(answer.content)]
            if len(regions) != 1:
                known = ", ".join(regions) or "none"
                raise InvalidRequestError(f"which region? this node belongs to: {known}")
            region = regions[0]
        path = f"/federation/memberships/{quote(region, safe='')}"
        told = orjson.loads(connection.request("DELETE", path).content)["told"]
    err.print(f"Left {region}" + ("" if told else "; it couldn't be told, so tell its operator"))
    if json:
        print_json([{"region": region, "left": True, "told": told}])


def expel(city: str, /, *, node: NodeOptions = NodeOptions(), json: JsonFlag = False) -> None:
    """Expel a city from the region; asked of the region's node.

    Its token, its registration and its subscriptions here end at once, also when it can't be told.

    Example: conurb region expel wuxi --url https://delta.example.cn
    """
    with node.connect() as connection:
        path = f"/federation/members/{quote(city, safe='')}"
        told = orjson.loads(connection.request("DELETE", path).content)["told"]
    err.print(f"Expelled {city}" + ("" if told else "; it couldn't be told"))
    if json:
        print_json([{"city": city, "expelled": True, "told": told}])


def copy(
    city: str,
    /,
    *,
    types: Annotated[
        str | None, Parameter(help="Comma-separated. Default: all that the city shares.")
    ] = None,
    drop: Annotated[bool, Parameter(negative="", help="Drop the copies instead.")] = False,
    node: NodeOptions = NodeOptions(),
) -> None:
    """Keep copies of a city's objects, to answer from when the city doesn't; or drop them.

    The city has to have joined with --copies. Copies go when the city leaves or is expelled.

    Example: conurb region copy wuxi --types AirQualityObserved --url https://delta.example.cn
    """
    path = f"/federation/replicas/{quote(city, safe='')}"
    with node.connect() as connection:
        if drop:
            connection.request("DELETE", path)
            err.print(f"The copies of {city} are dropped")
            return
        names = [one.strip() for one in (types or "").split(",") if one.strip()]
        connection.request("PUT", path, body={"types": names})
    err.print(f"Copies of {city} are kept from now on")


def copies(
    *,
    json: Annotated[bool, Parameter(negative="", help="Print a JSON array.")] = False,
    node: NodeOptions = NodeOptions(),
) -> None:
    """List what the region copies of its members: changes that it is behind, age in seconds.

    Example: conurb region copies --url https://delta.example.cn
    """
    with node.connect() as connection:
        rows = orjson.loads(connection.request("GET", "/federation/replicas").content)
    if json:
        print_json(rows)
        return
    columns = ["city", "types", "behind", "age", "asOf", "error"]
    shown = [{**row, "types": ", ".join(row["types"])} for row in rows]
    print_table(shown, columns, empty="no copies are kept here")

"""A third-party package with a system, as an installer would have left it on the path."""

from __future__ import annotations

from pathlib import Path

HEARING = """\
from conurb.errors import BadRequestDataError
from conurb.model.portrayal import Layer
from conurb.systems.contract import (
    NODE, Asked, Attribute, Endpoint, Health, ObjectType, Parameter, Response, System,
)

T = {"en": "Hearing", "zh": "听"}


async def echo(asked: Asked) -> Response:
    if asked.params.get("loud") == "no":
        raise BadRequestDataError("it is always loud")
    body = f"{asked.site.owner}|{asked.args.get('rest', '')}|{asked.base_url}|{asked.caller.name}"
    return Response(body.encode() + asked.body, media="text/plain")


def failed(status: int, detail: str) -> Response:
    return Response(f"<no>{detail}</no>".encode(), media="application/xml", status=status)


async def health(site):
    return Health(figures={"ears": 2})


SYSTEM = System(
    "hearing",
    T,
    T,
    runs_on=NODE,
    types=(ObjectType("Device", T, {"value": Attribute(low=0, high=140, required=True)}),),
    endpoints=(
        Endpoint("GET", "/hearing/echo/{rest*}", "echo", "Echo", echo, right=None, failed=failed),
        Endpoint(
            "POST", "/hearing/echo", "echoBody", "Echo a body", echo, right="write",
            params=(Parameter("loud", "How."),), consumes=("text/plain",), produces=("text/plain",),
        ),
    ),
    layers=(
        Layer(
            id="hearing-ears", type="Device", title=T, group=T, form="circle", source="us",
            licence="CC0-1.0",
        ),
    ),
    health=health,
)
"""


def install(folder: Path, name: str, source: str, *, entry: str | None = None) -> None:
    """Leave a package with one system in a folder that is on the path."""
    package = folder / f"city_{name}"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""A test."""\n')
    (package / "system.py").write_text(source)
    about = folder / f"city_{name}-0.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: city-{name}\nVersion: 0.1\n")
    line = f"{entry or name} = city_{name}.system:SYSTEM"
    (about / "entry_points.txt").write_text(f"[conurb.systems]\n{line}\n")

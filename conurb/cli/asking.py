"""What commands that ask a node share: which node, as whom, and how the answer is printed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

from cyclopts import Group, Parameter

from conurb.cli.output import err
from conurb.client.connection import Connection, connect
from conurb.errors import InvalidRequestError
from conurb.model.vocabulary import CONTEXT_URL

NODE_GROUP: Final = Group("Which node", sort_key=90)
FORM_GROUP: Final = Group("Output", sort_key=91)


@Parameter(name="*", group=NODE_GROUP)
@dataclass(frozen=True, slots=True)
class NodeOptions:
    """Which node is asked, and as whom."""

    url: Annotated[
        str | None,
        Parameter(help="The node's address, or a store's path. Else CONURB_URL, else local."),
    ] = None
    tenant: Annotated[
        str | None, Parameter(help="The tenant: a city of the region. Default: the region itself.")
    ] = None
    token: Annotated[str | None, Parameter(help="A bearer token. Else CONURB_TOKEN.")] = None
    context: Annotated[
        str, Parameter(help="URL of the @context by which names are read.", show_default=False)
    ] = CONTEXT_URL

    def connect(self) -> Connection:
        """Open the connection that the options describe."""
        return connect(
            self.url,
            tenant=self.tenant,
            token=self.token,
            context=self.context,
            warn=_say_once(),
        )


def _say_once() -> Callable[[str], None]:
    """Give what says on standard error who didn't answer, once for all pages of an answer."""
    said: set[str] = set()

    def say(warning: str) -> None:
        if warning not in said:
            said.add(warning)
            _, _, missing = warning.partition(" ")
            err.print(f"incomplete: no answer of {missing}", style="yellow", highlight=False)

    return say


@Parameter(name="*", group=FORM_GROUP)
@dataclass(frozen=True, slots=True)
class FormOptions:
    """How the answer is printed: a table unless one of these is given."""

    json: Annotated[bool, Parameter(negative="", help="Print a JSON array.")] = False
    geojson: Annotated[bool, Parameter(negative="", help="Print a GeoJSON FeatureCollection.")] = (
        False
    )
    csv: Annotated[bool, Parameter(negative="", help="Print CSV with a header.")] = False

    @property
    def form(self) -> str:
        """Give the form asked for: table, json, geojson or csv.

        Raises InvalidRequestError when more than one was asked for.
        """
        given = [name for name in ("json", "geojson", "csv") if getattr(self, name)]
        if len(given) > 1:
            raise InvalidRequestError(f"--{' and --'.join(given)} exclude each other; give one")
        return given[0] if given else "table"

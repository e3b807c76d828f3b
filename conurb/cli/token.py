"""`conurb token`: make, list and revoke the tokens by which callers come into a node."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from conurb.access.caller import RIGHTS
from conurb.access.tokens import Token, check_name, check_rights, digest_of, mint
from conurb.cli.output import JsonFlag, err, print_json, print_table
from conurb.config import load_settings
from conurb.model.vocabulary import platform_terms
from conurb.node.tokens import TokenFile

app = App(name="token", help="Make, list and revoke the tokens by which callers come in.")

FileOption = Annotated[
    Path | None, Parameter(help="The token file. Default: the one of the node's settings.")
]
RIGHTS_SHOWN: Final = ", ".join(RIGHTS)


def _file(path: Path | None) -> TokenFile:
    return TokenFile(path or load_settings().tokens_path)


@app.command
def new(
    name: str,
    /,
    *,
    rights: Annotated[str, Parameter(help=f"Comma-separated, of: {RIGHTS_SHOWN}.")] = "read",
    types: Annotated[str | None, Parameter(help="Only these types, comma-separated.")] = None,
    scopes: Annotated[str | None, Parameter(help="Only at or below these scopes.")] = None,
    tenants: Annotated[str | None, Parameter(help="Only these tenants of the node.")] = None,
    file: FileOption = None,
    json: JsonFlag = False,
) -> None:
    """Make a token and print it. It is shown this once; only its hash is kept.

    Example: conurb token new wuxi-office --rights read,write --scopes /yrd/wuxi
    """
    terms = platform_terms()
    secret = mint()
    token = Token(
        name=check_name(name),
        digest=digest_of(secret),
        rights=check_rights(part.strip() for part in rights.split(",")),
        types=None if types is None else tuple(terms.expand(t.strip()) for t in types.split(",")),
        scopes=None if scopes is None else tuple(s.strip() for s in scopes.split(",")),
        tenants=None if tenants is None else tuple(t.strip() for t in tenants.split(",")),
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    kept = _file(file)
    kept.add(token)
    err.print(f"Token {name!r} is kept in {kept.path} as a hash. Shown this once:")
    if json:
        print_json([{**_shown(token), "token": secret}])
    else:
        sys.stdout.write(secret + "\n")


@app.command(name="list")
def list_tokens(
    *,
    file: FileOption = None,
    json: JsonFlag = False,
) -> None:
    """List the tokens, without their secrets.

    Example: conurb token list --json
    """
    documents = [_shown(token) for token in _file(file).list_tokens()]
    if json:
        print_json(documents)
    else:
        rows = [
            {
                name: ", ".join(value) if isinstance(value, (list, tuple)) else value
                for name, value in document.items()
            }
            for document in documents
        ]
        columns = ["name", "rights", "types", "scopes", "tenants", "created"]
        print_table(rows, columns, empty="there are no tokens; 'conurb token new' makes one")


def _shown(token: Token) -> dict[str, Any]:
    """Give what may be seen of a token."""
    return {name: value for name, value in token.document().items() if name != "sha256"}


@app.command
def revoke(name: str, /, *, file: FileOption = None, json: JsonFlag = False) -> None:
    """Revoke a token; a running node refuses it from its next request on.

    Example: conurb token revoke wuxi-office
    """
    _file(file).revoke(name)
    err.print(f"Token {name!r} is revoked")
    if json:
        print_json([{"name": name, "revoked": True}])

"""The `conurb` command: nouns from their files, errors as one line and an exit code.

Exit codes: 0 done; 1 it couldn't be done, and why is on standard error; 2 the command line or the
settings are wrong; 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Final

from cyclopts import App

from conurb import __version__
from conurb.cli.output import err
from conurb.errors import ConfigError, ConurbError

NOUNS: Final = {
    "up": "Bring a region up: a node per city, and the region's own.",
    "node": "Run a node.",
    "object": "Get, query, put and delete objects, and see their history.",
    "load": "Load objects from files.",
    "region": "Build and show region packs; invite, join, leave; how its nodes are.",
    "token": "Make, list and revoke the tokens by which callers come in.",
}
"""The files of `conurb.cli` that are nouns, each with an `app` that is imported when it is asked
for: a node shouldn't wait for what draws tables."""

FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130


def build() -> App:
    """Put the command together."""
    app = App(
        name="conurb",
        help="The open platform for a cluster of smart cities.",
        version=__version__,
    )
    for noun, meaning in NOUNS.items():
        app.command(f"conurb.cli.{noun}:app", name=noun, help=meaning)
    return app


def main() -> None:
    """Run the command and leave with its exit code."""
    try:
        build()()
    except ConfigError as error:
        err.print(f"conurb: {error.detail}", markup=False, style="red")
        sys.exit(WRONG_USE)
    except ConurbError as error:
        err.print(f"conurb: {error.detail}", markup=False, style="red")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

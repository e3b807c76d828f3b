"""The `conurb` command: nouns from their files, errors as one line and an exit code.

Exit codes: 0 done; 1 it couldn't be done, and why is on standard error; 2 the command line or the
settings are wrong; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
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
    "system": "List the systems that are installed, and begin a new one.",
    "region": "Build and show region packs; invite, join, leave; how its nodes are.",
    "strategy": "Report on a region; index, green, effect, spillover, network; exports.",
    "token": "Make, list and revoke the tokens by which callers come in.",
}
"""The files of `conurb.cli` that are nouns, each with an `app` that is imported when it is asked
for: a node shouldn't wait for what draws tables."""

FAILED: Final = 1
WRONG_USE: Final = 2
INTERRUPTED: Final = 130


def build(*, systems: bool = True) -> App:
    """Put the command together; with `systems`, the nouns of those that are installed too.

    Raises ConfigError when a system's noun is one of ours.
    """
    app = App(
        name="conurb",
        help="The open platform for a cluster of smart cities.",
        version=__version__,
    )
    for noun, meaning in NOUNS.items():
        app.command(f"conurb.cli.{noun}:app", name=noun, help=meaning)
    if systems:
        from conurb.systems.registry import list_systems

        for one in list_systems():
            if one.system is not None and one.system.commands is not None:
                if one.name in NOUNS:
                    raise ConfigError(f"system {one.name!r}: the command has a noun of that name")
                title = f"{one.system.title['en']}: {one.system.summary['en']}"
                app.command(one.system.commands, name=one.name, help=title)
    return app


def _asks_for_systems(arguments: Sequence[str]) -> bool:
    """Whether a command line may need the systems' nouns; looking for them takes its time.

    Raises ConfigError when it names a system that can't be loaded.
    """
    if not arguments or arguments[0] in NOUNS:
        return not arguments
    from conurb.systems.registry import get_system, names

    if arguments[0] in names():
        get_system(arguments[0])
    return True


def main() -> None:
    """Run the command and leave with its exit code."""
    try:
        build(systems=_asks_for_systems(sys.argv[1:]))()
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

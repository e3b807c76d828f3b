"""The `conurb` command: nouns from their files, errors as one line and an exit code.

Exit codes: 0 done; 1 it couldn't be done, and why is on standard error; 2 the command line or the
settings are wrong; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from cyclopts import App

from conurb import __version__
from conurb.cli.output import err
from conurb.errors import ConfigError, ConurbError

if TYPE_CHECKING:
    from conurb.systems.contract import System

NOUNS: Final = {
    "up": "Bring a region up: a node per city, and the region's own.\n\n"
    "Example: conurb up yrd --port 8080",
    "node": "Run a node.",
    "object": "Get, query, put and delete objects, and see their history.",
    "load": "Load objects from files.\n\nExample: conurb load sensors.csv --type Sensor",
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


def build(systems: Iterable[str] | None = None) -> App:
    """Put the command together, with the nouns of some systems (None: of all installed).

    Raises ConfigError when one can't be loaded that was named, or its noun is one of ours.
    """
    app = App(
        name="conurb",
        help="The open platform for a cluster of smart cities.",
        version=__version__,
    )
    for noun, meaning in NOUNS.items():
        app.command(f"conurb.cli.{noun}:app", name=noun, help=meaning)
    for system in _with_commands(systems):
        if system.name in NOUNS:
            raise ConfigError(f"system {system.name!r}: the command has a noun of that name")
        title = f"{system.title['en']}: {system.summary['en']}"
        app.command(str(system.commands), name=system.name, help=title)
    return app


def _with_commands(names: Iterable[str] | None) -> list[System]:
    """Load systems and give those that have commands; all installed ones, as far as they load."""
    if names is not None and not (wanted := tuple(names)):
        return []
    from conurb.systems.registry import get_system, list_systems

    if names is None:
        found = [one.system for one in list_systems() if one.system is not None]
    else:
        found = [get_system(name) for name in wanted]
    return [system for system in found if system.commands is not None]


def _systems_asked(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """Give the systems whose nouns a command line may need: loading one takes its time."""
    if arguments and arguments[0] in NOUNS:
        return ()
    from conurb.systems.registry import names

    return (arguments[0],) if arguments and arguments[0] in names() else None


def main() -> None:
    """Run the command and leave with its exit code."""
    try:
        build(_systems_asked(sys.argv[1:]))()
    except ConfigError as error:
        err.print(f"conurb: {error.detail}", markup=False, style="red")
        sys.exit(WRONG_USE)
    except ConurbError as error:
        err.print(f"conurb: {error.detail}", markup=False, style="red")
        sys.exit(FAILED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except OSError as error:
        what = f"{error.filename}: " if error.filename is not None else ""
        err.print(f"conurb: {what}{error.strerror or error}", markup=False, style="red")
        sys.exit(FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

"""Scopes: where an object belongs, as a path such as /yrd/shanghai/pudong (clause 4.18).

A scope is kept with its leading slash, so that `Madrid` and `/Madrid` are one.
"""

from __future__ import annotations

from typing import Any, Final

from conurb.errors import BadRequestDataError
from conurb.model.names import is_simple_name

SCOPES_MAX: Final = 100
"""Scopes of one entity."""

SCOPE_LEVELS_MAX: Final = 32
"""Levels of one scope."""


def check_scope(value: Any) -> str:
    """Give a scope with its leading slash.

    Raises BadRequestDataError, naming it, unless each level is a letter followed by letters,
    numbers and underscores.

    >>> check_scope("Madrid/Centro")
    '/Madrid/Centro'
    """
    if isinstance(value, str):
        levels = value.removeprefix("/").split("/")
        if len(levels) <= SCOPE_LEVELS_MAX and all(map(is_simple_name, levels)):
            return "/" + "/".join(levels)
    raise BadRequestDataError(
        f"scope: {value!r:.200} is not a scope such as /yrd/shanghai (at most "
        f"{SCOPE_LEVELS_MAX} levels of letters, numbers and underscores, a letter first)"
    )


def check_scopes(value: Any) -> tuple[str, ...]:
    """Give the scopes of a member `scope`, a text or an array of texts, each once.

    >>> check_scopes(["/a", "b", "/a"])
    ('/a', '/b')
    """
    if not isinstance(value, list):
        return (check_scope(value),)
    if not 1 <= len(value) <= SCOPES_MAX:
        raise BadRequestDataError(f"scope: {len(value)} scopes; 1 to {SCOPES_MAX} are allowed")
    return tuple(dict.fromkeys(map(check_scope, value)))


def is_within(scope: str, root: str) -> bool:
    """Whether a scope is another one or lies below it.

    >>> is_within("/yrd/wuxi", "/yrd"), is_within("/yrdx", "/yrd")
    (True, False)
    """
    return scope == root or scope.startswith(root.rstrip("/") + "/")

"""Read a scope query (ETSI GS CIM 009 v1.9.1, clause 4.19)."""

from __future__ import annotations

import re
from typing import Final

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.model.names import is_simple_name
from conurb.model.query.tree import ScopeAll, ScopeAny, ScopeCondition, ScopeIs
from conurb.model.scope import SCOPE_LEVELS_MAX

SCOPE_QUERY_LENGTH_MAX: Final = 8_192
"""Characters of one scope query."""
SCOPE_TERMS_MAX: Final = 100
"""Scopes in one scope query."""

_GROUP: Final = re.compile(r"\(([^()|,]*)\)|([^()|,;]+)")


def parse_scope(text: str) -> ScopeCondition:
    """Read a scope query such as `(/Madrid/+/Park;/CompanyA/#)|/CompanyB`.

    Raises BadRequestDataError with the position, TooComplexQueryError over the bounds.
    """
    if len(text) > SCOPE_QUERY_LENGTH_MAX:
        raise TooComplexQueryError(
            f"scopeQ has {len(text)} characters; at most {SCOPE_QUERY_LENGTH_MAX} are taken"
        )
    choices: list[ScopeCondition] = []
    at, count = 0, 0
    while True:
        match = _GROUP.match(text, at)
        if match is None:
            raise _fault(text, at, "expected a scope, or scopes in parentheses separated by ';'")
        patterns = (match[1] if match[2] is None else match[2]).split(";")
        count += len(patterns)
        if count > SCOPE_TERMS_MAX:
            raise TooComplexQueryError(f"scopeQ, position {at}: more than {SCOPE_TERMS_MAX} scopes")
        items = tuple(ScopeIs(_checked(pattern, text, at)) for pattern in patterns)
        choices.append(items[0] if len(items) == 1 else ScopeAll(items))
        at = match.end()
        if at == len(text):
            return choices[0] if len(choices) == 1 else ScopeAny(tuple(choices))
        if text[at] not in "|,":
            raise _fault(text, at, "expected '|' or ',' between scopes; ';' only in parentheses")
        at += 1


def _checked(pattern: str, text: str, at: int) -> str:
    """Give a pattern with its leading slash, its levels checked."""
    levels = pattern.removeprefix("/").split("/")
    names = levels[:-1] if levels[-1] == "#" else levels
    if len(levels) > SCOPE_LEVELS_MAX or not all(
        level == "+" or is_simple_name(level) for level in names
    ):
        raise _fault(
            text,
            at,
            f"{pattern!r} is not a scope: names or '+' after '/', '#' only as the last level, "
            f"at most {SCOPE_LEVELS_MAX} levels",
        )
    return "/" + "/".join(levels)


def _fault(text: str, at: int, reason: str) -> BadRequestDataError:
    return BadRequestDataError(f"scopeQ {text!r:.200}, position {at}: {reason}")

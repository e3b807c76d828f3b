"""What the report says, in the language of its page: a catalogue, and how figures are written.

No section holds text of its own: it names an entry of `catalogue/{lang}.toml` and gives the
figures. What methods say of themselves (in English) is carried over by the catalogue's patterns.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

from conurb.errors import InputError, InvariantError

LANGUAGES: Final = ("zh", "en")


class Words:
    """The catalogue of one language; `names` are those of units, by the ids that methods print."""

    def __init__(self, lang: str, names: Mapping[str, str] | None = None) -> None:
        if lang not in LANGUAGES:
            raise InputError(f"lang is {lang!r}; allowed are {list(LANGUAGES)}")
        self.lang = lang
        self._texts = catalogue(lang)
        self._patterns = patterns(lang)
        self._names = names or {}
        ids = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._ids = re.compile(rf"(?<![A-Za-z-])({'|'.join(ids)})(?![A-Za-z-])") if ids else None

    def say(self, key: str, **values: object) -> str:
        """Give the text of a key with its figures put in; InvariantError without such a text."""
        try:
            return self._texts[key].format(**values)
        except KeyError as error:
            raise InvariantError(f"catalogue/{self.lang}.toml lacks {error} for {key!r}") from None

    def find(self, key: str) -> str | None:
        """Find the text of a key, None without it."""
        return self._texts.get(key)

    def carry(self, said: str) -> str:
        """Carry over what a method says of itself: parts between semicolons, each by a pattern."""
        text = self.say("join").join(self._carry(part) for part in said.split("; "))
        if self._ids is None:
            return text
        return self._ids.sub(lambda found: self._names[found[1]], text)

    def _carry(self, said: str) -> str:
        for pattern, text in self._patterns:
            match = pattern.fullmatch(said)
            if match:
                return text.format(*(self._carry(one or "") for one in match.groups()))
        return said

    def listed(self, names: Sequence[str]) -> str:
        """Join names as the language does."""
        return self.say("list").join(names)


@cache
def catalogue(lang: str) -> Mapping[str, str]:
    """Give the texts of a language by dotted key."""
    return dict(_flat(_document(lang), ""))


@cache
def patterns(lang: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Give what methods say as patterns, with what they become; the first that fits counts."""
    return tuple(
        (re.compile(one["of"]), one["text"]) for one in _document(lang).get("patterns", ())
    )


def number(value: float, digits: int = 3, *, sign: bool = False) -> str:
    """Write a figure with a true minus and thousands apart; a dash where there is none.

    >>> number(-1234.5, 1), number(0.0301, 3, sign=True)
    ('−1,234.5', '+0.030')
    """
    if not math.isfinite(value):
        return "–"
    return f"{value:{'+' if sign else ''},.{digits}f}".replace("-", "−")


def percent(value: float, digits: int = 1, *, sign: bool = False) -> str:
    """Write a share as a percentage."""
    return f"{number(value * 100, digits, sign=sign)}%"


def p_text(value: float | None) -> str:
    """Write a p value; below a thousandth as that."""
    if value is None or not math.isfinite(value):
        return "–"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _document(lang: str) -> dict[str, Any]:
    folder = resources.files("conurb.strategy.report") / "catalogue"
    return tomllib.loads((folder / f"{lang}.toml").read_text("utf-8"))


def _flat(given: Mapping[str, Any], above: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in given.items():
        if isinstance(value, str):
            found.append((above + key, value))
        elif isinstance(value, dict):
            found += _flat(value, f"{above}{key}.")
    return found

"""The language filter: which text of a LanguageProperty a reader gets (clause 4.15)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final

from conurb.errors import BadRequestDataError

RANGES_MAX: Final = 50
"""Language ranges of one filter."""

_NO_LANGUAGE: Final = "@none"


@lru_cache(maxsize=256)
def parse_lang(text: str) -> tuple[str, ...]:
    """Read a language filter as ranges in order of preference.

    Raises BadRequestDataError when it isn't one (RFC 3282 with quality values).

    >>> parse_lang("en;q=0.8,fr-CH,fr;q=0.9,*;q=0.5")
    ('fr-CH', 'fr', 'en', '*')
    """
    items = [item.strip() for item in text.split(",")]
    if len(items) > RANGES_MAX:
        raise BadRequestDataError(f"lang: {len(items)} ranges; at most {RANGES_MAX} are allowed")
    ranked = []
    for item in items:
        tag, _, rest = item.partition(";")
        tag, quality = tag.strip(), 1.0
        if rest:
            name, _, number = rest.partition("=")
            try:
                quality = float(number)
            except ValueError:
                quality = -1.0
            if name.strip() != "q" or not 0 <= quality <= 1:
                raise BadRequestDataError(f"lang: {item!r:.60} has no quality from 0 to 1")
        parts = tag.split("-")
        if tag != "*" and not (parts[0].isalpha() and all(part.isalnum() for part in parts)):
            raise BadRequestDataError(f"lang: {item!r:.60} is not a language tag (RFC 5646) or *")
        if quality > 0:
            ranked.append((quality, tag))
    ranked.sort(key=lambda pair: -pair[0])
    return tuple(tag for _, tag in ranked)


def choose_language(languages: Iterable[str], ranges: tuple[str, ...]) -> str:
    """Choose among a language map's tags by ranges in order of preference.

    A range matches its own tag, then a tag more special than it (`zh` matches `zh-CN`), then one
    more general (`zh-CN` matches `zh`: RFC 4647, look-up). Without a match: `@none` when there is
    one, else the first tag.

    >>> choose_language(["en", "zh-CN"], ("zh", "en"))
    'zh-CN'
    """
    tags = {tag.lower(): tag for tag in languages}
    for wanted in ranges:
        if wanted == "*":
            break
        low = wanted.lower()
        if low in tags:
            return tags[low]
        special = next((tag for key, tag in tags.items() if key.startswith(low + "-")), None)
        if special is not None:
            return special
        while "-" in low:
            low = low.rpartition("-")[0]
            if low in tags:
                return tags[low]
    return tags.get(_NO_LANGUAGE) or next(iter(tags.values()))


def translate(language_map: Any, lang: str) -> tuple[str, Any]:
    """Give the language chosen from a language map, and its text or texts."""
    chosen = choose_language(language_map, parse_lang(lang))
    return chosen, language_map[chosen]

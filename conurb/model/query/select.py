"""Read which entities, attributes and instances are meant: ids, patterns, projections, datasetIds.

Projections are the language of clause 4.21 of ETSI GS CIM 009 v1.9.1 (`pick`, `omit`); `attrs` is
its deprecated elder without braces (clause 6.4.3.2); datasetIds are those of clause 4.5.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from conurb.errors import BadRequestDataError, TooComplexQueryError
from conurb.model.names import check_uri
from conurb.model.query.pattern import portable
from conurb.model.query.q import SYSTEM_NAMES

if TYPE_CHECKING:
    from conurb.model.context import Terms

IDS_MAX: Final = 10_000
"""Ids in one list."""
PROJECTIONS_MAX: Final = 500
"""Names in one projection, nested ones included."""
PROJECTION_DEPTH_MAX: Final = 10
"""Links that a projection follows: no joinLevel goes deeper (clause 5.7.2.4)."""
PROJECTION_LENGTH_MAX: Final = 65_536
"""Characters of one projection."""
DEFAULT_INSTANCE: Final = "@none"
"""What stands for the instance without datasetId in a list of them."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A member of an entity: an attribute's IRI or a system name (`id`, `type`, `scope` ...).

    `inner` are members of the entities that this relationship links to; none given means all.
    """

    name: str
    inner: tuple[Projection, ...] = ()


def parse_ids(ids: str | Sequence[str], *, name: str = "id") -> tuple[str, ...]:
    """Read a comma-separated list of ids (or the list of its parts), each once.

    Raises BadRequestDataError naming what isn't a URI, TooComplexQueryError over the bounds.
    """
    parts = ids.split(",") if isinstance(ids, str) else ids
    if len(parts) > IDS_MAX:
        raise TooComplexQueryError(f"{name}: {len(parts)} ids; at most {IDS_MAX} are taken")
    return tuple(dict.fromkeys(check_uri(part, name=name) for part in parts))


def parse_id_pattern(text: str) -> str:
    """Read an idPattern into the portable form that a `Selector` holds."""
    return portable(text)


def parse_datasets(datasets: str | Sequence[str]) -> tuple[str, ...]:
    """Read a comma-separated list of datasetIds (or the list of its parts); `@none` is allowed.

    Raises BadRequestDataError naming what is neither a URI nor `@none`.
    """
    parts = datasets.split(",") if isinstance(datasets, str) else datasets
    if len(parts) > IDS_MAX:
        raise TooComplexQueryError(f"datasetId: {len(parts)} ids; at most {IDS_MAX} are taken")
    return tuple(
        dict.fromkeys(
            part if part == DEFAULT_INSTANCE else check_uri(part, name="datasetId")
            for part in parts
        )
    )


def parse_attrs(
    names: str | Sequence[str], terms: Terms, *, name: str = "attrs"
) -> tuple[str, ...]:
    """Read a comma-separated list of attribute names (or the list of its parts) as IRIs.

    System names (`createdAt` ...) stay as they are. Raises BadRequestDataError naming what isn't
    a name, TooComplexQueryError over the bounds.
    """
    parts = names.split(",") if isinstance(names, str) else names
    if len(parts) > PROJECTIONS_MAX:
        raise TooComplexQueryError(f"{name}: {len(parts)} names; at most {PROJECTIONS_MAX}")
    return tuple(
        dict.fromkeys(part if part in SYSTEM_NAMES else terms.expand(part) for part in parts)
    )


def parse_projection(
    text: str | Sequence[str], terms: Terms, *, name: str
) -> tuple[Projection, ...]:
    """Read `name|owner{name,works{address}}` (or the list of its parts); `name` is pick or omit.

    Names may be IRIs. Raises BadRequestDataError with the position, TooComplexQueryError over the
    bounds.
    """
    joined = text if isinstance(text, str) else ",".join(text)
    if len(joined) > PROJECTION_LENGTH_MAX:
        raise TooComplexQueryError(
            f"{name} has {len(joined)} characters; at most {PROJECTION_LENGTH_MAX} are taken"
        )
    parser = _Projections(joined, terms, name)
    items = parser.terms_until(depth=0)
    if parser.at < len(joined):
        raise parser.fail("expected ',', '|' or the end")
    return items


class _Projections:
    """Reads a projection; `at` is where it is."""

    def __init__(self, text: str, terms: Terms, name: str) -> None:
        self.text = text
        self.terms = terms
        self.name = name
        self.at = 0
        self.count = 0

    def fail(self, reason: str) -> BadRequestDataError:
        return BadRequestDataError(f"{self.name}, position {self.at}: {reason}")

    def terms_until(self, *, depth: int) -> tuple[Projection, ...]:
        items = [self.term(depth)]
        while self.text[self.at : self.at + 1] in (",", "|"):
            self.at += 1
            items.append(self.term(depth))
        return tuple(items)

    def term(self, depth: int) -> Projection:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ",|{}":
            self.at += 1
        word = self.text[start : self.at].strip()
        if not word:
            raise self.fail("a name is missing")
        self.count += 1
        if self.count > PROJECTIONS_MAX:
            raise TooComplexQueryError(f"{self.name}: more than {PROJECTIONS_MAX} names")
        expanded = word if word in SYSTEM_NAMES else self.terms.expand(word)
        if self.text[self.at : self.at + 1] != "{":
            return Projection(expanded)
        if depth >= PROJECTION_DEPTH_MAX:
            raise self.fail(f"more than {PROJECTION_DEPTH_MAX} braces in braces")
        self.at += 1
        inner = self.terms_until(depth=depth + 1)
        if self.text[self.at : self.at + 1] != "}":
            raise self.fail("expected ',', '|' or '}'")
        self.at += 1
        return Projection(expanded, inner)


def picks_links(projections: Sequence[Projection]) -> bool:
    """Whether a projection speaks of linked entities."""
    return any(projection.inner for projection in projections)

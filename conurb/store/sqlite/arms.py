"""Arms by type: predicates on the type of an entity's row that an index serves, each of its own.

Arms never overlap, so their counts add up (see `select.py`).
"""

from __future__ import annotations

from typing import Final

import orjson

from conurb.model.query.match import has_types
from conurb.model.query.tree import Restriction, TypeAll, TypeAny, TypeIs, TypeSelection
from conurb.store.sqlite.predicates import Predicates
from conurb.store.sqlite.sources import Reach, Source

ARMS_MAX: Final = 12
"""More arms than this are one arm with a general predicate."""


def type_arms(
    reach: Reach,
    source: Source,
    predicates: Predicates,
    selection: TypeSelection | None,
    restriction: Restriction,
) -> list[str]:
    """Give predicates on the `type` of row `e`: disjoint, each an equality where it can be."""
    if restriction.types is not None:
        seen = TypeAny(tuple(TypeIs(iri) for iri in restriction.types))
        selection = seen if selection is None else TypeAll((selection, seen))
    if selection is None:
        return ["1"]
    named = types_named(selection)
    terms = {iri: term for iri in named if (term := reach.term(iri)) is not None}
    arms = [f"e.type = {term}" for iri, term in terms.items() if has_types(selection, (iri,))]
    if terms and _any_of_several(reach, list(terms.values())):
        arms.append(f"(e.type = 0 AND {predicates.types(source, selection)})")
    if len(arms) > ARMS_MAX:
        return [predicates.types(source, selection)]
    return arms or ["0"]


def _any_of_several(reach: Reach, terms: list[int]) -> bool:
    """Whether some entity with several types has one of these."""
    found = reach.ask(
        "SELECT 1 FROM multitype WHERE type IN (SELECT value FROM json_each(:types)) LIMIT 1",
        types=orjson.dumps(terms).decode(),
    )
    return found is not None


def types_named(selection: TypeSelection) -> list[str]:
    """List the types that a selection names."""
    if isinstance(selection, TypeIs):
        return [selection.iri]
    return list(dict.fromkeys(iri for item in selection.items for iri in types_named(item)))

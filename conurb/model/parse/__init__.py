"""From the documents that callers write to the internal form, every rule of the model checked.

| function | reads |
|---|---|
| `parse_entity(document, terms)` | a whole entity |
| `parse_fragment(document, terms, *, nulls, partial=False)` | part of one: append, update, merge |
| `parse_attribute(document, terms, *, name, nulls, partial=False)` | one attribute's body |
| `parse_temporal_entity(document, terms)` | the evolution of an entity |
| `parse_temporal_fragment(document, terms)` | attributes to be added to one |

All of them take normalized, concise and simplified input alike.
"""

from conurb.model.parse.entity import Fragment, parse_attribute, parse_entity, parse_fragment
from conurb.model.parse.temporal import (
    TemporalFragment,
    parse_temporal_entity,
    parse_temporal_fragment,
)

__all__ = [
    "Fragment",
    "TemporalFragment",
    "parse_attribute",
    "parse_entity",
    "parse_fragment",
    "parse_temporal_entity",
    "parse_temporal_fragment",
]

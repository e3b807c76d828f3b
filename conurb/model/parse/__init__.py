"""From the documents that callers write to the internal form, every rule of the model checked.

| function | reads |
|---|---|
| `parse_entity(document, terms)` | a whole entity |
| `parse_fragment(document, terms, *, nulls, partial=False)` | part of one: append, update, merge |
| `parse_attribute(document, terms, *, name, nulls, partial=False)` | one attribute's body |

All three take normalized, concise and simplified input alike.
"""

from conurb.model.parse.entity import Fragment, parse_attribute, parse_entity, parse_fragment

__all__ = ["Fragment", "parse_attribute", "parse_entity", "parse_fragment"]

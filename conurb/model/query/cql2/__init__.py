"""CQL2 (OGC 21-065r2): filters in text and in JSON, compiled to the query tree.

`text` reads the text form into the JSON form, `compile` turns that into a `Condition`, so that both
mean the same. `compile_filter` is the way in. What the tree can't say raises BadRequestDataError
naming the part.
"""

from __future__ import annotations

from conurb.model.query.cql2.compile import compile_filter
from conurb.model.query.cql2.text import parse_text
from conurb.model.query.cql2.values import Named

__all__ = ["Named", "compile_filter", "parse_text"]

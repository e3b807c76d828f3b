"""The statement that writes a group: every table in one round trip, rows as arrays.

Data-modifying CTEs all see the state before the statement, so that what is superseded is what was
there, never what is being inserted. Only the parts that a group needs are in its statement; the
driver keeps each combination prepared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final


def _arrays(types: str) -> tuple[str, ...]:
    """Give types of columns; `word` is a text of letters alone, or null."""
    return tuple(f"{kind}[]" for kind in types.split())


_OBJECT: Final = _arrays("bigint text bigint int text text text")
_ENTITY: Final = _arrays("bigint text int text bigint bigint bigint bigint text text")
_HISTORY: Final = _arrays("bigint int text bigint bigint bigint bigint boolean float8 word text")
_JOURNAL: Final = _arrays("bigint bigint text text int text bigint bigint bigint text text text")

PARTS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "term": (
        ("int[]", "text[]"),
        "INSERT INTO term (tid, iri) SELECT * FROM unnest({0}, {1})",
    ),
    "typeset": (
        ("int[]", "text[]"),
        "INSERT INTO typeset (sid, types) SELECT s, t::int[] FROM unnest({0}, {1}) x (s, t)",
    ),
    "object": (
        _OBJECT,
        "INSERT INTO object (eid, id, head_at, typeset, scope, attrs, datasets) "
        "SELECT e, i, h, t, s::text[], a::int[], d::text[] "
        "FROM unnest({0}, {1}, {2}, {3}, {4}, {5}, {6}) x (e, i, h, t, s, a, d) "
        "ON CONFLICT (eid) DO UPDATE SET head_at = excluded.head_at, "
        "typeset = excluded.typeset, scope = excluded.scope, attrs = excluded.attrs, "
        "datasets = excluded.datasets",
    ),
    "entity": (
        _ENTITY,
        "INSERT INTO entity (eid, id, typeset, scope, created, modified, expires, due, doc, flat) "
        "SELECT e, i, t, s::text[], c, m, x, d, doc, flat::jsonb "
        "FROM unnest({0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}) "
        "y (e, i, t, s, c, m, x, d, doc, flat) "
        "ON CONFLICT (eid) DO UPDATE SET typeset = excluded.typeset, scope = excluded.scope, "
        "created = excluded.created, modified = excluded.modified, expires = excluded.expires, "
        "due = excluded.due, doc = excluded.doc, flat = excluded.flat",
    ),
    "gone": (
        ("bigint[]",),
        "DELETE FROM entity USING unnest({0}) x (e) WHERE eid = e",
    ),
    "geometry": (
        ("bigint[]", "int[]", "text[]", "boolean[]", "bytea[]"),
        "INSERT INTO geometry (eid, attr, dataset, first, geom) SELECT e, a, d, f, "
        "ST_GeomFromEWKB(g) FROM unnest({0}, {1}, {2}, {3}, {4}) x (e, a, d, f, g) "
        "ON CONFLICT (eid, attr, dataset) DO UPDATE SET first = excluded.first, "
        "geom = excluded.geom",
    ),
    "geometry_gone": (
        ("bigint[]", "int[]", "text[]"),
        "DELETE FROM geometry USING unnest({0}, {1}, {2}) x (e, a, d) "
        "WHERE eid = e AND attr = a AND dataset = d",
    ),
    "superseded_at": (
        ("bigint[]", "int[]", "text[]", "bigint[]", "bigint[]"),
        "UPDATE history SET superseded = w FROM unnest({0}, {1}, {2}, {3}, {4}) x (e, a, d, t, w) "
        "WHERE eid = e AND attr = a AND dataset = d AND at = t AND superseded IS NULL",
    ),
    "history": (
        _HISTORY,
        "INSERT INTO history (eid, attr, dataset, at, recorded, superseded, number, observed, num, "
        "kind, body) "
        "SELECT * FROM unnest({0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10})",
    ),
    "journal": (
        _JOURNAL,
        "INSERT INTO journal (seq, at, kind, id, typeset, scope, created, modified, expires, "
        "touched, before, after) "
        "SELECT q, t, k, i, s, c::text[], cr, m, x, tc, b, a "
        "FROM unnest({0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}) "
        "y (q, t, k, i, s, c, cr, m, x, tc, b, a)",
    ),
    "position": (
        ("text[]", "bigint[]"),
        "INSERT INTO position (reader, seq) SELECT * FROM unnest({0}, {1}) "
        "ON CONFLICT (reader) DO UPDATE SET seq = excluded.seq",
    ),
    "counters": (
        ("bigint[]", "bigint[]", "bigint[]"),
        "UPDATE counters SET seq = s, stamp = greatest(stamp, t), eid = e "
        "FROM unnest({0}, {1}, {2}) x (s, t, e)",
    ),
}
"""Part of a statement to the types of its columns and its SQL, in the order they are written."""

SUPERSEDE_LATER: Final = """
UPDATE history h SET superseded = m.w FROM (
  SELECT found.place, min(found.w) AS w FROM (
    SELECT l.ctid AS place, w FROM unnest($1::bigint[], $2::int[], $3::text[], $4::bigint[],
      $5::bigint[]) x (e, a, d, t, w) JOIN history l
      ON l.eid = e AND l.attr = a AND l.dataset = d AND l.at = t AND l.superseded IS NULL
    UNION ALL
    SELECT l.ctid, w FROM unnest($6::bigint[], $7::int[], $8::text[], $9::bigint[], $10::bigint[])
      x (e, a, d, t, w) JOIN history l
      ON l.eid = e AND l.attr = a AND l.dataset = d AND l.at > t AND l.superseded IS NULL
    UNION ALL
    SELECT l.ctid, w FROM unnest($11::bigint[], $12::int[], $13::bigint[], $14::bigint[])
      x (e, a, n, w) JOIN history l
      ON l.eid = e AND l.attr = a AND l.number = n AND l.superseded IS NULL
  ) found GROUP BY 1
) m WHERE h.ctid = m.place
"""
"""Supersede by time, by 'later than' and by number at once: the earliest reason wins."""


LAST_HEADS: Final = """
UPDATE object o SET typeset = h.num::int,
  scope = ARRAY(SELECT jsonb_array_elements_text(h.body::jsonb -> 'scope'))
FROM (
  SELECT DISTINCT ON (eid) eid, num, body FROM history
  WHERE attr = 0 AND superseded IS NULL AND body IS NOT NULL
    AND ($1::bigint[] IS NULL OR eid = ANY ($1))
  ORDER BY eid, at DESC, recorded DESC
) h WHERE o.eid = h.eid AND NOT EXISTS (SELECT FROM entity e WHERE e.eid = o.eid)
"""
"""Let deleted objects ($1; null: all) say what their last heads in history do."""

_BY_DRIVER: Final = frozenset({"text[]", "bytea[]"})
"""Types whose arrays the driver writes; others travel as the text of an array."""


@dataclass(slots=True)
class Arrays:
    """Rows on their way into the parts of one statement, one after the other in a flat list.

    So a row costs no object that the garbage collector would have to look at again and again.
    """

    flat: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, part: str, *values: Any) -> None:
        """Add one row to a part."""
        rows = self.flat.get(part)
        if rows is None:
            self.flat[part] = list(values)
        else:
            rows.extend(values)

    def statement(self) -> tuple[str, list[Any]]:
        """Give the SQL of all parts that have rows, and its arguments."""
        present = tuple(part for part in PARTS if part in self.flat)
        arguments: list[Any] = []
        for part in present:
            types, _ = PARTS[part]
            width = len(types)
            for number, kind in enumerate(types):
                column = self.flat[part][number::width]
                arguments.append(column if kind in _BY_DRIVER else _literal(column))
        return _sql(present), arguments


def _literal(column: list[Any]) -> str:
    """Write numbers as the text of an array: the driver takes several times as long."""
    return "{" + ",".join(["NULL" if one is None else str(one) for one in column]) + "}"


@lru_cache(maxsize=256)
def _sql(present: tuple[str, ...]) -> str:
    number = 0
    ctes = []
    for part in present:
        types, sql = PARTS[part]
        places = [
            f"${number + n}::{kind}"
            if kind in _BY_DRIVER
            else f"${number + n}::text::{kind.replace('word', 'text')}"
            for n, kind in enumerate(types, 1)
        ]
        number += len(types)
        ctes.append(f"{part}_ AS ({sql.format(*places)})")
    return "WITH " + ",\n".join(ctes) + "\nSELECT 1"


def array_literal(items: Sequence[str | int]) -> str:
    """Write a PostgreSQL array as text: arrays of arrays of different lengths travel so.

    >>> array_literal([1, 2]), array_literal(["/a", 'b"c'])
    ('{1,2}', '{"/a","b\\\\"c"}')
    """
    return "{" + ",".join(map(_quoted, items)) + "}"


def _quoted(item: str | int) -> str:
    if isinstance(item, int):
        return str(item)
    escaped = item.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

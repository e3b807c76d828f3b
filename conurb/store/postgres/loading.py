"""What the writer asks of the database before it decides.

`LOAD` gives what is held of objects; `FIRSTS` which series have live rows; `HEADS` live heads by
their times; `LIVE` the live history of attributes.
"""

from __future__ import annotations

from typing import Final

from conurb.store.postgres.rows import ENTITY_COLUMNS, HISTORY_COLUMNS
from conurb.store.postgres.schema import HEAD_TERM

LOAD: Final = f"""
SELECT o.eid AS eid, o.id AS id, o.head_at, o.attrs, o.datasets, {ENTITY_COLUMNS}
FROM object o LEFT JOIN entity e ON e.eid = o.eid WHERE o.id = ANY ($1::text[])
"""
FIRSTS: Final = """
SELECT n FROM unnest($1::bigint[], $2::int[], $3::text[]) WITH ORDINALITY x (e, a, d, n)
WHERE EXISTS (SELECT FROM history h WHERE h.eid = e AND h.attr = a AND h.dataset = d
  AND h.superseded IS NULL)
"""
HEADS: Final = """
SELECT e, t, h.body FROM unnest($1::bigint[], $2::bigint[]) x (e, t) JOIN history h
ON h.eid = e AND h.attr = 0 AND h.dataset = '' AND h.at = t AND h.superseded IS NULL
"""
LIVE: Final = f"""
SELECT {HISTORY_COLUMNS} FROM history JOIN term ON tid = attr
WHERE eid = $1 AND (attr = ANY ($2::int[]) OR ($3 AND attr <> {HEAD_TERM})) AND superseded IS NULL
ORDER BY iri, dataset, at, recorded
"""

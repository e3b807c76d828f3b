"""Objects that never were before, written as they are: what imports consist of.

Every document of such an object is put together from the texts of its instances, so that each is
written as JSON once; what the rows mean is said by `conurb.store.rows.Birth`.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from conurb.model.operations.expiry import next_expiry
from conurb.model.time import BEGINNING, fixed_us
from conurb.store.postgres.geometry import ewkb
from conurb.store.postgres.names import Names
from conurb.store.postgres.schema import HEAD_TERM
from conurb.store.postgres.statement import Arrays, array_literal
from conurb.store.postgres.values import json_text, number_of, regular
from conurb.store.rows import Birth, head_body

_CREATED: Final = '"":"created"'


def add_birth(
    arrays: Arrays, names: Names, birth: Birth, *, eid: int, seq: int
) -> set[tuple[int, str]]:
    """Add the rows of one object; give its series (term, datasetId or '')."""
    entity, stamp = birth.entity, birth.stamp_us
    number = stamp
    series: list[tuple[int, str]] = []
    documents: list[str] = []
    touched: list[str] = []
    flat: dict[str, Any] = {}
    for attribute, instances in entity.attrs.items():
        tid = names.tid(attribute)
        key = names.json_key(tid)
        texts: list[str] = []
        created: list[str] = []
        for instance in instances:
            text = json_text(instance, entity.id)
            dataset = instance.get("datasetId") or ""
            observed = instance.get("observedAt")
            at = BEGINNING if observed is None else fixed_us(observed)
            stated, value = observed is not None, number_of(instance)
            arrays.add(
                "history", eid, tid, dataset, at, stamp, None, number, stated, value, None, text
            )
            if instance["type"] == "GeoProperty":
                arrays.add("geometry", eid, tid, dataset, not texts, ewkb(instance["value"]))
            number += 1
            series.append((tid, dataset))
            texts.append(text)
            created.append(f'{orjson.dumps(dataset).decode()}:"created"' if dataset else _CREATED)
        flat[str(tid)] = regular(instances[0]) if len(instances) == 1 else None
        documents.append(f"{key}:[{','.join(texts)}]")
        touched.append(f"{key}:{{{','.join(created)}}}")
    sid, scope = names.sid(entity.types), array_literal(entity.scope)
    head, document = json_text(head_body(entity), entity.id), "{" + ",".join(documents) + "}"
    born, said = birth.born_us, "{" + ",".join(touched) + "}"
    times = entity.created_at, entity.modified_at, entity.expires_at
    arrays.add(
        "history", eid, HEAD_TERM, "", born, stamp, None, number, False, float(sid), None, head
    )
    series.sort()
    tids, datasets = [tid for tid, _ in series], [dataset for _, dataset in series]
    arrays.add(
        "object",
        *(eid, entity.id, born, sid, scope, array_literal(tids), array_literal(datasets)),
    )
    due, values = next_expiry(entity), orjson.dumps(flat).decode()
    arrays.add("entity", eid, entity.id, sid, scope, *times, due, document, values)
    arrays.add(
        "journal", seq, stamp, "created", entity.id, sid, scope, *times, said, "{}", document
    )
    return set(series)

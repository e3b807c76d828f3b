"""Objects that never were before are written by a short way; it must come to the same rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import apsw
import pytest

from conurb.model.context import core_terms
from conurb.model.entity import Entity
from conurb.model.operations.entity import AppendAttributes, CreateEntity, DeleteEntity
from conurb.model.parse import parse_entity, parse_fragment
from conurb.model.text import TextEntity, write_out
from conurb.model.time import Stamps
from conurb.store.engines import open_store
from conurb.store.ledger import Ledger
from conurb.store.rows import Rows
from conurb.store.sqlite.values import regular

NOW = 1_800_000_000_000_000
TABLES = ("entity", "history", "journal", "geo", "multitype", "term")

DOCUMENTS: tuple[dict[str, Any], ...] = (
    {"id": "urn:x:bare", "type": "T"},
    {"id": "urn:x:plain", "type": "T", "p": {"type": "Property", "value": 5}},
    {
        "id": "urn:x:observed",
        "type": ["T", "U"],
        "scope": ["/a/b", "/c"],
        "expiresAt": "2099-01-01T00:00:00Z",
        "early": {"type": "Property", "value": 1.5, "observedAt": "2001-01-01T00:00:00Z"},
        "late": {"type": "Property", "value": "x", "observedAt": "2099-01-01T00:00:00.25Z"},
        "always": {"type": "Relationship", "object": "urn:x:plain"},
    },
    {
        "id": "urn:x:several",
        "type": "T",
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [120, 31]}},
        "area": {
            "type": "GeoProperty",
            "value": {"type": "LineString", "coordinates": [[120, 31], [121, 32]]},
        },
        "p": [
            {"type": "Property", "value": True, "datasetId": "urn:d:1"},
            {"type": "Property", "value": {"deep": [1, None]}},
            {
                "type": "Property",
                "value": 7,
                "datasetId": "urn:d:2",
                "observedAt": "2020-01-01T00:00:00Z",
                "quality": {"type": "Property", "value": 0.5},
                "expiresAt": "2098-01-01T00:00:00Z",
            },
        ],
    },
)
ENTITIES = [parse_entity(document, core_terms()) for document in DOCUMENTS]
TEXTS: list[Entity] = [
    TextEntity(
        one.id,
        one.types,
        scope=one.scope,
        expires_at=one.expires_at,
        text=write_out(one.attrs, regular),
    )
    for one in ENTITIES
]


def decided(entities: list[Entity], *, the_long_way: bool) -> Rows:
    ledger = Ledger(Stamps(lambda: NOW))
    for entity in entities:
        if the_long_way:
            ledger._pending.unstored.add(entity.id)
        ledger.decide(CreateEntity(entity))
    return ledger.take_rows(set(), {})


@pytest.mark.parametrize("batch", [ENTITIES, TEXTS])
def test_a_birth_stands_for_the_rows_of_the_long_way(batch: list[Entity]) -> None:
    short, long = decided(batch, the_long_way=False), decided(ENTITIES, the_long_way=True)
    assert short.history == long.history
    assert short.journal == long.journal
    assert short.state == long.state
    assert not short.births


def test_an_object_written_again_in_its_group_is_no_birth_any_more() -> None:
    fragment = parse_fragment({"p": {"type": "Property", "value": 6}}, core_terms(), nulls=False)

    def run(*, the_long_way: bool) -> Rows:
        ledger = Ledger(Stamps(lambda: NOW))
        for entity in ENTITIES:
            if the_long_way:
                ledger._pending.unstored.add(entity.id)
            ledger.decide(CreateEntity(entity))
        ledger.decide(AppendAttributes("urn:x:plain", fragment))
        ledger.decide(DeleteEntity("urn:x:several"))
        return ledger.take_rows(set(), {})

    short, long = run(the_long_way=False), run(the_long_way=True)
    assert sorted(short.history, key=repr) == sorted(long.history, key=repr)
    assert short.journal == long.journal
    assert short.superseded_after == long.superseded_after
    assert short.state == long.state


@pytest.mark.parametrize("batch", [ENTITIES, ENTITIES[::-1], TEXTS, TEXTS[::-1]])
async def test_sqlite_writes_births_as_it_writes_rows(
    tmp_path: Path, batch: list[Entity], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def written(name: str, batch: list[Entity]) -> dict[str, list[tuple[Any, ...]]]:
        store = open_store(tmp_path / name, clock=lambda: NOW)
        await store.open()
        await store.apply([CreateEntity(entity) for entity in batch])
        assert await store.check() == []
        await store.close()
        connection = apsw.Connection(str(tmp_path / name))
        rows = {
            table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
            for table in TABLES
        }
        connection.close()
        return rows

    short = await written("short.db", batch)
    take_rows = Ledger.take_rows
    monkeypatch.setattr(
        Ledger, "take_rows", lambda self, firsts, heads, births: take_rows(self, firsts, heads)
    )
    order = [entity.id for entity in batch]
    plain = sorted(ENTITIES, key=lambda entity: order.index(entity.id))
    assert _by_name(await written("long.db", plain)) == _by_name(short)


def _by_name(rows: dict[str, list[tuple[Any, ...]]]) -> dict[str, list[tuple[Any, ...]]]:
    """Put names in place of the short names, which are given in order of first use."""
    names = dict(rows["term"])
    plain = {table: rows[table] for table in ("journal", "multitype")}
    plain["history"] = [
        (row[0], names[row[1]], names.get(row[2]), *row[3:8], row[9]) for row in rows["history"]
    ]
    plain["geo"] = [(*row[:6], names[row[6]], *row[7:]) for row in rows["geo"]]
    plain["entity"] = [(*row[:2], names.get(row[2]), *row[3:10], row[11]) for row in rows["entity"]]
    plain["multitype"] = [(names[row[0]], row[1]) for row in rows["multitype"]]
    return {table: sorted(values, key=repr) for table, values in plain.items()}

"""The bounds of one node: every page, batch and walk has one, and it has a name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much one request may ask for.

    `page` is what a query gives when it doesn't say, `page_max` what it gives at most. `batch_max`
    is the entities of one batch; `join_level_max` and `join_entities_max` bound the walk to linked
    entities; `purge_max` the entities that one purge takes. `tenants_max` bounds the tenants of a
    process, `snapshots_max` and `entity_maps_max` those of a tenant; `snapshot_max` the entities of
    one snapshot, `entity_map_max` those of one map, `entity_maps_ids_max` those of all maps.
    `journal_keep_s` is how long entries of the journal are kept that every reader has passed, in
    seconds; 0 for ever.
    """

    page: int = 20
    page_max: int = 1000
    batch_max: int = 10_000
    join_level_max: int = 10
    join_entities_max: int = 10_000
    purge_max: int = 1_000_000
    tenants_max: int = 1000
    snapshots_max: int = 100
    snapshot_max: int = 100_000
    entity_maps_max: int = 1000
    entity_map_max: int = 100_000
    entity_maps_ids_max: int = 1_000_000
    journal_keep_s: int = 0

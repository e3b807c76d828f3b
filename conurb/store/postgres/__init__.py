"""The production engine: one schema of a PostgreSQL 15+ database with PostGIS holds one node.

`engine.PostgresStore` is the contract of `conurb.store.contract`; `schema` says which tables there
are and why; `write` commits groups, `compile` turns a query tree into SQL, `evolution` reads
history, `transfer` exports, restores and checks. asyncpg (extra `postgres`) is imported when the
first store is opened.
"""

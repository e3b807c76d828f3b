"""Where one node's objects live: one contract, two engines.

`contract` says what an engine does; `sqlite` is embedded and needs no setup; `postgres` (with
PostGIS) is for production. `open_store` chooses by URL or path.
"""

"""The embedded engine: one SQLite file per node (WAL, R*Tree, expression indexes), no setup."""

"""The protocols that a node speaks; the one table from error to HTTP status."""

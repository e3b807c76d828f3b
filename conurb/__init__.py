"""Conurb: the open platform for a cluster of smart cities.

Every city is a node that owns its objects; nodes federate, by an open standard, into one region;
systems and strategy read and write the same objects. `docs/architecture.md` draws the house.
"""

from typing import Any

__version__ = "0.1.0"
__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    """Import `conurb.connect` when it is asked for: the client is heavy, the version isn't."""
    if name == "connect":
        from conurb.client.connection import connect

        return connect
    raise AttributeError(f"module 'conurb' has no attribute {name!r}")

"""Conurb: the open platform for a cluster of smart cities.

Every city is a node that owns its objects; nodes federate, by an open standard, into one region;
systems and strategy read and write the same objects. `docs/architecture.md` draws the house.
"""

__version__ = "0.1.0"

"""Many nodes as one region: registrations, routing, merging, and who answered.

A region is a node whose registrations point to other nodes (ETSI GS CIM 009 v1.9.1, clauses 4.3.6
and 5.2.9). Nodes of the same process are called directly, others over HTTP, behind one `Peer`.
"""

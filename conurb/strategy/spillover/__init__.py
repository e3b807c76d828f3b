"""Spillover: what happens in a city because of its neighbours.

`weights` says who is whose neighbour and `distance` makes them from geometry and figures; `moran`
asks whether neighbours are alike; `model` fits spatial panels, `choice` tests between them,
`impacts` reads them; `did` and `rings` are the quasi-experimental counterparts.
"""

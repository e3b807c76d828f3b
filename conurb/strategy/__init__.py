"""Strategy: does it make the region better, and how do we know.

Siblings that never import each other and meet in `panel`: `green` (efficiency, productivity,
intensity, decoupling), `spillover` (weights, spatial dependence, spatial panels). They need the
extra `strategy` (numpy, scipy, highspy); nothing below this room imports it.
"""

"""Strategy: does it make the region better, and how do we know.

Siblings that never import each other and meet in `panel` (and in the arithmetic beside it:
`linear`, `sphere`): `index` (scores from indicator trees), `green` (efficiency, productivity,
intensity, decoupling), `effect` (what a policy did), `mechanism` (through which channel),
`spillover` (weights, spatial dependence, spatial panels), `network` (links between cities, and what
they make). They need the extra `strategy`; nothing below this room imports it.
"""

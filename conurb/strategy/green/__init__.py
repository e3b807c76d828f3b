"""The green economy: what a city makes out of labour, capital and energy, and what it emits.

`production` holds the figures, `sbm` and `directional` measure efficiency against a frontier,
`productivity` its change over years; `intensity`, `decoupling` and `decomposition` need no
frontier. Linear programs are solved by HiGHS in `program`.
"""

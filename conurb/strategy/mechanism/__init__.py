"""Mechanism: through which channel does a policy work.

Three channels (innovation, industry, energy), each a set of columns named in `roles`. `upgrading`
makes the industry's indices, `mediation` asks how much of an effect runs through a mediator,
`channels` runs them all and says "not computable: lacks X" where figures are missing.
"""

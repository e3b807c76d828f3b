"""The query language: one small syntax tree, its parsers, and what it means for one entity.

`tree` is the tree. `q`, `types`, `scope`, `geo`, `temporal`, `order`, `select` read text into it;
`pattern` makes regular expressions portable. `match` decides whether one entity satisfies it
(subscriptions, and the reference that engines are tested against), over the `targets` of paths and
the `automaton` of patterns; `ranking` is the order of answers. The engines in `conurb.store`
compile the same tree to SQL.
"""

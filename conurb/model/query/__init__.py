"""The query language as one small syntax tree, its parsers, and the matcher for one entity.

`tree` is the tree; `q`, `geo`, `scope`, `types`, `temporal`, `order` parse text into it; `match`
decides whether one entity satisfies it (subscriptions, and the reference that engines are tested
against); the engines in `conurb.store` compile the same tree to SQL.
"""

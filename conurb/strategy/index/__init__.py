"""Index: scores from a tree of indicators, how sure their ranks are, and what each is made of.

`tree` is what a definition is and `definition` reads it from its file; `normalise`, `weights` and
`aggregate` are the arithmetic; `score` computes, `contributions` takes a score apart down to cells,
`uncertainty` draws weights and missing figures anew; `checklist` is for definitions that are
questions with evidence instead of figures.
"""

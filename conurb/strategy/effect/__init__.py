"""Policy effect: did it work, and how sure can one be.

From a treatment table and an outcome to estimates that say what they compare. `study` lines the
figures up, each estimator is a module of its own, `battery` runs them all into one table.
"""

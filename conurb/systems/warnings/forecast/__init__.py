"""When a pollution arrives: carried by the wind (`air`), or downstream along rivers (`water`).

Both give an arrival per city with what is uncertain about it, and say by which model. `rivers` is
the graph of the Delta's waters.
"""

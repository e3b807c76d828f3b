"""Where transport's data come from in the Delta, and how each source is read.

Nothing of these sources ships: an operator points at the files. `metro` and `rail` make timetables
of published networks, `shanghai` replays recorded road indices, `points` reads the state of car
parks and toll stations, `simulated` makes up what nobody publishes, and says so.
"""

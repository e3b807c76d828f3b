"""Roads that stop at an administrative border while another waits on its far side.

`roads` reads road lines, `find` finds the gaps by geometry alone, `score` says what each costs (the
way round) and whom it would serve, `objects` writes them down.
"""

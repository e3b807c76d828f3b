"""Network: the region as points and areas, measured by links and by what cities make.

`links` from masses and distance, `trains` from timetables; `centrality`, `classes`, `radiation`
and `communities` read links; `ranksize`, `industry` and `coupling` read figures.
"""

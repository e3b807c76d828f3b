"""One graph of a region's transport, across city borders, and what it answers.

`graph` is the graph; `building` makes it of timetables, walks, roads and cities; `reach` asks it
for travel times, a matrix between cities, isochrones; `departures` answers from the timetable
itself. Times are what one may expect, in seconds: a ride as the timetable has it, a wait of half
the time between two vehicles.
"""

"""Transport of a region: timetables, live state, one network across city borders, dead-end roads.

| part | what it is |
|---|---|
| `gtfs/` | GTFS and GTFS-Realtime, read and written; timetables as objects and back |
| `siri/` | SIRI: stops, vehicles, estimated timetables, situations; read and written |
| `datex` | DATEX II situations and measured traffic, read |
| `live` | what is happening: positions, calls, notices, flows; as objects and back |
| `sources/` | the Delta's metro and trains, Shanghai's road indices, car parks, toll stations |
| `network/` | one graph of the region: travel times, isochrones, departures |
| `deadends/` | roads that stop at a border while another waits on its far side |

Everything but `system`, `endpoints`, `connectors`, `commands` and `site` is pure: values in, values
out. Live standards meet in the values of `live`, so that a position that came by SIRI goes out by
GTFS-Realtime.
"""

"""GTFS Schedule and GTFS-Realtime: https://gtfs.org, the references of 2026-01 and 2.0.

`tables` says what the files hold, `reading` and `writing` read and write them, `calendar` says
which services run on a day, `objects` makes objects of them and `export` files of objects;
`realtime` reads and writes the protocol buffers of GTFS-Realtime.
"""

"""Warnings: one event out of many cities' alerts, told in time and to those whom it concerns.

Pure: `cap` is the Common Alerting Protocol and its carriers; `areas` says which cities an alert is
for, `kinds` what it speaks of; `compose` makes messages, `lifecycle` says what they do to each
other; `events` makes one regional event of what several cities say; `quality` judges air and water
and when that raises a warning; `forecast` says where air and water carry a pollution, and when.

At a node: `receiving` takes messages in; `watch_air`, `watch_water` and `alarms` raise warnings
(`raising`); `regional` hears a region and merges, `arrivals` forecasts, `expiring` ends; `desk`,
`endpoints` and `commands` are for people; `replay` and `sources` bring data. `system` is the door.
"""

"""Warnings: one event out of many cities' alerts, told in time and to those whom it concerns.

`cap` is the Common Alerting Protocol and its carriers; `areas` says which cities an alert is for;
`lifecycle` what update, cancel and all-clear do; `events` makes one regional event of what several
cities say; `forecast` where air and water carry a pollution and when; `quality` classes of air and
water and when they raise a warning. Those are pure; `reactions`, `endpoints`, `desk`, `replay` and
`commands` bring them to a node. `system` is the door.
"""

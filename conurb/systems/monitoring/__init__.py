"""Monitoring: sensors of bridges, ground, water and air; what they say, and when it is wrong.

Speaks OGC SensorThings 1.1 over the same objects (`sensorthings`), takes NMEA, RTCM and MQTT/JSON
in (`sources`), resamples and detects on the server (`series`, `detect`), and raises an alarm as an
`Alert` object that says why.
"""

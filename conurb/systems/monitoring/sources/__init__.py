"""Where measurements come from besides SensorThings: JSON, NMEA and RTCM, recordings, simulation.

The options of the system name them, one table each:

    [[system.monitoring.json]]     # MQTT topics, or lines of files
    [[system.monitoring.nmea]]     # a receiver's positions, over TCP or from files
    [[system.monitoring.rtcm]]     # a reference station's messages, over TCP
"""

"""What an object is: entity, attributes, geometry, time, units, @context, and the query language.

Pure: nothing in this room reads a clock, a file, a socket or a database.
"""

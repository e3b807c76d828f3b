"""The Common Alerting Protocol 1.2 (OASIS) and what carries it, as pure functions on bytes.

`alert` is the message in types, `read` and `write` its XML, `rules` what the standard's text asks
beyond the schema, `signature` its XML-DSig; `atom` and `edxl` are the feed and the envelope that
alerts travel in. Nothing here knows of objects, nodes or time of day.
"""

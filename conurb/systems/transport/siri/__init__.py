"""SIRI 2.0 (CEN/TS 15531): real-time information about public transport, in XML.

`xml` reads and writes documents safely, `reading` takes what a delivery tells as live values, and
says what any other message of SIRI is; `writing` makes deliveries of live values and answers
requests.
"""

"""Connectors at work: a feed for each kind of source, and the task that reads and stores.

`feed_of` gives the feed of a source. A feed streams messages from where the source was left, and is
told what has been stored. `task` batches what waits and stores it with the source's position.
"""

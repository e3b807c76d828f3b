"""Write semantics, pure: each operation decides the `Change` that it makes to one object.

`conurb.model.changes` says how an engine uses them. `entity` holds the operations on a whole
object, `attribute` those on one attribute, `temporal` those on its history, `expiry` what happens
to transient things; `state` builds the change that all of them give.
"""

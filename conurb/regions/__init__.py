"""Region packs: which cities form a region, their names, boundaries, roles and figures by year.

A pack is a folder (`conurb.regions.pack` says of what); `yrd` is the one that ships. `build` makes
a pack for any Chinese city cluster, `objects` turns it into objects, `load` puts them into the
nodes of a process.
"""

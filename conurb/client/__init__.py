"""The way in for notebooks and for the command line: `conurb.connect`, frames, and loading files.

`connection` speaks NGSI-LD to a node, remote or opened in this process, by one code path;
`frames` turns answers into (Geo)DataFrames; `mapping`, `readers` and `load` bring files in.
"""

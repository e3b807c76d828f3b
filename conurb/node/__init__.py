"""What one node does with objects: provide, consume, subscribe, notify, snapshots, tenants.

`node.Node` is the facade that the protocols call; each of its parts is a module of this package.
"""

"""The action areas of a city cluster: systems that meet in the object store alone.

Each is one folder that gives a `System` (`conurb.systems.contract`) and comes in through the
entry-point group `conurb.systems`, as any third-party package does. Systems never import each
other. `registry` finds them, `runner` runs them beside a node.
"""

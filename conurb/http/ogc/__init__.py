"""OGC APIs over the objects: Features (OGC 17-069r4, 18-058, 19-079r2) and Tiles (20-057).

Every type of objects is a collection, named by its term in the platform's @context. They are read
by the same code as NGSI-LD queries, so a region answers for its nodes and says who was missing.
"""

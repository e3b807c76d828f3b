"""Vector tiles: the squares of WebMercatorQuad, their encoding (MVT 2.1), and what fits on one.

Pure functions: a store reads, these draw. `quad` is the geometry of the squares, `mvt` the bytes,
`draw` takes shapes to the grid of a tile, `thin` makes many points few.
"""

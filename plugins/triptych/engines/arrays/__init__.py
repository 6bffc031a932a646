"""Vectors that know no table and no file: masks, columns of text and bytes, hashes; the other families build on them.

For an engine's author: `text_columns` (columns of text worked through once per different value, joined back to bytes),
`slices` (pieces of a block as a column, without a copy), `runs` (where equal or consecutive values begin), `fnv1a` (a
hash that never changes), `bitmasks` (eight bytes' flags in one), `aliases` (what arrays hold, for annotations).
Memory: a few arrays of the length of what is given; nothing is kept between two calls.
"""

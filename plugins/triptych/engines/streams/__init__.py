"""Byte streams and threads: blocks as file objects, a stream prefetched, one function mapped over many items.

An engine's author uses `prefetch` between two stages that each keep a core busy, `map_ordered` where one function
takes long per item, and `BlockReader`/`OutputFile` for libraries that want a file. Memory: what waits is bounded, by
a number of items (`prefetch`) or by a share of the engine's memory (`map_ordered`).
"""

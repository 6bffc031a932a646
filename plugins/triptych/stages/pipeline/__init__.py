"""What goes on beside a chunk that runs: the next one's bytes are fetched, the last one's results are kept.

`trying` has the two halves of a try; `Ahead` and `Behind` have a thread each (`beside`). No script sees what they
handle: a chunk's bytes come into its folder when its turn has come, and results are taken out of the container's sight
before the next chunk begins.
"""

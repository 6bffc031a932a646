"""How tables are written as text: the one dialect of CSV and its kin, declared or found, and where its quotes count.

For an engine's author: `dialect` (what a dialect is, and what users declare of it), `finding` (what of it a file's
beginning shows), `quotes` (which bytes of a block are inside quotes). Needs no library but NumPy. Memory: a block.
"""

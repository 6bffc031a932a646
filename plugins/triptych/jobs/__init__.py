"""A job's data: what was asked for (`spec`), what is kept of it (`frozen`), where it lies (`workspace`), who does what
(`packs`).

`Job` gathers these for the entry points of the stages and for who calls them; all below takes what it reads.
"""

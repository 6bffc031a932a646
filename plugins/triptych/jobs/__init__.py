"""A job's data: what was asked for (`spec`), what is frozen of it (`plan`, `code`), where it lies (`workspace`), who
does what (`packs`), and what counts of it (`pack_log`).

`Job` gathers these for the entry points of the stages and for who calls them; all below takes what it reads.
"""

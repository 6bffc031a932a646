"""The first rows of a table that somebody else wrote, for the console: Parquet, Excel, and what a zip holds.

`asking.first_rows` is what others call: it starts a process (`python -m triptych.engines.previews`) that has none of
our environment, a bound for memory and for CPU time, and no file: it asks for ranges of bytes and gives texts.
Whatever a file makes of its reader there, the one who asked hears one sentence. No engine uses it.
"""

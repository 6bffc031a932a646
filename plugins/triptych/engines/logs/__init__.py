"""Log files: entries of one or many lines, in order of their timestamps.

For an engine's author: `entries.log_runs` gives each file (a source or a result, plain or packed) as a run for
`sorting.external_merge`, ordered `BY_TIME`. `stamps` tells which lines begin an entry, and when; `timestamps` declares
the forms that are known, and makes one of a strptime format; what they mean is for `times` to read. Memory: a batch of
lines, and one entry, no longer than a line may be.
"""

"""Sorting beyond memory: the one external merge sort, and the keys that order text, numbers and dates exactly.

For an engine's author: `external_merge.merged` (or `write_merged`, for output that may be begun again) puts batches of
records in order; `keyed` makes such a batch of keys and records. `order.Order` says how keys are compared, `sort_keys`
makes keys of columns of text, as `name:number:desc` asks; `ranks` gives quantiles of numbers. Memory: SORTED_SHARE of
the engine's for what is sorted at once, which is there twice; then a piece of PIECE_SHARE of each run that is merged.
"""

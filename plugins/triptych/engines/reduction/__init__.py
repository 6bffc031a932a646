"""Many results into one: running statistics, and what replicas of one input are.

For an engine's author: `running_statistics.Statistics`, of numbers (exact sums) or of arrays of one shape;
`aggregates` and `decimals`, of groups, with numbers as they are written;
`replicas.Replica`, which `replicate` tells `vote`. Memory: numbers, or one array, per statistic, however many records.
"""

"""Links: URLs by which anybody reads, or writes, one object for a while, signed with a store's own credentials.

A module per vendor; each knows how long its link can last, and refuses one that would die before its time.
"""

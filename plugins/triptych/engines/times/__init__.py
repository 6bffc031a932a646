"""Times written as text, a column at a time: the one reader of times behind dates, sort keys and logs.

For an engine's author: `parsing` makes `ParsedTimes` of a column of text (ISO 8601, numbers since 1970, strptime's
formats); their `utc(zone)` and `local(zone)` are columns of microseconds since 1970, `order(zone)` those that order to
the nanosecond. `spellings` turns what is written otherwise (nine digits, ` +0800`, ` CET`) into what is read in
vectors; `zones` finds a time zone by name, and converts such columns; `calendar` gives the calendar's fields of local
times. Memory: a few arrays of a column's length; each different text is looked at by itself only where no vector does.
"""

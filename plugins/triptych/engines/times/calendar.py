"""The calendar's fields of times in a column: what a clock and a calendar on the wall show."""

from __future__ import annotations

from datetime import datetime, tzinfo

from triptych.engines.arrays.aliases import Codes
from triptych.engines.times.parsing import ParsedTimes
from triptych.engines.times.zones import EPOCH, MICROSECOND, quarters


def local_quarters(times: ParsedTimes, zone: tzinfo) -> tuple[list[datetime | None], Codes]:
    """The quarters of an hour, as clocks in `zone` show them, that the times lie in; and for each time its index.

    Datetimes without tzinfo, each once, and int64: ["2026-01-01T10:07", "2026-01-01T10:14", "x"] -> [10:00, None],
    [0, 0, 1]. Before 1973 they are seconds. None is no time, or lies outside of the years 1 to 9999.
    """
    local = times.local(zone)
    begins, codes = quarters(local.fill_null(0).to_numpy(zero_copy_only=False))
    moments = [_within_calendar(begin) for begin in begins.tolist()]
    if local.null_count:
        codes[local.is_null().to_numpy(zero_copy_only=False)] = len(moments)
        moments.append(None)
    return moments, codes


def _within_calendar(time_us: int) -> datetime | None:
    try:
        return EPOCH.replace(tzinfo=None) + time_us * MICROSECOND
    except OverflowError:
        return None

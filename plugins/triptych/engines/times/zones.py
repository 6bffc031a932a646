"""Time zones by name, and whole columns between UTC and local time (what clocks in a zone show)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import pyarrow as pa

from triptych.engines.arrays.aliases import Codes, Microseconds
from triptych.errors import EngineError, JobSpecError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND_US = 1_000_000
QUARTER_US = 900 * SECOND_US
QUARTERS_SINCE_US = 94_694_400 * SECOND_US
"""From 1973 on all zones change at whole quarters of an hour (IANA's tz database; Africa/Monrovia was the last)."""


def find_zone(name: str) -> tzinfo:
    """The zone that IANA names so, such as Europe/Berlin. JobSpecError for a name that is none.

    EngineError where this machine has no time zone database at all, as some small images; UTC needs none.
    """
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if not available_timezones():
            msg = f"time_zone: {name!r} cannot be looked up: there is no time zone database. pip install tzdata."
            raise EngineError(msg) from error
        msg = f"time_zone: {name!r} is no time zone. Name one as IANA does, such as Europe/Berlin."
        raise JobSpecError(msg) from error


def quarters(times: Microseconds) -> tuple[Microseconds, Codes]:
    """The quarters of an hour that times lie in: when each begins, once, ascending; and for each time the index of its.

    00:07, 00:31, 00:14 (as int64 microseconds) -> [00:00, 00:30], [0, 1, 0]. Before 1973, when zones changed at any
    second, they are seconds. Within one of them a zone's offset is one.
    """
    step = np.where(times < QUARTERS_SINCE_US, SECOND_US, QUARTER_US)
    begins, codes = np.unique(times // step * step, return_inverse=True)
    return begins, codes


def utc_of_local(local: pa.Int64Array, zone: tzinfo) -> pa.Int64Array:
    """When clocks in the zone showed these times; of an hour that is shown twice, the first one.

    An hour that is left out counts on from before it (PEP 495, fold 0): 02:30 is what is 03:30 then.
    """
    return _moved(local, zone, _offset_of_local, -1)


def local_of_utc(instants: pa.Int64Array, zone: tzinfo) -> pa.Int64Array:
    """What clocks in the zone show at these times; null outside of the years 1 to 9999."""
    return _moved(instants, zone, _offset_of_utc, 1)


def _moved(times: pa.Int64Array, zone: tzinfo, offset: Callable[[int, tzinfo], int | None], sign: int) -> pa.Int64Array:
    """Python is asked for the offset of each quarter of an hour once."""
    if times.null_count == len(times) or zone.utcoffset(None) == timedelta():
        return times
    values = times.fill_null(0).to_numpy(zero_copy_only=False)
    begins, codes = quarters(values)
    offsets = [offset(begin, zone) for begin in begins.tolist()]
    shift = np.array([each or 0 for each in offsets], np.int64)
    outside = np.array([each is None for each in offsets], np.bool_)
    is_null = times.is_null().to_numpy(zero_copy_only=False)
    return pa.array(values + sign * shift[codes], mask=is_null | outside[codes])


def _offset_of_local(time_us: int, zone: tzinfo) -> int | None:
    try:
        return _in_us((EPOCH + time_us * MICROSECOND).replace(tzinfo=zone).utcoffset())
    except OverflowError:
        return None


def _offset_of_utc(time_us: int, zone: tzinfo) -> int | None:
    try:
        return _in_us((EPOCH + time_us * MICROSECOND).astimezone(zone).utcoffset())
    except OverflowError:
        return None


def _in_us(offset: timedelta | None) -> int:
    return (offset or timedelta()) // MICROSECOND

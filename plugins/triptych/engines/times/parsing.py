"""Times written as text, a column at a time, as microseconds since 1970 in UTC; null is what is no time."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from triptych.engines.arrays.text_columns import by_unique
from triptych.engines.runtime.resources import need

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
QUARTER = 900 * SECOND
QUARTERS_SINCE = 63_072_000 * SECOND
"""From 1972 on all zones change at whole quarters of an hour (IANA's tz database)."""
YEAR_1 = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // MICROSECOND
ZONED = r"[T ].*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$"


def of_iso(texts: Any, zone: tzinfo) -> Any:
    """ISO 8601, as large strings; a time that names no zone is in `zone`."""
    pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
    # Most often all are as the first is; one that is not costs a failure for each value.
    first = next((text for text in texts[:1].to_pylist() if text), "")
    with suppress(pa.ArrowInvalid):
        return (_fixed if re.search(ZONED, first) else _walls)(texts, zone)
    zoned = pc.match_substring_regex(texts, ZONED)
    with suppress(pa.ArrowInvalid):
        return pc.coalesce(_fixed(pc.if_else(zoned, texts, None), zone), _walls(pc.if_else(zoned, None, texts), zone))
    return by_reader(texts, datetime.fromisoformat, zone)


def _walls(texts: Any, zone: tzinfo) -> Any:
    return _in_zone(_microseconds(texts, None), zone)


def _fixed(texts: Any, _: tzinfo) -> Any:
    return _microseconds(texts, "UTC")


def _microseconds(texts: Any, zone: str | None) -> Any:
    """ArrowInvalid for what does not name a zone, if there is one here, or names one, if there is none."""
    pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
    found = texts.cast(pa.timestamp("us", zone)).cast(pa.int64())
    if pc.any(pc.less(found, YEAR_1)).as_py():
        # Arrow reads a year 0 too.
        raise pa.ArrowInvalid
    return found


def by_reader(texts: Any, read: Callable[[str], datetime], zone: tzinfo) -> Any:
    """By a function that raises ValueError for what it cannot read; it is asked once for equal texts."""

    def instant(text: str) -> int | None:
        try:
            moment = read(text)
            return ((moment if moment.tzinfo else moment.replace(tzinfo=zone)) - EPOCH) // MICROSECOND
        except (ValueError, OverflowError):
            return None

    return by_unique(texts, instant, need("pyarrow", "tables").int64())


def _in_zone(walls: Any, zone: tzinfo) -> Any:
    """From what clocks show; Python is asked once for each quarter of an hour."""
    if walls.null_count == len(walls) or zone.utcoffset(None) == timedelta():
        return walls
    import numpy as np

    pa = need("pyarrow", "tables")
    shown = walls.fill_null(0).to_numpy(zero_copy_only=False)
    begins, places = quarters(shown)
    offsets = np.array([_offset(begin, zone) for begin in begins.tolist()], np.int64)
    return pa.array(shown - offsets[places], mask=walls.is_null().to_numpy(zero_copy_only=False))


def quarters(times: Any) -> tuple[Any, Any]:
    """When the quarters of an hour begin (seconds, before 1972) that these times (int64) are in, each once; and of each
    time which of them it is.
    """
    import numpy as np

    step = np.where(times < QUARTERS_SINCE, SECOND, QUARTER)
    begins, places = np.unique(times // step * step, return_inverse=True)
    return begins, places


def _offset(shown: int, zone: tzinfo) -> int:
    offset = (EPOCH + shown * MICROSECOND).replace(tzinfo=zone).utcoffset() or timedelta()
    return offset // MICROSECOND

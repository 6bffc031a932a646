"""What columns of dates and times mean in a time zone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from triptych.engines.runtime.resources import need
from triptych.engines.times.parsing import EPOCH, MICROSECOND, SECOND, quarters

LATEST_S = 100_000_000_000
"""Larger numbers (beyond the year 5138) are milliseconds."""
_CLOCK = r"[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?"
_NUMBER = r"^-?(?:\d{1,7}|\d{9,15})(?:\.\d*)?$"
"""Eight digits are a date of ISO 8601's basic format."""


def local_moments(texts: Any, formats: Sequence[str], zone: tzinfo) -> tuple[list[datetime | None], Any]:
    """Moments in the zone, and of which of them each text is, exact to a quarter of an hour; None is no time.

    `texts` is a pyarrow array. `formats` are strptime's; without them texts are ISO 8601, or seconds since 1970, or
    milliseconds. What has no zone is in the zone.
    """
    import numpy as np

    pa, pc = need("pyarrow", "tables"), need("pyarrow.compute", "tables")
    moments: list[datetime | None] = []
    codes = np.empty(len(texts), np.int64)
    rest = np.ones(len(texts), bool)
    for form, read, moment in () if formats else _READERS:
        mask = pc.match_substring_regex(texts, form).to_numpy(zero_copy_only=False)
        try:
            begins, places = quarters(read(texts.filter(pa.array(mask))))
        except pa.ArrowInvalid:
            continue  # One of them is none, such as the 30th of February: all are looked at one by one.
        codes[mask] = places + len(moments)
        moments += [_within_calendar(moment, begin, zone) for begin in begins.tolist()]
        rest &= ~mask
    others = texts.filter(pa.array(rest)).to_pylist()
    codes[rest] = np.arange(len(others)) + len(moments)
    return moments + [_parsed(text, tuple(formats), zone) for text in others], codes


def _walls(texts: Any) -> Any:
    return _cast(texts, None)


def _instants(texts: Any) -> Any:
    return _cast(texts, "UTC")


def _cast(texts: Any, zone: str | None) -> Any:
    pa = need("pyarrow", "tables")
    return texts.cast(pa.timestamp("us", zone)).cast(pa.int64()).to_numpy()


def _numbers(texts: Any) -> Any:
    import numpy as np

    numbers = texts.cast(need("pyarrow", "tables").float64()).to_numpy()
    return np.floor(np.where(np.abs(numbers) < LATEST_S, numbers, numbers / 1000)).astype(np.int64) * SECOND


def _of_wall_clock(time: int, zone: tzinfo) -> datetime:
    return (EPOCH + time * MICROSECOND).replace(tzinfo=zone)


def _of_instant(time: int, zone: tzinfo) -> datetime:
    return (EPOCH + time * MICROSECOND).astimezone(zone)


_READERS: tuple[tuple[str, Callable[[Any], Any], Callable[[int, tzinfo], datetime]], ...] = (
    (rf"^\d{{4}}-\d\d-\d\d(?:{_CLOCK})?$", _walls, _of_wall_clock),
    (rf"^\d{{4}}-\d\d-\d\d{_CLOCK}(?:Z|[+-]\d\d:?\d\d)$", _instants, _of_instant),
    (_NUMBER, _numbers, _of_instant),
)
"""Of each common form: what it looks like, its microseconds since 1970, and what such a time means."""


def _within_calendar(moment: Callable[[int, tzinfo], datetime], time: int, zone: tzinfo) -> datetime | None:
    try:
        return moment(time, zone)
    except OverflowError:
        return None


@lru_cache(maxsize=100_000)
def _parsed(text: str, formats: Sequence[str], zone: tzinfo) -> datetime | None:
    try:
        moment = _declared(text, formats) if formats else _undeclared(text)
        return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
    except (ValueError, OverflowError):
        return None


def _undeclared(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        number = float(text)
        return EPOCH + timedelta(seconds=number if abs(number) < LATEST_S else number / 1000)


def _declared(text: str, formats: Sequence[str]) -> datetime:
    for form in formats:
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    raise ValueError(text)

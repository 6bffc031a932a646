"""Amounts as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

NOTHING = "-"
"""Stands for what nothing tells."""
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024


def duration(seconds: float | None) -> str:
    """0.0123 -> `12 ms`, 4.2 -> `4.20 s`, 75 -> `1 min 15 s`, 7500 -> `2 h 5 min`; a dash for None."""
    if seconds is None:
        return NOTHING
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE_S - 0.05:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < HOUR_S:
        return _two(whole, MINUTE_S, 1, "min", "s")
    if whole < DAY_S:
        return _two(whole, HOUR_S, MINUTE_S, "h", "min")
    return _two(whole, DAY_S, HOUR_S, "d", "h")


def size(count: float | None) -> str:
    """1536 -> `1.50 KiB`; a dash for None."""
    if count is None:
        return NOTHING
    if count == 1:
        return "1 byte"
    unit = 0
    while count >= _STEP and unit < len(_UNITS) - 1:
        count, unit = count / _STEP, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if not unit else f"{count:.3g} {_UNITS[unit]}"


def number(value: float | None, digits: int = 3) -> str:
    """12345.6 -> `12,346`, 0.01234 -> `0.0123`, 0.00000012 -> `0.000000`; a dash for None."""
    if value is None:
        return NOTHING
    if value == int(value) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.6f}" if value < 0.0001 else f"{value:.{digits}g}"


def percent(share: float | None) -> str:
    """0.1234 -> `12 %`, 0.0123 -> `1.2 %`; a dash for None."""
    if share is None:
        return NOTHING
    return f"{share * 100:.1f} %" if 0 < share < 0.1 else f"{share * 100:.0f} %"


def moment(seconds: float | None) -> str:
    """As `2026-11-27 01:02:03 UTC`; a dash for None, and for what no calendar has."""
    try:
        return NOTHING if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError, ValueError):
        return NOTHING


def plural(count: int, word: str, more: str = "") -> str:
    """1 -> `1 chunk`, 2000 -> `2,000 chunks`; `more` is the plural where it is no `s`."""
    return f"{count:,} {word if count == 1 else more or f'{word}s'}"


def _two(whole: int, large: int, small: int, large_unit: str, small_unit: str) -> str:
    rest = whole % large // small
    return f"{whole // large:,} {large_unit}" + (f" {rest} {small_unit}" if rest else "")

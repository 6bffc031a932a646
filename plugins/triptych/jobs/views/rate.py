"""How fast a job goes, and how long it will take: from what was counted since somebody looked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Speed:
    """Chunks a second, and the seconds until all are done; None before the first chunk has ended."""

    per_s: float | None
    left_s: float | None

    def told(self) -> str:
        """`; 12.3 chunks/s, about 1:12 left`; empty where nothing is known."""
        if self.per_s is None:
            return ""
        rate = f"{self.per_s:.1f} chunks/s" if self.per_s >= 1 else f"{self.per_s * 60:.1f} chunks/min"
        return f"; {rate}" + ("" if not self.left_s else f", about {clock(self.left_s)} left")


class Rate:
    """Counts from the first look; what had ended before it took until then from `since`, where that is known."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._first: tuple[float, int] | None = None
        self._since: float | None = None

    def saw(self, ended: int, left: int, since: float | None = None) -> Speed:
        """After so many chunks have ended; `since` is when the first of them began, in seconds since the epoch."""
        now = self._now()
        if self._first is None:
            self._first, self._since = (now, ended), since
        start, before = self._first
        if ended > before and now > start:
            per_s = (ended - before) / (now - start)
        elif ended and self._since is not None and now > self._since:
            per_s = ended / (now - self._since)
        else:
            return Speed(None, None)
        return Speed(per_s, left / per_s)


def clock(seconds: float | None) -> str:
    """`0:42`, `1:03:20`; `-` for None."""
    if seconds is None:
        return "-"
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"

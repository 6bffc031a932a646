"""The time of the long run, shared by its surfaces: what the quick ones leave, the others have."""

from __future__ import annotations

import time
from collections.abc import Callable


class TimeIsUpError(BaseException):
    """Ends a surface; no Exception, which Hypothesis would take for a failure and call again."""


class Budget:
    """So many seconds from now on, by this clock."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._end = now() + seconds

    def share(self, surfaces: int) -> float:
        """When the next one of so many surfaces ends: each has an equal part of what is left."""
        now = self._now()
        return now + max(0.0, self._end - now) / surfaces

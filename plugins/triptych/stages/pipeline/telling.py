"""How a pack goes, in the log of its task: a line now and then, for who looks there while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable

from triptych.harmless import harmless_logger
from triptych.jobs.packs import Pack
from triptych.jobs.views.rate import Rate

PAUSE_S = 10.0
"""No two lines are nearer to each other."""
_log = harmless_logger(__name__)


class Telling:
    """Counts the chunks of a pack that have ended; the job's own line is `triptych job watch`, of all packs' logs."""

    def __init__(self, pack: Pack, done: int, now: Callable[[], float] = time.monotonic) -> None:
        """So many of the pack's chunks had a result before."""
        self._pack = pack
        self._done, self._failed = done, 0
        self._now = now
        self._told = now()
        self._rate = Rate(now)
        self._rate.saw(done, pack["count"] - done)

    def heard(self, has_failed: bool) -> None:
        """Another chunk has ended."""
        self._failed += has_failed
        self._done += not has_failed
        if self._now() - self._told >= PAUSE_S:
            self._told = self._now()
            _log.info("%s", self.line())

    def line(self) -> str:
        """`Chunks 0 to 499: 117 done, 3 failed, 380 left; 12.3 chunks/s, about 0:31 left`."""
        first, count = self._pack["first"], self._pack["count"]
        ended = self._done + self._failed
        speed = self._rate.saw(ended, count - ended)
        counts = f"{self._done:,} done, {self._failed:,} failed, {count - ended:,} left"
        return f"Chunks {first} to {first + count - 1}: {counts}{speed.told()}"

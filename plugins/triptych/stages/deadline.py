"""A job's time limit for the stages that run in the main thread: what runs is stopped when it is over."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from triptych.jobs.job import Job, check_time, time_is_over


class _ExpiredError(BaseException):
    """Not an Exception: no engine's own error handling takes it for a failure of its work."""


@contextmanager
def within_time(job: Job) -> Iterator[None]:
    """TimeLimitError when the job's time is over, or ends meanwhile: as Ctrl-C, by a signal, whatever is going on.

    Outside the main thread, which alone gets signals, only what was over before.
    """
    check_time(job)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _expire)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(job.deadline - time.time(), 1e-3))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _ExpiredError:
        raise time_is_over(job) from None
    finally:
        signal.signal(signal.SIGALRM, before)


def _expire(number: int, frame: FrameType | None) -> None:
    raise _ExpiredError

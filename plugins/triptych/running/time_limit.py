"""Ending what runs too long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def time_limit(seconds: float | None, end: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `end`, once and from another thread, when the context lasts longer; the event is set before that.

    No limit where `seconds` is None.
    """
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        end()

    timer = threading.Timer(seconds or threading.TIMEOUT_MAX, expire)
    timer.daemon = True
    timer.start()
    try:
        yield expired
    finally:
        timer.cancel()

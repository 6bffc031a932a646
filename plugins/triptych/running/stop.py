"""Ending a job from outside: what runs is ended at once, nothing more is begun."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stop:
    """Asked for once, from any thread. Whoever waits for a script then gets KeyboardInterrupt."""

    def __init__(self) -> None:
        self._asked = False
        self._lock = threading.Lock()
        self._ends: list[Callable[[], None]] = []

    def ask(self) -> None:
        """End what is registered now; whoever registers later is ended at once."""
        with self._lock:
            self._asked = True
            enders = list(self._ends)
        for end in enders:
            end()

    def check(self) -> None:
        """KeyboardInterrupt when the stop was asked for."""
        if self._asked:
            raise KeyboardInterrupt

    @contextmanager
    def register(self, end: Callable[[], None]) -> Iterator[None]:
        """While the context lasts a stop calls `end`, at once when it was asked for before; then it is raised."""
        with self._lock:
            self._ends.append(end)
            asked = self._asked
        try:
            if asked:
                end()
            yield
        finally:
            with self._lock:
                self._ends.remove(end)
        self.check()

"""The containers of an attempt, each of which has one chunk at a time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

from triptych.running import Session, Stop
from triptych.stages.pipeline.beside import LAST_S, Beside

T = TypeVar("T")


@dataclass(frozen=True)
class Lane:
    """One of them: its session, and the folder of the attempt's that is its own."""

    work: Path
    session: Session


class Lanes(Generic[T]):
    """Has work done in whichever lane is free; its one user asks for what comes of it, in the order of its end.

    A single lane works while it is begun, in its user's own thread; each of several in a thread of its own.
    """

    def __init__(self, lanes: Sequence[Lane], stop: Stop) -> None:
        """`stop` is asked where an error ends them: what runs then is ended, too."""
        self._stop = stop
        self._free = list(reversed(lanes))
        self._beside = {lane.work: Beside[T](f"triptych-{lane.work.name}") for lane in lanes} if len(lanes) > 1 else {}
        self._busy = 0
        self._ended = SimpleQueue[tuple[Lane, Future[T]]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """After an error wait for what runs no longer than it takes to be ended: LAST_S for all of them together."""
        if error is not None and self._busy:
            self._stop.ask()
        end = time.monotonic() + LAST_S
        for beside in self._beside.values():
            beside.end(max(0.0, end - time.monotonic()))

    @property
    def is_free(self) -> bool:
        """Whether a lane can begin something."""
        return bool(self._free)

    @property
    def is_busy(self) -> bool:
        """Whether something was begun whose `next` was not asked for."""
        return self._busy > 0

    def begin(self, work: Callable[[Lane], T]) -> None:
        """Have it done in a free lane."""
        lane = self._free.pop()
        self._busy += 1
        if self._beside:
            future = self._beside[lane.work].begin(partial(work, lane))
        else:
            future = Future()
            future.set_result(work(lane))
        future.add_done_callback(lambda done: self._ended.put((lane, done)))

    def next(self) -> T:
        """What came of the first that ended, once there is one. Raises what it raised."""
        lane, future = self._ended.get()
        self._busy -= 1
        self._free.append(lane)
        return future.result()

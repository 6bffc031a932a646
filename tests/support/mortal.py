"""Ends an attempt at a chosen request to its stores, as a kill does: nothing that it does afterwards has an effect."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from triptych.storage import Store

WRITES = (
    "put",
    "put_if_absent",
    "put_replacing",
    "stage",
    "stage_copy",
    "release",
    "discard",
    "delete",
    "delete_version",
)
READS = ("stat", "list", "stream", "read", "read_range", "waiting")


class Killed(BaseException):
    """No error that anybody handles."""


@dataclass
class Life:
    """Which writing requests were made, in order; `die` is called at number `last`, before or after its effect."""

    last: int
    after: bool
    die: Callable[[], None]
    asked: list[str] = field(default_factory=list)
    is_over: bool = False


def _raise() -> None:
    raise Killed


@contextmanager
def mortal(store: type[Store], last: int, after: bool = False, die: Callable[[], None] = _raise) -> Iterator[Life]:
    """Until the context ends, all stores of this class are of one attempt that ends at its writing request `last`."""
    life = Life(last, after, die)
    lock = threading.Lock()

    def over() -> None:
        life.is_over = True
        life.die()

    def watched(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def ask(self: Store, uri: object, *args: object, **options: object) -> object:
            with lock:
                if life.is_over:
                    raise Killed
                is_last = False
                if name not in READS:
                    is_last = len(life.asked) == life.last
                    life.asked.append(f"{name} {getattr(uri, 'uri', uri)}")
                if is_last and not life.after:
                    over()
            answer = real(self, uri, *args, **options)
            if is_last:
                over()
            return answer

        return ask

    with ExitStack() as stack:
        for name in (*WRITES, *READS):
            stack.enter_context(mock.patch.object(store, name, watched(name, getattr(store, name))))
        yield life

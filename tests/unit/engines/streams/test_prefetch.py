"""Items made in a thread ahead of their use."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from triptych.engines.streams.prefetch import AHEAD, prefetch


def test_items_come_in_order_and_an_error_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield from range(20)
        msg = "broken"
        raise OSError(msg)

    found: list[int] = []
    with pytest.raises(OSError, match="broken"):
        found.extend(prefetch(items()))
    assert found == list(range(20))


def test_no_more_than_a_few_are_made_ahead() -> None:
    made, threads = itertools.count(), threading.active_count()
    items = prefetch(iter(lambda: next(made), None))
    assert next(items) == 0
    items.close()
    assert next(made) <= 1 + AHEAD
    assert threading.active_count() == threads


def test_items_are_made_in_the_context_of_their_user() -> None:
    mark: ContextVar[str] = ContextVar("mark")
    token = mark.set("mine")
    assert list(prefetch(mark.get() for _ in range(AHEAD + 1))) == ["mine"] * (AHEAD + 1)
    mark.reset(token)

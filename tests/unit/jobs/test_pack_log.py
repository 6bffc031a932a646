"""The log of a pack with many writers at once: one winner for each chunk, nothing lost, readers see prefixes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.pack_logs import planned, tried
from triptych.errors import StorageError
from triptych.jobs.pack_log import Attempted, PackLog, PackState, read_states
from triptych.jobs.plan import Plan
from triptych.jobs.workspace import Workspace
from triptych.storage import ObjectInfo, Store

CHUNKS = 3


class Turns:
    """Lets one of several threads go on at a time, from one request to the store to the next, as it is told."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: set[str] = set()
        self._alive: set[str] = set()
        self._chosen = ""

    def wait(self) -> None:
        """Called by a thread before each request: goes on when it is chosen."""
        name = threading.current_thread().name
        with self._condition:
            if name not in self._alive:
                return
            self._waiting.add(name)
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._chosen == name)
            self._chosen = ""
            self._waiting.discard(name)

    def run(self, actors: dict[str, Callable[[], None]], choose: Callable[[list[str]], str]) -> None:
        """Start the actors and let them take turns until all have ended."""
        self._alive = set(actors)
        threads = [threading.Thread(target=self._acting, args=(name, act), name=name) for name, act in actors.items()]
        for thread in threads:
            thread.start()
        with self._condition:
            while True:
                self._condition.wait_for(lambda: not self._chosen and self._waiting == self._alive)
                if not self._alive:
                    break
                self._chosen = choose(sorted(self._waiting))
                self._condition.notify_all()
        for thread in threads:
            thread.join()

    def _acting(self, name: str, act: Callable[[], None]) -> None:
        try:
            act()
        finally:
            with self._condition:
                self._alive.discard(name)
                self._waiting.discard(name)
                if self._chosen == name:
                    self._chosen = ""
                self._condition.notify_all()


class Memory:
    """What a log needs of a store, in memory; each request is a turn. Of some puts that were done the answer is lost"""

    def __init__(self, turns: Turns, loses: Callable[[], str]) -> None:
        self.objects: dict[str, bytes] = {}
        self._turns = turns
        self._loses = loses

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self._turns.wait()
        found = [ObjectInfo(uri, len(data), "") for uri, data in self.objects.items() if uri.startswith(prefix)]
        return iter(found)

    def read(self, uri: str) -> bytes:
        self._turns.wait()
        return self.objects[uri]

    def put_if_absent(self, uri: str, data: bytes) -> bool:
        self._turns.wait()
        loss = self._loses()
        is_new = uri not in self.objects
        if is_new and loss != "refused":
            self.objects[uri] = data
        if loss == "repeated":  # The client asks again, and meets what it has put.
            return False
        if loss != "kept":
            raise StorageError(loss)
        return is_new


@dataclass
class History:
    """What happened: each read in the order of its end; tries whose `append` came back, and those that may be lost."""

    reads: list[tuple[int, PackState]] = field(default_factory=list)
    kept: list[Attempted] = field(default_factory=list)
    written: list[Attempted] = field(default_factory=list)


def _write(workspace: Workspace, plan: Plan, batches: Sequence[Sequence[Attempted]], history: History) -> None:
    """One attempt: it goes on after an error, as a stage does that is tried again."""
    log = PackLog(workspace, plan, plan.packs[0])
    for batch in batches:
        history.written.extend(batch)
        try:
            log.append(batch)
        except StorageError:
            continue
        history.kept.extend(batch)


def _read(workspace: Workspace, plan: Plan, times: int, history: History) -> None:
    for _ in range(times):
        (_, state) = read_states(workspace, plan, readers=1)[plan.packs[0]]
        history.reads.append((plan.generation, state))


@st.composite
def _batches(draw: st.DrawFn, attempt: str) -> list[list[Attempted]]:
    serial = 0
    made = []
    for _ in range(draw(st.integers(1, 3))):
        batch = []
        for chunk in draw(st.lists(st.integers(0, CHUNKS - 1), min_size=1, max_size=3)):
            error = draw(st.sampled_from([None, "failed"]))
            batch.append(tried(chunk, attempt, serial, error))
            serial += 1
        made.append(batch)
    return made


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_interleaving_of_writers_and_readers(data: st.DataObject) -> None:
    turns, history = Turns(), History()
    losses = st.sampled_from(["kept"] * 6 + ["repeated", "lost", "refused"])
    # Drawn before: only the test's own thread may draw.
    lost = iter(data.draw(st.lists(losses, min_size=60, max_size=60)))
    memory = Memory(turns, lambda: next(lost, "kept"))
    workspace, plan = Workspace(cast("Store", memory), "mem://w"), planned(CHUNKS)
    actors: dict[str, Callable[[], None]] = {}
    for name in [f"writer-{n}" for n in range(data.draw(st.integers(1, 3)))]:
        batches = data.draw(_batches(name))
        actors[name] = lambda batches=batches: _write(workspace, plan, batches, history)  # type: ignore[misc]  # mypy cannot type a lambda's default
    actors["reader"] = lambda: _read(workspace, plan, 4, history)
    order = iter(data.draw(st.lists(st.integers(0, 100), min_size=200, max_size=200)))
    turns.run(actors, lambda names: names[next(order, 0) % len(names)])
    final = read_states(workspace, plan, readers=1)[plan.packs[0]][1]
    _judge(history, final)


def _judge(history: History, final: PackState) -> None:
    before = PackState()
    for _, state in [*history.reads, (0, final)]:
        # A prefix of the truth: what was seen once is seen ever after, in the same order.
        assert {chunk: state.done[chunk] for chunk in before.done} == before.done
        assert state.failures[: len(before.failures)] == before.failures
        before = state
    known = {each.key: each for each in history.written}
    mentioned = [*final.done.values(), *final.failures]
    assert len({each.key for each in mentioned}) == len(mentioned)
    assert all(known[each.key] == each for each in mentioned)
    for each in history.kept:
        if each.error is None:
            assert each.chunk in final.done
        else:
            assert each in final.failures or each.chunk in final.done

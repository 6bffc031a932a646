"""The log of a pack with many writers at once: one winner for each chunk, nothing lost, readers see prefixes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import greenlet  # type: ignore[import-untyped]  # Its stubs are a package of their own, for six lines.
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.support.pack_logs import planned, tried
from triptych.errors import StorageError
from triptych.jobs.pack_log import Attempted, PackLog, PackState, read_states
from triptych.jobs.plan import Plan
from triptych.jobs.workspace import Workspace
from triptych.storage import ObjectInfo, Store

CHUNKS = 3
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
"""All but `explain`, which traces every line."""


class Turns:
    """Lets one of several actors go on at a time, from one request to the store to the next, as it is told."""

    def __init__(self) -> None:
        self._hub = greenlet.getcurrent()

    def wait(self) -> None:
        """Called before each request: an actor goes on when it is its turn again, others at once."""
        if greenlet.getcurrent().parent is self._hub:
            self._hub.switch()

    def run(self, actors: Mapping[str, Callable[[], None]], choose: Callable[[list[str]], str]) -> None:
        """Start the actors and let them take turns until all have ended."""
        alive = {name: greenlet.greenlet(act, parent=self._hub) for name, act in actors.items()}
        while alive:
            name = choose(sorted(alive))
            alive[name].switch()
            if alive[name].dead:
                del alive[name]


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


@settings(max_examples=400, deadline=None, phases=PHASES)
@given(data=st.data())
def test_any_interleaving_of_writers_and_readers(data: st.DataObject) -> None:
    turns, history = Turns(), History()
    chance = random.Random(data.draw(st.integers(0, 1 << 32)))
    memory = Memory(turns, lambda: chance.choice(["kept"] * 6 + ["repeated", "lost", "refused"]))
    workspace, plan = Workspace(cast("Store", memory), "mem://w"), planned(CHUNKS)
    actors: dict[str, Callable[[], None]] = {}
    for name in [f"writer-{n}" for n in range(data.draw(st.integers(1, 3)))]:
        batches = data.draw(_batches(name))
        actors[name] = lambda batches=batches: _write(workspace, plan, batches, history)  # type: ignore[misc]  # mypy cannot type a lambda's default
    actors["reader"] = lambda: _read(workspace, plan, 4, history)
    turns.run(actors, chance.choice)
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


@settings(max_examples=200, deadline=None, phases=PHASES)
@given(data=st.data())
def test_a_zombie_of_an_older_plan_changes_nothing_of_the_next(data: st.DataObject) -> None:
    """Plan 1 keeps what plan 0's log held when it was made; what attempts of plan 0 write later never counts in it."""
    turns, history = Turns(), History()
    memory = Memory(turns, lambda: "kept")
    workspace, old = Workspace(cast("Store", memory), "mem://w"), planned(CHUNKS)
    pack = old.packs[0]
    for batch in data.draw(_batches("before")):
        log = PackLog(workspace, old, pack)
        log.read()
        log.append(batch)
    position, kept = read_states(workspace, old, readers=1)[pack]
    is_rerun = data.draw(st.booleans())
    plan = planned(CHUNKS, generation=1, kept={} if is_rerun else {0: {pack.key: position.number}})
    base = PackState() if is_rerun else kept
    zombie, fresh = data.draw(_batches("zombie")), data.draw(_batches("fresh"))
    actors: dict[str, Callable[[], None]] = {
        "zombie": lambda: _write(workspace, old, zombie, History()),
        "fresh": lambda: _write(workspace, plan, fresh, history),
        "reader": lambda: _read(workspace, plan, 4, history),
    }
    turns.run(actors, random.Random(data.draw(st.integers(0, 1 << 32))).choice)
    final = read_states(workspace, plan, readers=1)[pack][1]
    for _, state in history.reads:
        mentioned = [*state.done.values(), *state.failures]
        assert not any(each.attempt == "zombie" for each in mentioned)
    assert {chunk: final.done[chunk] for chunk in base.done} == base.done
    history.written.extend([*base.done.values(), *base.failures])
    _judge(history, final)


def test_a_failure_counts_in_its_own_round_only() -> None:
    state = PackState().merged(tried(0, "a", n, "failed", round_=str(n // 2)) for n in range(5))
    assert [len(state.of_round(0, str(n))) for n in range(4)] == [2, 2, 1, 0]
    assert state.merged([tried(0, "a", 5)]).merged([tried(0, "b", 0, "late")]).failures == state.failures

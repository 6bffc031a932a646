"""The log of a pack: which attempt's files are the result of each chunk, and why others failed.

An entry is an object under the next number, put if absent, and holds the whole state: the entry before, merged with
what is new. So the highest entry is all that a reader needs, and any entry is a prefix of the truth.
"""

from __future__ import annotations

import re
import time
from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from triptych.errors import EngineError
from triptych.jobs.plan import FORMAT, Plan, PlannedPack
from triptych.jobs.records import read_record
from triptych.jobs.workspace import Workspace, to_json
from triptych.storage import SMALL_BYTES

_NUMBER = re.compile("[0-9]{1,18}")
READERS = 16
"""So many packs' entries are read at once."""


@dataclass(frozen=True)
class ResultFile:
    """One file of a result: `name` relative, with `/`; `size` bytes from `offset` of the workspace's `object`.

    Where `offset` is None the object is this file and no more.
    """

    name: str
    size: int
    sha256: str
    object: str
    offset: int | None = None


@dataclass(frozen=True)
class LogPart:
    """What one try printed: `length` bytes from `offset` of the workspace's `object`."""

    object: str
    offset: int
    length: int


@dataclass(frozen=True)
class Attempted:
    """One try at one chunk; `error` is None when its files are the result. Measures are None where nothing told."""

    chunk: int
    attempt: str
    """The attempt's token, unique in the job."""
    serial: int
    """The number of this try among those of the attempt, from 0."""
    round: str
    """A launch or a repair: tries of another round do not count against its limit."""
    started: float
    """Seconds since the epoch, by the worker's clock."""
    seconds: float
    worker: str
    bytes_in: int = 0
    cpu_seconds: float | None = None
    peak_memory_bytes: int | None = None
    exit_code: int | None = None
    error: str | None = None
    files: tuple[ResultFile, ...] = ()
    log: LogPart | None = None
    cache: str = ""
    """Of a cacheable app: `hit` where the result is an earlier job's, else why there was none to take."""

    @property
    def key(self) -> tuple[str, int]:
        """By which two mentions of one try are known to be the same."""
        return self.attempt, self.serial

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """As an entry holds it."""
        files = tuple(ResultFile(**file) for file in data["files"])
        log = LogPart(**data["log"]) if data["log"] else None
        return cls(**{**data, "files": files, "log": log})


@dataclass(frozen=True)
class PackState:
    """The first success of each chunk, by its number, and the failures before it, in the order of their arrival."""

    done: Mapping[int, Attempted] = field(default_factory=dict)
    failures: tuple[Attempted, ...] = ()

    def merged(self, new: Iterable[Attempted]) -> PackState:
        """With these tries: the first success stays, failures are added until then, nothing is mentioned twice."""
        done, failures = dict(self.done), list(self.failures)
        known = {each.key for each in failures}
        for each in new:
            if each.chunk in done or each.key in known:
                continue
            if each.error is None:
                done[each.chunk] = each
            else:
                failures.append(each)
                known.add(each.key)
        return PackState(done, tuple(failures))

    def of_round(self, chunk: int, round_: str) -> list[Attempted]:
        """The failures of this chunk in this round."""
        return [each for each in self.failures if each.chunk == chunk and each.round == round_]

    def to_json(self) -> dict[str, Any]:
        """As an entry holds it; `from_json` reads it back."""
        return {
            "done": [asdict(each) for each in self.done.values()],
            "failures": [asdict(each) for each in self.failures],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """What `to_json` wrote."""
        done = [Attempted.from_json(each) for each in data["done"]]
        failures = tuple(Attempted.from_json(each) for each in data["failures"])
        return cls({each.chunk: each for each in done}, failures)


@dataclass(frozen=True)
class Position:
    """The entry that a state was read from: `number` of the log of `generation`; number 0 is before the first."""

    generation: int
    number: int


class PackLog:
    """One pack's log under one plan. `state` and `position` are what the last `read` or `append` saw, if any did."""

    def __init__(self, workspace: Workspace, plan: Plan, pack: PlannedPack) -> None:
        self._workspace = workspace
        self._plan = plan
        self._pack = pack
        self.state = PackState()
        self.position = Position(plan.generation, 0)
        self._was_read = False

    def read(self) -> PackState:
        """The state of the highest entry, or of the older plan's that is kept; empty before the first."""
        prefix = _prefix(self._plan.generation, self._pack)
        numbers = [_number(name) for name in self._workspace.names(prefix)]
        self.position = _position(self._plan, self._pack, max(numbers, default=0))
        self.state = _read(self._workspace, self._pack, self.position)
        self._was_read = True
        return self.state

    def append(self, new: Sequence[Attempted]) -> PackState:
        """Make these tries part of the log, whoever else writes to it; the state with them.

        A success of a chunk that another's success precedes is left out: look for the winner in the state.
        """
        if not self._was_read:
            self.read()  # What is kept of an older plan must not be missing from the first entry.
        merged = self.state.merged(new)
        while merged != self.state:
            number = self.position.number + 1 if self.position.generation == self._plan.generation else 1
            if self._put(number, merged):
                self.position, self.state = Position(self._plan.generation, number), merged
                return merged
            # Another's entry, or our own whose answer was lost: then nothing is left to add.
            merged = self.read().merged(new)
        return self.state

    def _put(self, number: int, state: PackState) -> bool:
        data = {
            "format": FORMAT,
            "plan": self._plan.generation,
            "pack": [self._pack.first, self._pack.count],
            "entry": number,
            "written": time.time(),
            **state.to_json(),
        }
        name = entry_name(self._plan.generation, self._pack, number)
        entry = to_json(data)
        if len(entry) > SMALL_BYTES:
            msg = (
                f"The log of chunks {self._pack.first} to {self._pack.first + self._pack.count - 1} would be "
                f"{len(entry) >> 20} MiB, and is read up to {SMALL_BYTES >> 20}. Let each chunk write fewer files, or "
                "launch with fewer chunks in a task (config.chunksPerTask)."
            )
            raise EngineError(msg)
        return self._workspace.store.put_if_absent(self._workspace.uri(name), entry)


States = Mapping[PlannedPack, tuple[Position, PackState]]
"""Of each pack, its state and the entry that it was read from."""


def read_states(workspace: Workspace, plan: Plan, readers: int = READERS, known: States | None = None) -> States:
    """Every pack's state and where it was read, from one listing and an object per pack.

    Of packs that are where they were in `known`, which was read of the same plan, nothing is read again.
    """
    positions = _positions(workspace, plan)
    before = known or {}
    same = {pack: before[pack] for pack, at in positions if pack in before and before[pack][0] == at}
    todo = [each for each in positions if each[0] not in same]
    with ThreadPoolExecutor(readers) as pool:
        states = pool.map(lambda each: _read(workspace, *each), todo)
        read = {pack: (at, state) for (pack, at), state in zip(todo, states, strict=True)}
    return {pack: same.get(pack) or read[pack] for pack in plan.packs}


def stream_states(
    workspace: Workspace, plan: Plan, readers: int = READERS
) -> Generator[tuple[PlannedPack, PackState], None, None]:
    """Every pack's state, in the order of the plan: memory holds those that `readers` have read ahead."""
    with closing(stream_changed(workspace, plan, {}, readers)) as states:
        for pack, _, state in states:
            yield pack, state


def stream_changed(
    workspace: Workspace, plan: Plan, known: Mapping[PlannedPack, Position], readers: int = READERS
) -> Generator[tuple[PlannedPack, Position, PackState], None, None]:
    """The packs that are not where they were in `known`, likewise; of the others nothing is read."""
    waiting: deque[tuple[PlannedPack, Position, Future[PackState]]] = deque()
    with ThreadPoolExecutor(readers) as pool:
        for pack, position in _positions(workspace, plan):
            if known.get(pack) == position:
                continue
            waiting.append((pack, position, pool.submit(_read, workspace, pack, position)))
            if len(waiting) > readers:
                yield _result(waiting.popleft())
        yield from map(_result, waiting)


def _result(
    waiting: tuple[PlannedPack, Position, Future[PackState]],
) -> tuple[PlannedPack, Position, PackState]:
    pack, position, state = waiting
    return pack, position, state.result()


def _positions(workspace: Workspace, plan: Plan) -> list[tuple[PlannedPack, Position]]:
    """Of each pack where its state is, from one listing."""
    highest: dict[str, int] = defaultdict(int)
    for name in workspace.names(f"commits/{plan.generation}/"):
        key = name.split("/")[2]
        highest[key] = max(highest[key], _number(name))
    return [(pack, _position(plan, pack, highest[pack.key])) for pack in plan.packs]


def entry_name(generation: int, pack: PlannedPack, number: int) -> str:
    """Where an entry lies in the workspace; numbers count from 1, in eight digits, so that a listing is in order."""
    return f"{_prefix(generation, pack)}{number:08d}.json"


def _prefix(generation: int, pack: PlannedPack) -> str:
    return f"commits/{generation}/{pack.key}/"


def _number(name: str) -> int:
    """Of an entry; 0 for what is none, which is nobody's of ours."""
    number = name.rpartition("/")[2].removesuffix(".json")
    return int(number) if _NUMBER.fullmatch(number) else 0


def _position(plan: Plan, pack: PlannedPack, highest: int) -> Position:
    """The pack's last entry under this plan, or the one that it keeps: of the newest older plan that has one."""
    if highest:
        return Position(plan.generation, highest)
    kept = [(generation, packs[pack.key]) for generation, packs in plan.kept.items() if packs.get(pack.key)]
    return Position(*max(kept)) if kept else Position(plan.generation, 0)


def _read(workspace: Workspace, pack: PlannedPack, position: Position) -> PackState:
    if not position.number:
        return PackState()
    name = entry_name(position.generation, pack, position.number)
    return read_record(workspace.store.read(workspace.uri(name)), workspace.uri(name), PackState.from_json)

"""One pass over a job's chunks: a few numbers of each try in arrays, and failures by their message."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from triptych.jobs.pack_log import Attempted
from triptych.jobs.report import ChunkReport, ChunkState
from triptych.reports.messages import pattern_of

MOST_GROUPS = 1000
"""Messages that are told apart; failures of a job that has more are one group."""
MANY = "other messages"
EXAMPLES = 3
"""Failures of a group that are kept whole."""
MOST_REASON_LETTERS = 4000
UNKNOWN = -1.0
"""Stands in arrays for a measure that nothing told."""


class Ending(IntEnum):
    """How a try ended, as the page's colours tell it."""

    DONE = 0
    CACHED = 1
    RETRIED = 2
    """It failed, and another try had a result."""
    FAILED = 3


@dataclass(frozen=True)
class Example:
    """One failure as it was."""

    chunk: int
    name: str
    reason: str
    tried: Attempted


@dataclass
class Failures:
    """All failed tries of one message and exit code."""

    message: str
    exit_code: int | None
    tries: int = 0
    chunks_failed: int = 0
    """Chunks whose last try this is, and that have no result."""
    chunks_mended: int = 0
    """Chunks that failed so at least once, and have a result."""
    seconds: float = 0.0
    first: int = 0
    """The lowest number of such a chunk."""
    last: int = -1
    """The highest so far: chunks come by number."""
    examples: list[Example] = field(default_factory=list)


class Tally:
    """What is kept of a job's chunks: 60 bytes of a try, and no text but workers and attempts, and failures' groups."""

    def __init__(self) -> None:
        self.chunks = dict.fromkeys(ChunkState, 0)
        self.chunk, self.worker, self.attempt = array("L"), array("L"), array("L")
        self.begin, self.seconds = array("d"), array("d")
        self.cpu_seconds, self.peak_bytes = array("d"), array("d")
        self.bytes_in = array("d")
        self.ending = array("b")
        self.workers: dict[str, int] = {}
        self.failures: dict[tuple[str, int | None], Failures] = {}
        self.bytes_done_in = self.bytes_out = 0
        self.rounds: set[str] = set()
        self._attempts: dict[str, int] = {}

    @property
    def tries(self) -> int:
        """All that are told."""
        return len(self.chunk)

    def see(self, chunks: Iterable[ChunkReport]) -> None:
        """Count all of these in."""
        for chunk in chunks:
            self.chunks[chunk.state] += 1
            if chunk.state is ChunkState.DONE:
                self.bytes_done_in += chunk.entry.size
                self.bytes_out += chunk.bytes_out or 0
            for number, tried in enumerate(chunk.tries):
                self._see(chunk, tried, is_last=number == len(chunk.tries) - 1)

    def _see(self, chunk: ChunkReport, tried: Attempted, *, is_last: bool) -> None:
        self.chunk.append(tried.chunk)
        self.worker.append(self.workers.setdefault(tried.worker, len(self.workers)))
        self.attempt.append(self._attempts.setdefault(tried.attempt, len(self._attempts)))
        self.begin.append(tried.started)
        self.seconds.append(max(0.0, tried.seconds))
        self.cpu_seconds.append(UNKNOWN if tried.cpu_seconds is None else tried.cpu_seconds)
        self.peak_bytes.append(UNKNOWN if tried.peak_memory_bytes is None else tried.peak_memory_bytes)
        self.bytes_in.append(tried.bytes_in)
        self.rounds.add(tried.round)
        if tried.error is None:
            self.ending.append(Ending.CACHED if tried.cache == "hit" else Ending.DONE)
            return
        is_done = chunk.state is ChunkState.DONE
        self.ending.append(Ending.RETRIED if is_done else Ending.FAILED)
        self._fail(chunk, tried, is_last=is_last, is_done=is_done)

    def _fail(self, chunk: ChunkReport, tried: Attempted, *, is_last: bool, is_done: bool) -> None:
        reason = (tried.error or "").removeprefix(f"Chunk {tried.chunk} ({chunk.entry.name}): ")
        key = (pattern_of(reason, chunk.entry.name), tried.exit_code)
        if key not in self.failures and len(self.failures) >= MOST_GROUPS:
            key = (MANY, None)
        group = self.failures.setdefault(key, Failures(*key, first=tried.chunk))
        group.tries += 1
        group.seconds += tried.seconds
        if is_last and not is_done:
            group.chunks_failed += 1
        if is_done and group.last != tried.chunk:
            group.chunks_mended += 1
        group.last = tried.chunk
        if len(group.examples) < EXAMPLES and all(tried.chunk != each.chunk for each in group.examples):
            group.examples.append(Example(tried.chunk, chunk.entry.name, reason[:MOST_REASON_LETTERS], tried))

"""What one attempt at one pack has to say: results and logs, stored together, then an entry that makes them count."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from triptych.harmless import harmless_logger
from triptych.jobs.pack_log import Attempted, LogPart, PackLog, PackState, ResultFile
from triptych.jobs.workspace import Workspace
from triptych.storage.copying import HashingWriter, copy_stream, file_blocks

LONG_CHUNK_S = 1.0
"""After a chunk that ran so long an entry is written at once: it costs little against losing that chunk."""
FIRST_PAUSE_S, LONGEST_PAUSE_S, GROWTH = 2.0, 60.0, 1.5
"""Short chunks are said together, after pauses that grow: what ran since the last entry runs again after a kill."""
MOST_BYTES = 64 << 20
"""Of small results that wait for their entry, on the local disk."""
_log = harmless_logger(__name__)


class Keepable(Protocol):
    """A file of a result, wherever it lies: what a script left (`FoundFile`), or what another job kept."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int: ...

    def blocks(self) -> Iterator[bytes]: ...


class Spool:
    """A local file in which small things wait, to be stored as one object; `size` in bytes."""

    def __init__(self, path: Path, object_name: str) -> None:
        self.object_name = object_name
        self.size = 0
        self._path = path
        self._file = path.open("wb")

    def write(self, data: bytes, /) -> int:
        """Append to what waits."""
        self.size += len(data)
        return self._file.write(data)

    def close(self) -> None:
        """Write no more."""
        self._file.close()

    def store(self, workspace: Workspace) -> None:
        """Make it an object, unless it is empty, and remove the file; nothing the second time."""
        self.close()
        if not self._path.exists():
            return
        if self.size:
            copy_stream(file_blocks(self._path), workspace.store, workspace.uri(self.object_name))
        self._path.unlink()


@dataclass(frozen=True)
class JournalLimits:
    """Files from `large_bytes` on are objects of their own; `parallelism` of them are sent at once."""

    large_bytes: int
    parallelism: int


class Journal:
    """Keeps what one attempt did until it is said; an entry that is put makes it count.

    One thread at a time uses it; any may ask for its `state`.
    """

    def __init__(
        self,
        workspace: Workspace,
        log: PackLog,
        name: str,
        work: Path,
        limits: JournalLimits,
        *,
        is_careful: bool,
        on_said: Callable[[Sequence[Attempted]], None] | None = None,
    ) -> None:
        """`name` is the attempt's part of objects' names: `0/16-16/<token>`.

        A careful one says each chunk at once: a chunk that kills its worker must not undo the pack for ever. `on_said`
        gets the tries whose results count from now on; not those of an attempt that is ended by an error.
        """
        self._workspace = workspace
        self._log = log
        self._name = name
        self._work = work
        self._limits = limits
        self._is_careful = is_careful
        self._on_said = on_said
        self._waiting: list[Attempted] = []
        self._lock = threading.Lock()
        """Held where a try passes from what waits to what the log holds: whoever asks finds it in one of them."""
        self._objects = 0
        self._large = 0
        self._pause_s = FIRST_PAUSE_S
        self._said = time.monotonic()
        self._open_spools()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Say the rest; after an error, without hiding that."""
        if error is not None:
            self._on_said = None  # There is no time left for anybody else.
        try:
            self.say()
        except Exception as second:
            if error is None:
                raise
            error.add_note(f"What ran since the last entry could not be kept: {second}")
        finally:
            self._results.close()
            self._logs.close()

    @property
    def state(self) -> PackState:
        """What the pack's log held when it was last read or written, with what waits here."""
        with self._lock:
            return self._log.state.merged(self._waiting)

    def keep(self, files: Sequence[Keepable]) -> tuple[ResultFile, ...]:
        """Keep the files of a success, small ones together, large ones stored now: where each lies, or will.

        ChunkError where one is no longer what it was: the caller may then `add` a failure.
        """
        large = [file for file in files if file.size >= self._limits.large_bytes]
        with ThreadPoolExecutor(self._limits.parallelism) as pool:
            alone = iter(list(pool.map(self._alone, large, range(self._large, self._large + len(large)))))
        self._large += len(large)
        return tuple(next(alone) if file.size >= self._limits.large_bytes else self._together(file) for file in files)

    def add(self, tried: Attempted, log: Iterable[bytes] = ()) -> None:
        """Keep the try, a success with its files, and with what it printed.

        It is said at once, with all that waits, after a long chunk, a long pause, or much that waits.
        """
        part = self._printed(log)
        with self._lock:
            self._waiting.append(replace(tried, log=part if part.length else None))
        size = self._results.size + self._logs.size
        paused = time.monotonic() - self._said >= self._pause_s
        if self._is_careful or tried.seconds >= LONG_CHUNK_S or size >= MOST_BYTES or paused:
            self.say()

    def say(self) -> None:
        """Store what waits, and put the entry; nothing when nothing waits. What cannot be stored goes on waiting."""
        if not self._waiting:
            return
        self._results.store(self._workspace)
        self._logs.store(self._workspace)
        self._open_spools()
        done = self._log.append(self._waiting).done
        won = [each for each in self._waiting if each.error is None and done[each.chunk].key == each.key]
        with self._lock:
            self._waiting.clear()
        self._pause_s = min(self._pause_s * GROWTH, LONGEST_PAUSE_S)
        self._said = time.monotonic()
        if self._on_said and won:
            self._on_said(won)

    def _printed(self, log: Iterable[bytes]) -> LogPart:
        """Where it lies; as far as it can be kept: a log decides no outcome."""
        offset = self._logs.size
        try:
            for block in log:
                self._logs.write(block)
        except OSError as error:
            _log.warning("The log of this chunk ends here: %s", error)
        return LogPart(self._logs.object_name, offset, self._logs.size - offset)

    def _open_spools(self) -> None:
        self._objects += 1
        name = f"{self._name}-{self._objects}"
        self._results = Spool(self._work / f"results-{self._objects}", f"results/{name}")
        self._logs = Spool(self._work / f"logs-{self._objects}", f"logs/{name}")

    def _alone(self, file: Keepable, number: int) -> ResultFile:
        name = f"{self._results.object_name}-{number}"
        sent = copy_stream(file.blocks(), self._workspace.store, self._workspace.uri(name))
        return ResultFile(file.name, sent.size, sent.sha256, name)

    def _together(self, file: Keepable) -> ResultFile:
        offset, hashing = self._results.size, HashingWriter(self._results)
        for block in file.blocks():
            hashing.write(block)
        return ResultFile(file.name, hashing.size, hashing.sha256, self._results.object_name, offset)

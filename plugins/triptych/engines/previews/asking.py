"""The side that asks: it gives the reader the bytes that it wants, and believes nothing of what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from triptych.engines.previews.messages import (
    HEAD,
    HELLO,
    MOST_ANSWER_BYTES,
    MOST_COLUMNS,
    MOST_LETTERS,
    MOST_READ_BYTES,
    MOST_ROWS,
    ROWS,
    WAIT_S,
    WANTED,
)
from triptych.errors import SourceError
from triptych.harmless import harmless

KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TZ")
Stream = Callable[[int, int], Iterator[bytes]]
"""So many bytes from an offset on."""


@dataclass(frozen=True)
class FirstRows:
    """Rows as texts, the header first; `about` says in a few words of what; `is_part` where that has more."""

    rows: Sequence[Sequence[str]]
    about: str
    is_part: bool


def first_rows(name: str, size: int, stream: Stream, wait_s: float = WAIT_S) -> FirstRows:
    """Of a file of `size` bytes. SourceError where it is no table, is damaged, or takes too much to look at.

    Raises as `stream` does.
    """
    # The reader finds its modules where we found ours, whatever put them there.
    paths = os.pathsep.join(path for path in sys.path if path)
    kept = {key: os.environ[key] for key in KEPT_VARIABLES if key in os.environ}
    plain = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONUTF8": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    reader = subprocess.Popen(
        [sys.executable, "-P", "-m", __package__],
        env={**kept, **plain, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    timer = threading.Timer(wait_s, reader.kill)
    timer.start()
    try:
        return _checked(name, _answer(reader, name, size, stream))
    finally:
        timer.cancel()
        reader.kill()
        reader.wait()
        for pipe in (reader.stdin, reader.stdout):
            _close(pipe)


def _answer(reader: subprocess.Popen[bytes], name: str, size: int, stream: Stream) -> Any:
    """What the reader says at last, as JSON has it."""
    asked, told = reader.stdin, reader.stdout
    assert asked is not None
    assert told is not None
    left = MOST_READ_BYTES
    try:
        _send(asked, HEAD.pack(HELLO, size, 0))
        while len(head := told.read(HEAD.size)) == HEAD.size:
            kind, offset, length = HEAD.unpack(head)
            if kind == ROWS and length <= MOST_ANSWER_BYTES:
                return json.loads(told.read(length))
            left -= length
            if kind != WANTED or offset + length > size:
                break
            if left < 0:
                raise _unseen(name, f"more than {MOST_READ_BYTES >> 20} MiB of it would have to be read")
            for block in stream(offset, length):
                _send(asked, block)
                if reader.poll() is not None:
                    break
    except (BrokenPipeError, ValueError, RecursionError):
        pass  # It has ended, or says what is no JSON.
    raise _ended(reader, name)


def _send(pipe: IO[bytes], data: bytes) -> None:
    pipe.write(data)
    pipe.flush()


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe:
            pipe.close()
    except BrokenPipeError:
        pass  # What was not sent any more.


def _ended(reader: subprocess.Popen[bytes], name: str) -> SourceError:
    """Why it has ended without an answer. By SIGKILL we end it, and the system does for its CPU time."""
    reader.kill()
    if -reader.wait() in (signal.SIGKILL, signal.SIGXCPU):
        return _unseen(name, "it takes too long to look at")
    return _unseen(name, "whoever reads it breaks off")


def _unseen(name: str, why: str) -> SourceError:
    return SourceError(f"{name}: is not shown as a table: {why}. Download it.")


def _checked(name: str, said: Any) -> FirstRows:
    """What was said, if it is what a reader says; SourceError, too, for what it refused."""
    if isinstance(said, Mapping) and isinstance(why := said.get("why"), str):
        raise _unseen(name, why[:MOST_LETTERS])
    rows, about = (said.get("rows"), said.get("about")) if isinstance(said, Mapping) else (None, None)
    if not isinstance(rows, list) or not isinstance(about, str) or not all(isinstance(row, list) for row in rows):
        raise _unseen(name, "its reader gives no rows")
    cells = [[harmless(str(cell)[: MOST_LETTERS + 1]) for cell in row[:MOST_COLUMNS]] for row in rows[: MOST_ROWS + 1]]
    return FirstRows(cells, harmless(about[:MOST_LETTERS]), said.get("is_part") is not False)

"""A process that takes one generated input after the other; one that hangs in it is killed, and counts as a hang."""

from __future__ import annotations

import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.fuzz.tally import Ended, Kind
from triptych.settings import PROJECT

LIMIT_S = 60.0
"""A call takes milliseconds, one of a whole job a second; beside other work on a small machine some times that."""


class Worker:
    """Calls of one surface at a time (`tests.fuzz.calls`), in a process of its own that is replaced where needed."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._limit_s = limit_s
        self._home = tempfile.TemporaryDirectory(prefix="triptych-fuzz-")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._end()
        self._home.cleanup()

    def call(self, surface: str, payload: Any) -> Ended:
        """How the surface took this input."""
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        data = pickle.dumps((surface, payload))
        process.stdin.write(struct.pack(">I", len(data)) + data)
        process.stdin.flush()
        if not select.select([process.stdout], [], [], self._limit_s)[0]:
            self._end()
            return Ended(Kind.HANG, f"no answer within {self._limit_s:g} s")
        answer = _read(process.stdout)
        if answer is None:
            self._end()
            return Ended(Kind.TRACEBACK, f"the process died: {process.returncode}")
        kind, text = pickle.loads(answer)
        return Ended(Kind(kind), text)

    def _start(self) -> subprocess.Popen[bytes]:
        folder = Path(self._home.name)
        folder.mkdir(exist_ok=True)
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("AIRFLOW", "TRIPTYCH"))}
        env = {
            **inherited,
            "PYTHONPATH": f"{PROJECT / 'plugins'}:{PROJECT}",
            "AIRFLOW_HOME": str(folder / "airflow"),
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "TMPDIR": str(folder),
            "COLUMNS": "200",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", "-m", "tests.fuzz.calls", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            cwd=PROJECT,
            start_new_session=True,
        )
        ready = self._process.stdout
        assert ready is not None
        assert _read(ready) == b"ready", "The worker does not start."
        return self._process

    def _end(self) -> None:
        """With all that it started: it leads a group of its own."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _read(stream: Any) -> bytes | None:
    head = stream.read(4)
    return stream.read(struct.unpack(">I", head)[0]) if len(head) == 4 else None

"""Runs blocks as processes of this machine, without isolation: for trying things out where there is no engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath

from triptych.errors import ChunkError
from triptych.running.interpreter import command
from triptych.running.lines import LineLog
from triptych.running.spec import RunSpec, Session, Unit, Usage

LAUNCHER = Path(__file__).parent / "launcher"
_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT")


@contextmanager
def process_session(spec: RunSpec, log: Callable[[str], None]) -> Iterator[Session]:
    yield ProcessSession(spec, log)


class ProcessSession:
    """One process group per unit, ended with the unit, its timeout or our own end."""

    def __init__(self, spec: RunSpec, log: Callable[[str], None]) -> None:
        self._spec = spec
        self._log = log
        argv = command(spec.block, str(spec.block.code.absolute()), str(LAUNCHER))
        self._argv = [sys.executable, *argv[1:]] if argv[0] == "python3" else argv

    def run(self, unit: Unit) -> Usage:
        started = time.monotonic()
        output = LineLog(self._log)
        try:
            process = subprocess.Popen(
                self._argv,
                env=self._environment(unit),
                cwd=unit.folder / "in",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            msg = f"cannot start {self._argv[0]!r}: {error.strerror}. Is it installed on this machine?"
            raise ChunkError(msg) from error
        timed_out = threading.Event()
        with self._spec.stop.ends(lambda: _end_group(process)):
            code, cpu_seconds = self._follow(process, output, timed_out)
        if timed_out.is_set():
            msg = f"ran longer than its timeout of {self._spec.timeout_s:g} s.{output.tail()}"
            raise ChunkError(msg)
        if code:
            msg = f"exit code {code}.{output.tail()}"
            raise ChunkError(msg)
        return Usage(time.monotonic() - started, cpu_seconds)

    def _follow(
        self, process: subprocess.Popen[bytes], output: LineLog, timed_out: threading.Event
    ) -> tuple[int, float]:
        """Stream the log until the process ends; returns exit code and CPU seconds."""

        def expire() -> None:
            timed_out.set()
            _end_group(process)

        timer = threading.Timer(self._spec.timeout_s or threading.TIMEOUT_MAX, expire)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdout is not None  # PIPE was asked for.
            while data := os.read(process.stdout.fileno(), 65536):
                for line in output.lines(data):
                    output.show(line)
            output.finish()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            timer.cancel()
            _end_group(process)
            if process.stdout:
                process.stdout.close()
            process.wait()
        return process.returncode, usage.ru_utime + usage.ru_stime

    def _environment(self, unit: Unit) -> dict[str, str]:
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        cache = self._spec.cache.variables(str(self._spec.cache.shared), str(self._spec.cache.own))
        return {**inherited, **cache, **self._spec.secrets, **unit_variables(unit, unit.folder)}


def unit_variables(unit: Unit, folder: PurePath) -> dict[str, str]:
    """The variables of a unit whose folder is at `folder` for the script."""
    data, results = str(folder / "in"), str(folder / "out")
    return {
        **unit.env,
        unit.input_var: data,
        unit.output_var: results,
        "TRIPTYCH_INPUT": data,
        "TRIPTYCH_OUTPUT": results,
        "TRIPTYCH_PARAMS": unit.params,
    }


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)

"""Runs blocks as processes of this machine, without isolation: for trying things out where there is no engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from triptych.running.gpus import GPU_VARIABLE, held_gpus
from triptych.running.interpreter import LAUNCHER, command
from triptych.running.lines import LineCutter, LineLog
from triptych.running.spec import (
    SHELL,
    THREADS,
    InteractiveSession,
    RunSpec,
    Unit,
    UnitError,
    Usage,
    check_variable,
    thread_variables,
)
from triptych.running.time_limit import time_limit
from triptych.settings import Settings

_INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "SYSTEMROOT", *THREADS)


@contextmanager
def process_session(spec: RunSpec, settings: Settings) -> Iterator[InteractiveSession]:
    """A session that sees only the GPUs it was given, where NVML tells of those that its block asks for; else all."""
    with held_gpus(spec.block, settings, spec.stop) as gpus:
        yield ProcessSession(replace(spec, gpus=gpus))


class ProcessSession:
    """One process group per unit, ended with the unit, its timeout or our own end; nothing of it is left between."""

    def __init__(self, spec: RunSpec) -> None:
        self._spec = spec
        argv = command(spec.block, str(spec.block.code.absolute()), str(LAUNCHER))
        self.command = [sys.executable, *argv[1:]] if argv[0] == "python3" else argv

    def shell(self, unit: Unit) -> int:
        """As `Session.shell`."""
        return subprocess.run([SHELL], env=self._environment(unit), cwd=unit.folder / "in", check=False).returncode

    def run(self, unit: Unit) -> Usage:
        """As `Session.run`."""
        started = time.monotonic()
        output = LineLog(unit.log)
        try:
            process = subprocess.Popen(
                self.command,
                env=self._environment(unit),
                cwd=unit.folder / "in",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            msg = f"cannot start {self.command[0]!r}: {error.strerror}. Is it installed on this machine?"
            raise UnitError(msg) from error

        def end() -> None:
            _end_group(process)

        with self._spec.stop.register(end), time_limit(self._spec.timeout_s, end) as expired:
            code, cpu_seconds = _follow(process, output)
        usage = Usage(time.monotonic() - started, cpu_seconds)
        if expired.is_set():
            msg = f"ran longer than its timeout of {self._spec.timeout_s:g} s.{output.tail()}"
            raise UnitError(msg, usage, code)
        if code:
            msg = f"exit code {code}.{output.tail()}"
            raise UnitError(msg, usage, code)
        return usage

    def _environment(self, unit: Unit) -> dict[str, str]:
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        cache = self._spec.cache
        ours = cache.variables(str(cache.shared), str(cache.own)) if cache else {}
        if self._spec.inputs:
            folder = self._spec.link_inputs({each.key: each.path for each in self._spec.inputs})
            ours |= self._spec.input_variables(folder)
        threads = thread_variables(self._spec.block)
        for name, value in self._spec.secrets.items():
            check_variable(name, value)
        gpus = {GPU_VARIABLE: ",".join(self._spec.gpus)} if self._spec.gpus else {}
        return {**threads, **inherited, **ours, **gpus, **self._spec.secrets, **unit.variables(unit.folder)}


def _follow(process: subprocess.Popen[bytes], output: LineLog) -> tuple[int, float]:
    """Stream the log until the process ends; returns exit code and CPU seconds."""
    try:
        assert process.stdout is not None  # PIPE was asked for.
        cutter = LineCutter()
        while data := os.read(process.stdout.fileno(), 65536):
            for line in cutter.lines(data):
                output.show(line)
        for line in cutter.rest():
            output.show(line)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        _end_group(process)
        if process.stdout:
            process.stdout.close()
        process.wait()
    return process.returncode, usage.ru_utime + usage.ru_stime


def _end_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):  # Gone, or another user's by its own doing.
        os.killpg(process.pid, signal.SIGKILL)

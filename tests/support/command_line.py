"""The command `triptych` in a process that is kept: what it imports is paid for once, and each call is a whole run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from triptych.settings import PROJECT

CALLS = """
import contextlib, io, json, sys, traceback
from triptych.cli import main

said = sys.stdout
for line in sys.stdin:
    sys.argv = ["triptych", *json.loads(line)]
    out, code = io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc(file=out)
            code = 70
    print(json.dumps([code, out.getvalue()]), file=said, flush=True)
"""
TRACEBACK = 70
_RESUME = re.compile(r"--resume (\S+)")


@dataclass(frozen=True)
class Ended:
    """How one call ended, and what it said."""

    code: int
    text: str

    @property
    def run_id(self) -> str | None:
        """Of the run that can be taken up again, when it said so."""
        found = _RESUME.search(self.text)
        return found[1] if found else None


class CommandLine:
    """Calls of `triptych`, one after the other; a traceback, which no user should see, is kept, and is code 70."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.tracebacks: list[str] = []

    def __call__(self, *arguments: str) -> Ended:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(arguments) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            return Ended(self._process.wait(), "the command's process has ended")
        code, text = json.loads(answer)
        if code == TRACEBACK:
            self.tracebacks.append(text)
        return Ended(code, text)

    def until_done(self, launch: Sequence[str], rounds: int = 12) -> Ended:
        """Launch, then take up again what was left undone, as its user would; the last end."""
        return self.take_up(launch, self(*launch), rounds - 1)

    def take_up(self, launch: Sequence[str], ended: Ended, rounds: int = 11) -> Ended:
        """What `launch` left undone, so often at most; launched anew where there is nothing to be taken up."""
        run_id = ended.run_id
        for _ in range(rounds):
            if not ended.code:
                break
            # `run TEMPLATE` and what else belongs to a resumed run stand before the source.
            ended = self(*([*launch[: launch.index("--source")], "--resume", run_id] if run_id else launch))
            run_id = ended.run_id or run_id
        return ended


@contextmanager
def command_line(env: Mapping[str, str], home: Path, launcher: Sequence[str] = ()) -> Iterator[CommandLine]:
    """A process of the command with this configuration, ended with the context; `launcher` makes it another user's."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    with (home / "command.log").open("wb") as log:
        process = subprocess.Popen(
            [*launcher, sys.executable, "-c", CALLS],
            env={**inherited, "AIRFLOW_HOME": str(home), "PYTHONPATH": str(PROJECT / "plugins"), **env},
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        yield CommandLine(process)
    finally:
        process.kill()
        process.communicate()

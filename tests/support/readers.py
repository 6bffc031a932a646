"""Somebody who follows a page of the docs: its blocks, typed in a folder of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from triptych.settings import PROJECT


class Reader:
    """Somebody who types what the page shows, and remembers what came."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self.stderr = self.stdout = ""
        self._home = home

    def type(self, commands: str) -> int:
        """The last command's exit code, after each of the lines before it went well."""
        done = subprocess.run(
            self._bash(commands), cwd=self.folder, env=self._environment(), capture_output=True, text=True, check=False
        )
        self.stdout, self.stderr = done.stdout, done.stderr
        return done.returncode

    def watch(self, command: str) -> str:
        """What a command says that ends with Ctrl-C alone, up to where it waits for the first time."""
        with subprocess.Popen(
            self._bash(f"exec {command}"),
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as running:
            assert running.stdout
            lines = []
            for line in running.stdout:
                lines.append(line)
                if "waiting for a change" in line:
                    break
            # As Ctrl-C, and once: a line whose writing it interrupts is written again.
            running.terminate()
            lines.append(running.stdout.read())
            assert running.wait() == 0, lines
        return "".join(lines)

    def _bash(self, commands: str) -> list[str]:
        return ["bash", "-euc", commands.replace("triptych ", f"{sys.executable} -m triptych ")]

    def _environment(self) -> dict[str, str]:
        own = {"PYTHONPATH": str(PROJECT / "plugins"), "HOME": str(self._home), "TMPDIR": str(self._home)}
        # As after `source .venv/bin/activate`.
        own["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        # What comes into a pipe is as wide as it is; some test runners say how wide their terminal is.
        kept = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
        return {**kept, **own, "XDG_CACHE_HOME": str(self._home / "cache")}

"""docs/tutorial/first-app.md, followed word by word up to Airflow, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.settings import PROJECT

pytestmark = pytest.mark.docker
PAGE = PROJECT / "docs" / "tutorial" / "first-app.md"
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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
        return {**os.environ, **own, "XDG_CACHE_HOME": str(self._home / "cache")}


def test_the_page_makes_breaks_and_repairs_an_app(tmp_path: Path) -> None:
    page, _, _ = PAGE.read_text(encoding="utf-8").partition("Now launch the same app through Airflow")
    blocks = FENCED.findall(page)
    assert [language for language, _ in blocks] == ["sh", "sh", "sh", "python", "sh", "", "sh", "sh"]
    _, first, dev, lines, failing, message, resume, shows = [text for _, text in blocks]
    (tmp_path / "here" / "include").mkdir(parents=True)
    reader = Reader(tmp_path / "here", tmp_path)

    assert reader.type(first) == 0, reader.stderr
    output = (reader.folder / "out" / "output.txt").read_text()
    assert len(output.splitlines()) == 5
    assert reader.stdout.startswith("ok      shout")

    script = reader.folder / "include" / "apps" / "shout" / "app" / "main.py"
    sound = script.read_text()
    script.write_text(sound.replace("{line}", "{line.upper()}"))
    first_round = reader.watch(dev)
    assert "expected: > The first line of a sample." in first_round
    assert "got:      > THE FIRST LINE OF A SAMPLE." in first_round
    script.write_text(sound)
    main, guard = sound.split("\n\n\nif __name__")
    script.write_text(f"{main}\n{lines.rstrip()}\n\n\nif __name__{guard}")
    assert reader.type(failing) == 8
    assert message in reader.stderr
    (run_id,) = set(re.findall(r"--resume (\S+)", reader.stderr))
    assert f"  {resume.strip()}".replace("RUN", run_id) in reader.stderr.splitlines()

    script.write_text(sound)
    assert reader.type(resume.replace("RUN", run_id)) == 0, reader.stderr
    assert "1 chunk(s) run; assembling." in reader.stderr
    assert (reader.folder / "more" / "output.txt").read_text() == output

    assert reader.type(shows.replace("RUN", run_id)) == 0, reader.stderr
    # Three times it failed, and then it did well.
    assert reader.stdout.count("chunk 1 of 3: 2 line(s)") == 4

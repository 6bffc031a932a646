"""`triptych app dev`: a round at the start, one after each save, and an end at Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.support.command import call
from triptych.settings import PROJECT


class Session:
    """The running command; what it prints is read round by round."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "triptych", "app", "dev", *arguments, "--runner", "process"]
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(PROJECT / "plugins")},
            # A shell that starts the tests in the background makes them ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    @property
    def _lines(self) -> IO[str]:
        assert self.process.stdout
        return self.process.stdout

    def end(self) -> int:
        """Ctrl-C: its exit code, once it has said that it ended."""
        self.process.send_signal(signal.SIGINT)
        assert self._lines.read().endswith("Ended.\n")
        return self.process.wait()

    def round(self) -> str:
        """What it says up to where it waits."""
        lines = []
        for line in self._lines:
            lines.append(line)
            if "waiting for a change" in line:
                break
        return "".join(lines)


@pytest.fixture
def mine(home: Path) -> Path:
    """A new app."""
    (home / "include").mkdir()
    assert call("app", "new", "mine").exit_code == 0
    return home / "include" / "apps" / "mine"


@pytest.fixture
def session(mine: Path) -> Iterator[Session]:
    running = Session("mine")
    with running.process:
        yield running
        running.process.kill()


def test_each_save_is_a_round_and_ctrl_c_ends_it(mine: Path, session: Session) -> None:
    first = session.round()
    assert "ok      mine" in first
    assert "> The second." in first

    script = mine / "app" / "main.py"
    sound = script.read_text()
    script.write_text(sound.replace("{line}", "{line}!"))
    changed = session.round()
    assert "FAILED  mine" in changed
    assert "got:      > The first line of a sample.!" in changed

    script.write_text(sound.replace("json.loads", "json.lods"))
    assert f'File "{script}", line 9' in session.round()

    # A file in mid-save: the next round is as good as any.
    (mine / "manifest.json").write_text((about := (mine / "manifest.json").read_text())[:40])
    assert "manifest.json: line 2, column" in session.round()
    (mine / "manifest.json").write_text(about)
    assert "ERROR   mine" in session.round()
    script.write_text(sound)
    assert "ok      mine" in session.round()

    assert session.end() == 0


def test_a_change_in_mid_round_begins_the_next_one(mine: Path, home: Path) -> None:
    script = mine / "app" / "main.py"
    gate, begun = home / "gate", home / "begun"
    os.mkfifo(gate)
    os.mkfifo(begun)
    sound = script.read_text()
    waiting = f'    open({str(begun)!r}, "w").close()\n    open({str(gate)!r}).close()\n'
    template = mine / "template.json"
    template.write_text(template.read_text().replace('"items_per_chunk": 2', '"items_per_chunk": 100'))
    script.write_text(sound.replace("def main() -> None:\n", f"def main() -> None:\n{waiting}"))
    session = Session("mine")
    with session.process:
        begun.open().close()  # Returns once the script has begun.
        script.write_text(sound.replace("{line}", "{line}!"))
        gate.open("w").close()
        assert "ok      mine" in session.round()
        assert "FAILED  mine" in session.round()
        assert session.end() == 0


def test_without_anything_expected_it_shows_the_output(mine: Path) -> None:
    (mine / "test" / "expected" / "output.txt").unlink()
    (mine / "test" / "expected").rmdir()
    session = Session(str(mine))
    with session.process:
        shown = session.round()
        assert "triptych app test mine --update" in shown
        assert "> The fifth and last." in shown
        assert session.end() == 0

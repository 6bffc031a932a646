"""Pages whose commands are run: what a page's own hidden comment says of it, and a reader who types what it shows.

    <!-- runs here
    setup:
      lines of bash, before the page's first command, in an empty folder
    RUN = a command: what it prints stands for RUN in the page's commands and in what they print
    skips TEXT: why the commands with this text in them are not run
    exits 8 TEXT: why those end with this code
    before TEXT: a command, such as what the reader is told to correct
    -->

In place of `here`: `in` and the test that follows the page, or `not:` and the reason. Blocks of `sh` are commands, a
line each; a block of `text` after one is what they print: its lines in this order, `...` for whatever differs.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from triptych.settings import PROJECT

PAGES = (
    PROJECT / "README.md",
    *sorted((PROJECT / "docs" / "tutorial").glob("*.md")),
    *sorted((PROJECT / "docs" / "how-to").glob("*.md")),
)
_COMMENT = re.compile(r"^<!-- runs (here|in|not:) ?(.*?)-->$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RULE = re.compile(r"(skips|before|exits (\d+)) (.+?): (.+)")
_NAMED = re.compile(r"(\S+) = (.+)")
_WAIT_S = 120


@dataclass
class Verdict:
    """What a page says of itself: `how` is `here`, `in` or `not:`, `rest` the test or the reason."""

    how: str
    rest: str = ""
    setup: list[str] = field(default_factory=list)
    named: dict[str, str] = field(default_factory=dict)
    skips: list[str] = field(default_factory=list)
    exits: dict[str, int] = field(default_factory=dict)
    before: dict[str, str] = field(default_factory=dict)


def verdict_of(text: str) -> Verdict | None:
    """Of a page's text; None where it says none. ValueError for a line that means nothing."""
    found = _COMMENT.findall(text)
    if len(found) != 1:
        return None
    how, rest = found[0]
    if how != "here":
        return Verdict(how, " ".join(rest.split()))
    verdict = Verdict(how)
    for line in rest.strip().splitlines():
        if line == "setup:":
            continue
        if line.startswith("  "):
            verdict.setup.append(line.strip())
        elif rule := _RULE.fullmatch(line):
            if rule[2]:
                verdict.exits[rule[3]] = int(rule[2])
            elif rule[1] == "before":
                verdict.before[rule[3]] = rule[4]
            else:
                verdict.skips.append(rule[3])
        elif named := _NAMED.fullmatch(line):
            verdict.named[named[1]] = named[2]
        else:
            raise ValueError(line)
    return verdict


def blocks_of(text: str) -> list[tuple[str, str]]:
    """Commands (`sh`) and what they print (`text`), in the page's order."""
    return [(language, block) for language, block in FENCED.findall(text) if language in ("sh", "text")]


def _commands(block: str) -> Iterator[str]:
    """Each with the lines that its quotes and its `\\` go on over."""
    command = ""
    for line in block.replace("\\\n", " ").splitlines():
        command += line
        try:
            words = shlex.split(command, comments=True)
        except ValueError:  # A quote is open.
            command += "\n"
            continue
        if words:
            yield command
        command = ""
    assert not command, command


def missing_lines(shown: str, printed: str) -> list[str]:
    """The lines of the first that the second has not, in this order; `...` stands for anything."""
    left = iter(printed.splitlines())
    missing = []
    for line in filter(None, map(str.strip, shown.splitlines())):
        pattern = re.escape(line).replace(re.escape("..."), ".*")
        if line != "..." and not any(re.search(pattern, each) for each in left):
            missing.append(line)
    return missing


class Reader:
    """Types commands in one folder, as who has Triptych and nothing else: a job's scripts are plain processes."""

    def __init__(self, folder: Path, home: Path, verdict: Verdict) -> None:
        self._folder, self._home, self._verdict = folder, home, verdict
        self._named: Mapping[str, str] = {}
        self._env: dict[str, str] = {}
        self.unused = {*verdict.skips, *verdict.exits, *verdict.before}

    def prepare(self) -> None:
        """What the page takes for granted."""
        for line in self._verdict.setup:
            code, printed = self._run(line)
            assert code == 0, f"{line}\n{printed}"
        for name, command in self._verdict.named.items():
            code, printed = self._run(command)
            assert code == 0, f"{command}\n{printed}"
            self._named = {**self._named, name: printed.strip()}

    def type(self, block: str) -> str:
        """What the lines of a block print, each of which has to end as the page says."""
        printed = []
        for line in _commands(block):
            if self._matching(self._verdict.skips, line):
                continue
            for text in self._matching([*self._verdict.before], line):
                code, told = self._run(self._filled(self._verdict.before[text]))
                assert code == 0, told
            wanted = next((self._verdict.exits[text] for text in self._matching([*self._verdict.exits], line)), 0)
            code, text = self._run(self._filled(line))
            assert code == wanted, f"{line}\nends with {code}, not {wanted}:\n{text}"
            printed.append(text)
        return "".join(printed)

    def differences(self, shown: str, printed: str) -> list[str]:
        """The lines of the page that were not printed, in this order."""
        return missing_lines(self._filled(shown), printed)

    def _matching(self, texts: Sequence[str], line: str) -> list[str]:
        found = [text for text in texts if text in line]
        self.unused -= set(found)
        return found

    def _filled(self, text: str) -> str:
        for name, value in self._named.items():
            text = re.sub(rf"\b{name}\b", lambda _, value=value: value, text)  # type: ignore[misc]  # Of a lambda with a default.
        return text

    def _run(self, command: str) -> tuple[int, str]:
        """An `export` holds for what comes after it."""
        if exported := re.match(r"export (\w+)=(\S+)", command):
            self._env[exported[1]] = exported[2]
            return 0, ""
        triptych = f'triptych() {{ {shlex.quote(sys.executable)} -m triptych "$@"; }}'
        done = subprocess.run(
            ["bash", "-uc", f"{triptych}\n{command}"],
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_WAIT_S,
            check=False,
        )
        return done.returncode, done.stdout

    def _environment(self) -> dict[str, str]:
        home = self._home
        return {
            **os.environ,
            "PYTHONPATH": str(PROJECT / "plugins"),
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "AIRFLOW_HOME": str(home / "airflow"),
            "AIRFLOW__TRIPTYCH__RUNNER": "process",
            "AIRFLOW__TRIPTYCH__INCLUDE": str(self._folder / "include"),
            "BROWSER": "true",
            "PROJECT": str(PROJECT),
            **self._env,
        }

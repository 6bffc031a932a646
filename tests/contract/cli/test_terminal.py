"""A real terminal (pty) at the command: what an app, a file name, a manifest or an error says never steers it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.include_folders import write_app
from triptych.settings import PROJECT

TITLE = "\x1b]0;owned\x07"
HIDDEN = "\x1b[8m"
REVERSED = "\u202etxt.exe"
STEERING = (TITLE, HIDDEN, "\x9b", "\x07", "\u202e", "\x1b[2J", "\x1b]")
"""None of which Rich writes itself, for colours and its bar."""
PRINTS = r"""printf '\033]0;owned\007\033[8mhidden\302\2332J\342\200\256txt.exe\rDone: 9 chunks\377\n'
cat "$TASK_DIR/data.bin" > "$TASK_RESULTS_DIR/x"
"""
REPLICAS = {"partitioner": "replicate", "params": {"partitioner": {"replicas": 2}}}


def _on_terminal(*arguments: str | Path) -> tuple[int, str]:
    """Exit code, and all that the terminal got, of the command with a terminal as its standard output and error."""
    ours, theirs = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(PROJECT / "plugins"), "TERM": "xterm", "COLUMNS": "200"}
    process = subprocess.Popen(
        [sys.executable, "-m", "triptych", *map(str, arguments)], stdin=theirs, stdout=theirs, stderr=theirs, env=env
    )
    os.close(theirs)
    got = bytearray()
    try:
        while True:
            select.select([ours], [], [])
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # EIO: the last one at the other end has closed it.
                break
            if not piece:
                break
            got += piece
    finally:
        os.close(ours)
        code = process.wait()
    return code, got.decode()


def _check(text: str) -> None:
    assert [each for each in STEERING if each in text] == []
    assert "Traceback" not in text
    # The terminal makes \r\n of \n; a bare CR is Rich's, before it erases the bar's line.
    assert re.findall(r"\r(?![\n\r]|\x1b\[|$)[^\r\n]{0,20}", text) == []


def _app(home: Path, script: str = PRINTS, **manifest: object) -> None:
    write_app(home / "include", script, entrypoint="main.sh", manifest=manifest, template=REPLICAS)


def test_what_an_app_prints(home: Path) -> None:
    _app(home)
    (home / "data").write_text("x")
    code, text = _on_terminal("run", "tried", "-s", "data", "--runner", "process", "-v", "--keep")
    assert code == 0, text
    _check(text)
    assert "\\x1b]0;owned\\x07\\x1b[8mhidden\\x9b2J\\u202etxt.exe\\rDone: 9 chunks\ufffd" in text
    (log,) = {path.parent.name for path in (home.parent / "cache").rglob("plans")}
    code, text = _on_terminal("job", "show", log, "--log", "1")
    assert code == 0, text
    _check(text)
    assert "\\x1b]0;owned" in text


def test_a_failed_app_and_a_file_name(home: Path) -> None:
    _app(home, PRINTS + "exit 3\n", retries=0, description=f"name:date:desc [red]x[/red] <run>{TITLE}")
    (home / f"d{TITLE}\n{HIDDEN}{REVERSED}").write_text("x")
    code, text = _on_terminal("run", "tried", "-s", "d*", "-d", f"out{HIDDEN}", "--runner", "process")
    assert code == 8, text
    _check(text)
    assert "\\x1b]0;owned" in text
    (run,) = set(re.findall(r"job show (\S+)", text))
    for command in (["job", "show", run], ["app", "list"], ["app", "show", "tried"], ["template", "show", "tried"]):
        code, text = _on_terminal(*command)
        assert code == 0, text
        _check(text)
    code, text = _on_terminal("app", "list")
    assert "name:date:desc [red]x[/red] <run>\\x1b]0;owned\\x07" in text
    code, text = _on_terminal("job", "show", run, "--json")
    _check(text)
    assert json.loads(text)["sums"]["failed"] == 2


def test_what_is_wrong_with_a_folder(home: Path) -> None:
    _app(home)
    folder = (home / "include" / "apps" / "tried").rename(home / "include" / "apps" / f"bad{TITLE}\n\udcff")
    about = json.loads((folder / "manifest.json").read_text())
    about |= {f"nam{TITLE}": 1, "version": f"1.{TITLE}", "entrypoint": f"main{HIDDEN}.sh"}
    (folder / "manifest.json").write_text(json.dumps(about))
    for options in ([], ["--json"]):
        code, text = _on_terminal("validate", *options)
        assert code == 3, text
        _check(text)
        assert "\\x1b]0;owned" in text or "\\u001b]0;owned" in text


@pytest.mark.parametrize(
    "arguments",
    [
        [f"ru{TITLE}"],
        ["run", f"--opt{TITLE}"],
        ["run", "tried", "--workers", f"{TITLE}{HIDDEN}"],
        ["run", f"tri{TITLE}"],
        ["run", "tried", "-p", f"{TITLE}=1"],
        ["run", "tried", "-p", f"config.{TITLE}=1"],
        ["run", "tried", "-s", f"{TITLE}{REVERSED}"],
        ["run", "tried", "-s", f"file:///nowhere/{TITLE}"],
        ["run", "tried", "-s", f"ftp://{TITLE}"],
        ["run", "tried", "-s", "s3://[a/b"],
        ["run", "tried", "-s", "s3://a\u2100b/c"],
        ["run", "tried", "-s", "nothing\udcff"],
        ["run", "tried", "--job", f"{TITLE}.json"],
        ["job", "show", f"{TITLE}"],
        ["validate", f"{TITLE}", "extra\x9b"],
        ["validate", f"{TITLE}\udcff"],
        ["app", "new", f"{TITLE}"],
        ["app", "new", "x", "--include", f"{TITLE}"],
    ],
    ids=lambda arguments: " ".join(arguments).encode("unicode_escape", "replace").decode(),
)
def test_what_is_typed_wrong(home: Path, arguments: list[str]) -> None:
    _app(home)
    code, text = _on_terminal(*arguments)
    assert code in (2, 3, 4, 5, 6), text
    _check(text)


def test_an_encoding_that_lacks_a_name(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _app(home, description="あ")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    code, text = _on_terminal("app", "list")
    assert code == 0, text
    assert "\\u3042" in text

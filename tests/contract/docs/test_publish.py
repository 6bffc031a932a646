"""docs/how-to/publish.md, typed line by line against a registry in a folder; what comes is what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from triptych.settings import PROJECT

PAGE = PROJECT / "docs" / "how-to" / "publish.md"
CONSOLE = re.compile(r"^<!-- runs -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
DIGEST = re.compile(r"\b[0-9a-f]{12}\b")


def test_the_page_publishes_an_app(tmp_path: Path) -> None:
    shown, came = "", ""
    for block in CONSOLE.findall(PAGE.read_text(encoding="utf-8")):
        for step in block.removeprefix("$ ").split("\n$ "):
            command, _, said = step.partition("\n")
            shown += f"$ {command}\n{said.rstrip()}\n"
            came += f"$ {command}\n{_type(command, tmp_path).rstrip()}\n"
    assert shown.count("$ triptych") >= 9
    assert _plain(came.replace(f"{tmp_path}/registry", "/registry").replace(str(tmp_path), "/home/ann")) == _plain(
        shown
    )


def _type(command: str, folder: Path) -> str:
    env = {
        **os.environ,
        "PYTHONPATH": str(PROJECT / "plugins"),
        "AIRFLOW__TRIPTYCH__REGISTRY": (folder / "registry").as_uri(),
        "LOGNAME": "ann",
        "COLUMNS": "120",
    }
    typed = command.replace("triptych ", f"{sys.executable} -m triptych ")
    done = subprocess.run(
        ["bash", "-euc", typed], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _plain(text: str) -> str:
    """Digests by their order, as who made the folder decides them; times as one word; no blanks at ends of lines."""
    known: dict[str, str] = {}
    for digest in DIGEST.findall(text):
        known.setdefault(digest, f"<{len(known):010}>")
    text = DIGEST.sub(lambda found: known[found[0]], TIME.sub("<time>", text))
    text = re.sub(r"\b\d+ bytes", "N bytes", text)
    return "\n".join(line.rstrip() for line in text.splitlines())

"""Installs pinned requirements into the environment that runs it: by uv where that can be had, else by pip.

uv installs in seconds what takes pip minutes. What this machine's pip is told of indexes, folders and constraints uv is
told, too, by options; where it fails all the same, pip, which is known to work here, does it.

.venv/bin/python scripts/install.py requirements.txt requirements-engines.txt
"""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

UV = "uv==0.13.9"
OPTIONS = {
    "index-url": "--default-index",
    "extra-index-url": "--index",
    "find-links": "--find-links",
    "constraint": "--constraints",
}
"""What pip calls it, in its configuration and its variables, and uv."""
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")


def main(files: Sequence[str]) -> int:
    """The exit code of what installed them."""
    given = [part for file in files for part in ("-r", file)]
    started = time.monotonic()
    if _run(*PIP, "install", "--quiet", UV) == 0 and _by_uv(given) == 0:
        _say(f"Installed by uv in {time.monotonic() - started:.0f} s.")
        return 0
    _say("uv could not do it; pip does, which takes some minutes.")
    return _run(*PIP, "install", "--progress-bar", "on", *given)


def _by_uv(given: Sequence[str]) -> int:
    # The best version of all indexes, as pip takes it; certificates that this machine trusts, a proxy's among them.
    as_pip = ("--index-strategy", "unsafe-best-match", "--system-certs")
    return _run(
        sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable, *as_pip, *_configured(), *given
    )


def _configured() -> Iterator[str]:
    """`global.find-links='/wheels'` and `:env:.find-links='/wheels'` as uv's options; lists are by white space."""
    shown = subprocess.run([*PIP, "config", "list"], capture_output=True, text=True, check=False).stdout
    for line in shown.splitlines():
        key, _, value = line.partition("=")
        option = OPTIONS.get(key.rpartition(".")[2])
        if option and key.partition(".")[0] in ("global", "install", ":env:"):
            for each in str(ast.literal_eval(value)).split():
                yield from (option, each)


def _run(*command: str) -> int:
    return subprocess.run(command, check=False).returncode


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

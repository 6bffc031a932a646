"""Which command runs an entrypoint: by its extension, its first line, or as a program of its own."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

from triptych.blocks import Block

LAUNCHER = Path(__file__).parent / "launcher"
"""Our own files that run beside the script; they need nothing but `/bin/sh`, or Python where the script does."""
_BY_EXTENSION = {
    ".py": ["python3"],
    ".sh": ["/bin/sh"],
    ".js": ["node"],
    ".mjs": ["node"],
    ".r": ["Rscript"],
}
_PARSING = threading.Lock()
"""CPython 3.11 counts how deep the trees of all threads are in one place: two at once can end in a SystemError
(gh-106905)."""


def command(block: Block, code: str, launcher: str) -> list[str]:
    """The command line; `code` and `launcher` are where the script finds its block and our files."""
    script = _function_script(block)
    if script:
        return ["python3", f"{launcher}/call_run.py", f"{code}/{script}"]
    path = block.code / block.entrypoint
    interpreter = _shebang(path) or _BY_EXTENSION.get(path.suffix.lower(), [])
    if path.suffix.lower() == ".py":
        interpreter = _BY_EXTENSION[".py"]
    return [*interpreter, f"{code}/{block.entrypoint}"]


def _shebang(path: Path) -> list[str]:
    with path.open("rb") as script:
        line = script.readline(256)
    return line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []


def _function_script(block: Block) -> str | None:
    """The Python file whose `run(basepath, params)` is to be called, if this block is of that style."""
    entrypoint = block.code / block.entrypoint
    for name in (block.entrypoint, "runner.py"):
        path = entrypoint.parent / Path(name).name
        if path.suffix == ".py" and path.is_file() and _defines_run(path):
            return path.relative_to(block.code).as_posix()
        if _has_main_guard(path):
            return None
    return None


def _tree(path: Path) -> ast.Module:
    try:
        with _PARSING:
            return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return ast.Module([], [])  # Python itself will tell the author, with the line.


def _defines_run(path: Path) -> bool:
    return not _has_main_guard(path) and any(
        isinstance(node, ast.FunctionDef) and node.name == "run" for node in _tree(path).body
    )


def _has_main_guard(path: Path) -> bool:
    if path.suffix != ".py":
        return False
    return any(isinstance(node, ast.If) and "__main__" in ast.dump(node.test) for node in _tree(path).body)

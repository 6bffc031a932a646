"""What is wrong with a script, found out without running it: no Python for the one here; names that it is not given."""

from __future__ import annotations

import ast
import re
import sys
import warnings
from dataclasses import dataclass

from triptych.blocks.json_file import read_regular
from triptych.blocks.model import Block, Diagnostic, Platform

MOST_BYTES = 4 << 20
_HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
_IMAGE_OF_PYTHON = re.compile(r"(?:.*/)?python:(\d+)\.(\d+)(?:[.\-@].*)?")
_UNTOLD = re.compile(rb"\b(?:CHUNK_(?:NUMBER|COUNT|NAME|METADATA)|JOB_ID|(?:SHARED|USER)_CACHE_DIR)\b")
_SHEBANG_OF_PYTHON = re.compile(rb"#!.*\bpython[0-9.]*\b")


@dataclass(frozen=True)
class ScriptCheck:
    """What is wrong with a script; `is_certain` is false where a newer Python, in its image, may read it."""

    diagnostic: Diagnostic
    is_certain: bool


def check_script(block: Block) -> ScriptCheck | None:
    """The first error of syntax in an entrypoint of Python; None for a sound one, and for other languages."""
    path = block.code / block.entrypoint
    try:
        source = read_regular(path, MOST_BYTES)
    except OSError as error:
        return ScriptCheck(Diagnostic(path, "$", f"cannot be read: {error.strerror or error}."), is_certain=True)
    if path.suffix != ".py" and not _SHEBANG_OF_PYTHON.match(source.partition(b"\n")[0]):
        return None
    location, reason = _syntax_error(source)
    if not reason:
        return None
    is_certain = block.platform is Platform.PYTHON or _is_read_as_here(block.image or "")
    doubt = "" if is_certain else f" A newer Python may read it: which one {block.image} has is not known here."
    return ScriptCheck(Diagnostic(path, location, f"is no Python {_HERE}: {reason}.{doubt}"), is_certain)


def untold_names(block: Block) -> list[Diagnostic]:
    """A warning for each variable that a cacheable app's script names, and does not get."""
    path = block.code / block.entrypoint
    if not block.cacheable:
        return []
    try:
        source = read_regular(path, MOST_BYTES)
    except OSError:
        return []  # `check_script` says so.
    message = (
        "is not given to a cacheable app, whose result must not depend on it. Do without it, or without `cacheable`."
    )
    names = sorted({name.decode() for name in _UNTOLD.findall(source)})
    return [Diagnostic(path, name, message) for name in names]


def _syntax_error(source: bytes) -> tuple[str, str]:
    """Where and what, both empty for none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except SyntaxError as error:
        return f"line {error.lineno or 1}, column {error.offset or 1}", str(error.msg)
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes; brackets without end.
        return "$", str(error) or "it is nested too deep"
    return "", ""


def _is_read_as_here(image: str) -> bool:
    """Whether its Python, by its tag, is this one or an older 3: what that reads, this one does."""
    found = _IMAGE_OF_PYTHON.fullmatch(image)
    return found is not None and (3, 0) <= (int(found[1]), int(found[2])) <= sys.version_info[:2]

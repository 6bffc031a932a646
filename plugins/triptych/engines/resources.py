"""What a running engine may use: a scratch folder, an amount of memory, and the libraries of our extras."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.errors import EngineError


@dataclass(frozen=True)
class Resources:
    """`scratch` is removed when the stage ends; `memory_bytes` bounds what an engine keeps in memory at once."""

    scratch: Path
    memory_bytes: int

    def new_folder(self) -> Path:
        """An empty folder in `scratch`."""
        return Path(tempfile.mkdtemp(dir=self.scratch))


_current: ContextVar[Resources] = ContextVar("triptych_resources")


def resources() -> Resources:
    """Those of the stage that runs the engine."""
    return _current.get()


@contextmanager
def using(available: Resources) -> Iterator[None]:
    token = _current.set(available)
    try:
        yield
    finally:
        _current.reset(token)


def need(module: str, extra: str) -> Any:
    """Import a library that not everyone has; EngineError with the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        msg = f"This engine needs {package!r}, which is not installed: pip install 'triptych[{extra}]'."
        raise EngineError(msg) from error

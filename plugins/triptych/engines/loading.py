"""Loading a `python` engine's `main.py` by path, when its stage runs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from triptych.blocks import Block
from triptych.errors import EngineError


def load_engine(block: Block, function: str) -> Callable[..., Any]:
    """The engine's `partition` or `assemble`; its module is named after the block: none shadows another."""
    path = block.code / block.entrypoint
    spec = importlib.util.spec_from_file_location(f"triptych_engine_{block.kind}_{block.name}", path)
    if spec is None or spec.loader is None:
        msg = f"{path}: not a Python file."
        raise EngineError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look their module up.
    spec.loader.exec_module(module)
    found = getattr(module, function, None)
    if not callable(found):
        msg = f"{path}: defines no function {function!r}, which an engine of type {block.kind!r} needs."
        raise EngineError(msg)
    return found  # type: ignore[no-any-return]  # what a user's module holds is unknown

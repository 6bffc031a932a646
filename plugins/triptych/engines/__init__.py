"""The engines' interface; the engines themselves are folders below `include/engines`."""

from triptych.engines.api import Chunk, Output, Result, Source

__all__ = ["Chunk", "Output", "Result", "Source"]

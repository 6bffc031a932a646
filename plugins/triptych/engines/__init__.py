"""The engines' interface; the engines themselves are folders below `include/engines`."""

from triptych.engines.api import Chunk, Output, OutputWriter, Result, Source
from triptych.engines.runtime.resources import resources

__all__ = ["Chunk", "Output", "OutputWriter", "Result", "Source", "resources"]

"""An image's rows as arrays, a strip at a time, from the top down."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import pyvips

from triptych.engines.api import Input
from triptych.engines.images.vips import DTYPES, Pixels, image_errors
from triptych.engines.runtime.resources import resources

ROWS_AT_ONCE = 64
AT_ONCE_SHARE = 1 / 16
"""Of the memory: rows are held by libvips, as bytes, and as an array."""
IN_MEMORY_SHARE = 1 / 4


def strips(image: pyvips.Image, spans: Sequence[tuple[int, int]], item: Input) -> Iterator[Pixels]:
    """The rows (start, count) of each span: an array (count, width, bands) that the next one overwrites.

    Spans are in order of start, and may overlap: [(0, 4), (3, 4)] gives rows 0 to 3, then 3 to 6. The image is read
    once, from the top down. Raises the item's error, which says in which rows it cannot be read.
    """
    # A pipeline per strip would keep memory for each; one region does not.
    region, dtype = pyvips.Region.new(image), DTYPES[image.format]
    held = empty((max(count for _, count in spans), image.width, image.bands), dtype, item)
    row_bytes = image.width * image.bands * np.dtype(dtype).itemsize
    at_once = min(ROWS_AT_ONCE, max(1, resources().share(AT_ONCE_SHARE).bytes // row_bytes))
    begun = done = 0
    for start, count in spans:
        held[: done - start] = held[start - begun : done - begun]
        begun = start
        while done < start + count:
            rows = min(at_once, start + count - done)
            with image_errors(item, f" in rows {done} to {done + rows - 1} of {image.height}"):
                data = region.fetch(0, done, image.width, rows)
            held[done - start : done - start + rows] = np.frombuffer(data, dtype).reshape(rows, *held.shape[1:])
            done += rows
        yield held[:count]


def empty(shape: tuple[int, ...], dtype: str, item: Input) -> Pixels:
    """An array to be filled: in memory, or in a scratch file where it is beyond IN_MEMORY_SHARE of the memory.

    Raises the item's error where the disk has no room for it.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if size <= resources().share(IN_MEMORY_SHARE).bytes:
        return np.zeros(shape, dtype)
    resources().check_room(item, size)
    with tempfile.TemporaryFile(dir=resources().scratch) as data:
        return np.memmap(data, dtype, "w+", shape=shape)

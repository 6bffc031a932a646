"""Pictures of any size whose values are a formula of x and y: written, and judged, a strip at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyvips

from tests.support.engine_harness import Results
from triptych.jobs.workspace import ChunkEntry

STRIP_PX = 500


def strip(top: int, height: int, side: int, bands: int) -> Any:
    """Rows top.. of the picture (height, side, bands): no tile of 256 pixels or more is like another."""
    x, y = np.arange(side)[None, :], np.arange(top, top + height)[:, None]
    grey = x + 2 * y + (x >> 8) * 37 + (y >> 8) * 91
    colours = [grey, np.broadcast_to(x >> 7, grey.shape), np.broadcast_to(y >> 7, grey.shape)]
    return np.stack(colours[:bands], 2).astype(np.uint8)


def write_picture(path: Path, side: int, bands: int, **options: Any) -> None:
    raw = path.with_suffix(".raw")
    with raw.open("wb") as out:
        for top in range(0, side, STRIP_PX):
            out.write(strip(top, min(STRIP_PX, side - top), side, bands).tobytes())
    image = pyvips.Image.rawload(str(raw), side, side, bands, access="sequential")
    image.copy(interpretation="srgb" if bands == 3 else "b-w").write_to_file(str(path), **options)
    raw.unlink()


def differing_values(path: Path, side: int, bands: int) -> int:
    """How many values of the picture are not what the formula says; all of them when its size is another."""
    image = pyvips.Image.new_from_file(str(path), access="sequential", fail_on="warning")
    if (image.width, image.height, image.bands, image.format) != (side, side, bands, "uchar"):
        return side * side * bands
    region, wrong = pyvips.Region.new(image), 0
    for top in range(0, side, STRIP_PX):
        height = min(STRIP_PX, side - top)
        found = np.frombuffer(region.fetch(0, top, side, height), np.uint8).reshape(height, side, bands)
        wrong += int(np.count_nonzero(found != strip(top, height, side, bands)))
    return wrong


class Untouched(Sequence[Results]):
    """What an app that changes nothing leaves of the only job in `workspace`; each is read when it is asked for."""

    def __init__(self, workspace: Path, name: str) -> None:
        (chunk_list,) = workspace.rglob("chunks/*.jsonl")
        self._entries = [ChunkEntry.from_line(line) for line in chunk_list.read_bytes().splitlines()]
        self._chunks, self._name = chunk_list.with_suffix(""), name

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Results: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Results]: ...
    def __getitem__(self, index: int | slice) -> Results | Sequence[Results]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        entry = self._entries[index]
        return Results({self._name: (self._chunks / str(entry.number)).read_bytes()}, entry.name, entry.metadata)

"""Tiles of an image that nobody has drawn yet, row by row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.images.tiles import Grid
from triptych.errors import JobSpecError

NO_SOURCE = "none:"
"""Where the one empty source lies that a job without a source has."""
MOST_TILES = 100_000
TOLD = ("x_px", "y_px", "width_px", "height_px", "image_width_px", "image_height_px")
"""What `data.bin` says of the tile's place: so that a cacheable app, which gets no metadata, can draw it."""


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    for source in sources:
        if source.uri != NO_SOURCE:
            text = "is not read: a canvas is empty. Take image_tiles to cut an image, or launch without a source."
            raise source.error(text)
    grid = Grid.of(params)
    first = grid.first_place(0, params["name"], params["width"], params["height"])
    if first.rows * first.columns > MOST_TILES:
        msg = (
            f"params.partitioner.tile_size: the canvas has {first.rows * first.columns:,} tiles, "
            f"and {MOST_TILES:,} are the most. Take larger ones."
        )
        raise JobSpecError(msg)
    for row in range(first.rows):
        for column in range(first.columns):
            if place := first.at(row, column):
                told = {name: getattr(place, name) for name in TOLD}
                name = f"{params['name']}_{row}_{column}.json"
                yield Chunk.of_bytes(json.dumps(told).encode(), name=name, items=1, metadata=place.to_metadata())

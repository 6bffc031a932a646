"""Tiles of each image, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

import pyvips

from triptych.engines import Chunk, Source
from triptych.engines.images.georeference import Georeference, read_georeference, with_georeference
from triptych.engines.images.holding import unheld
from triptych.engines.images.opening import open_image
from triptych.engines.images.strips import strips
from triptych.engines.images.tiles import Grid, TilePlace
from triptych.engines.images.vips import ImageHeader, Pixels, limit_cache, reason
from triptych.engines.streams.parallel import map_ordered

SAVERS = {"png": ".png", "tiff": ".tif[compression=deflate,predictor=horizontal]"}


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    grid = Grid.of(params)
    limit_cache()
    for source in sources:
        if not source.size:
            text = "is empty, and an image is not. Correct or remove it."
            raise source.error(text)
        with source.open() as data:
            georeference = read_georeference(data)
            image = open_image(source, data)
            if refusal := unheld(ImageHeader.of(image), params["format"]):
                raise source.error(refusal)
            yield from _tiles(source, image, grid, params["format"], georeference)


def _tiles(
    source: Source, image: pyvips.Image, grid: Grid, file_format: str, georeference: Georeference | None
) -> Iterator[Chunk]:
    header, across, down = ImageHeader.of(image), grid.spans(image.width), grid.spans(image.height)
    first = grid.first_place(source.index, source.path, image.width, image.height, image.bands)

    def place(row: int, column: int) -> TilePlace:
        (x, width), (y, height) = across[column], down[row]
        lies = replace(first, row=row, column=column, x_px=x, y_px=y, width_px=width, height_px=height)
        lies = replace(lies, map=georeference.moved(x, y)) if georeference else lies
        return lies if grid.pads else replace(lies, tile_width_px=width, tile_height_px=height)

    cut = (
        # A copy: the strip is written over while tiles wait to be packed.
        (place(row, column), strip[:, x : x + width].copy())
        for row, strip in enumerate(strips(image, down, source))
        for column, (x, width) in enumerate(across)
    )
    tile_bytes = across[0][1] * down[0][1] * header.pixel_bytes
    yield from map_ordered(partial(_packed, source, header, file_format), cut, tile_bytes)


def _packed(source: Source, header: ImageHeader, file_format: str, cut: tuple[TilePlace, Pixels]) -> Chunk:
    """The chunk of one tile."""
    place, pixels = cut
    height, width, bands = pixels.shape
    tile = header.applied_to(pyvips.Image.new_from_memory(pixels, width, height, bands, header.format))
    if (place.tile_width_px, place.tile_height_px) != (width, height):
        tile = tile.embed(0, 0, place.tile_width_px, place.tile_height_px, extend="copy")
    saver = SAVERS[file_format]
    try:
        data = tile.write_to_buffer(saver, keep="icc")
    except pyvips.Error as error:
        text = f"its pixels cannot be written as {file_format}: {reason(error)}. Set another format."
        raise source.error(text) from error
    if place.map and file_format == "tiff":
        data = with_georeference(data, place.map)
    extension = PurePosixPath(saver.partition("[")[0]).suffix
    name = f"{source.path.replace('/', '_')}_{place.row}_{place.column}{extension}"
    return Chunk.of_bytes(data, name=name, items=1, metadata=place.to_metadata())

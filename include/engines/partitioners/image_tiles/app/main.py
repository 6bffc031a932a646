"""Tiles of each image, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source
from triptych.engines.images.strips import strips
from triptych.engines.images.vips import Look, open_image, source_fault, vips
from triptych.engines.streams.parallel import map_ordered
from triptych.errors import JobSpecError, SourceError

SAVERS = {"png": ".png", "tiff": ".tif[compression=deflate,predictor=horizontal]"}


def partition(sources: Sequence[Source], params: Mapping[str, Any]) -> Iterator[Chunk]:
    if params["overlap"] >= params["size"]:
        msg = f"params.partitioner.overlap: must be below the tile size of {params['size']}."
        raise JobSpecError(msg)
    for source in sources:
        if not source.size:
            msg = f"{source.uri}: is empty, and an image is not."
            raise SourceError(msg)
        try:
            yield from _tiles(source, params)
        except vips().Error as error:
            raise source_fault(source, error) from error


def _tiles(source: Source, params: Mapping[str, Any]) -> Iterator[Chunk]:
    with source.open() as data:
        image = open_image(data, sequential=True)
        look, across, down = Look.of(image), _spans(image.width, params), _spans(image.height, params)
        about = {"source": source.name, "columns": len(across), "rows": len(down), "overlap": params["overlap"]}
        about |= {"image_width": image.width, "image_height": image.height}
        cut = (
            # A copy: the strip is written over while tiles wait to be packed.
            ({"row": row, "column": column, "x": x, "y": y}, strip[:, x : x + width].copy())
            for row, ((y, _), strip) in enumerate(zip(down, strips(image, down, source), strict=True))
            for column, (x, width) in enumerate(across)
        )
        tile_bytes = across[0][1] * down[0][1] * look.pixel_bytes
        yield from map_ordered(partial(_packed, vips(), look, about, params), cut, tile_bytes)


def _packed(
    library: Any, look: Look, about: Mapping[str, Any], params: Mapping[str, Any], cut: tuple[Mapping[str, Any], Any]
) -> Chunk:
    """A chunk of a tile's place and pixels."""
    place, pixels = cut
    height, width, bands = pixels.shape
    tile = look.on(library.Image.new_from_memory(pixels, width, height, bands, look.format), library)
    if params["edge"] == "pad":
        tile = tile.embed(0, 0, params["size"], params["size"], extend="copy")
    saver = SAVERS[params["format"]]
    extension = PurePosixPath(saver.partition("[")[0]).suffix
    name = f"{about['source']}_{place['row']}_{place['column']}{extension}"
    size = {"width": width, "height": height, "tile_width": tile.width, "tile_height": tile.height}
    data = tile.write_to_buffer(saver, keep="icc")
    return Chunk.of_bytes(data, name=name, items=1, metadata={**about, **place, **size})


def _spans(length: int, params: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(start, length) of each tile along one side."""
    size, step = params["size"], params["size"] - params["overlap"]
    starts = range(0, max(1, length - params["overlap"]), step)
    if params["edge"] == "shift" and length >= size:
        return [(min(start, length - size), size) for start in starts]
    return [(start, min(size, length - start)) for start in starts]

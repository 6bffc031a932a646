"""Tiles of each image, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Chunk, Source, resources
from triptych.engines.images import open_image, source_fault, vips
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
    # Unpacked once, in tiles, so that any part can be had again: formats are read from the top down only.
    unpacked = resources().new_folder() / "unpacked.tif"
    with source.open() as data:
        whole = open_image(data, sequential=True)
        whole.tiffsave(str(unpacked), tile=True, tile_width=256, tile_height=256, bigtiff=True)
    image = vips().Image.new_from_file(str(unpacked))
    # A pipeline per tile would keep memory for each; one region does not.
    region = vips().Region.new(image)
    across = _spans(image.width, params)
    down = _spans(image.height, params)
    about = {"source": source.name, "columns": len(across), "rows": len(down), "overlap": params["overlap"]}
    about |= {"image_width": image.width, "image_height": image.height}
    for row, (y, height) in enumerate(down):
        for column, (x, width) in enumerate(across):
            pixels = region.fetch(x, y, width, height)
            tile = vips().Image.new_from_memory(pixels, width, height, image.bands, image.format)
            tile = _like(image, tile)
            if params["edge"] == "pad":
                tile = tile.embed(0, 0, params["size"], params["size"], extend="copy")
            place = {"row": row, "column": column, "x": x, "y": y, "width": width, "height": height}
            place |= {"tile_width": tile.width, "tile_height": tile.height}
            extension = PurePosixPath(SAVERS[params["format"]].partition("[")[0]).suffix
            name = f"{source.name}_{row}_{column}{extension}"
            data = tile.write_to_buffer(SAVERS[params["format"]], keep="icc")
            yield Chunk.of_bytes(data, name=name, items=1, metadata={**about, **place})
    unpacked.unlink()


def _like(image: Any, tile: Any) -> Any:
    """The tile with the image's colour space and profile."""
    tile = tile.copy(interpretation=image.interpretation)
    if "icc-profile-data" in image.get_fields():
        tile.set_type(vips().GValue.blob_type, "icc-profile-data", image.get("icc-profile-data"))
    return tile


def _spans(length: int, params: Mapping[str, Any]) -> list[tuple[int, int]]:
    """(start, length) of each tile along one side."""
    size, step = params["size"], params["size"] - params["overlap"]
    starts = range(0, max(1, length - params["overlap"]), step)
    if params["edge"] == "shift" and length >= size:
        return [(min(start, length - size), size) for start in starts]
    return [(start, min(size, length - start)) for start in starts]

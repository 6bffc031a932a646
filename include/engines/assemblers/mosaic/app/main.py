"""Mosaics, a row of tiles at a time: memory holds the pixels of one row of tiles, whatever the image's height."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.images import open_image, result_fault, vips
from triptych.errors import EngineError

SAVERS = {
    "png": (".png", {}),
    "tiff": (".tif", {"compression": "deflate", "predictor": "horizontal", "tile": True, "bigtiff": True}),
    "jpeg": (".jpg", {}),
}
NEEDED = ("source", "row", "column", "rows", "columns", "x", "y", "width", "height", "tile_width", "tile_height")


@dataclass(frozen=True)
class Shape:
    """What all tiles of one image share; `scale` is new pixels per old one."""

    scale: float
    bands: int
    format: str
    interpretation: str
    profile: bytes | None


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    images: dict[str, list[Result]] = {}
    for result in results:
        missing = [key for key in (*NEEDED, "overlap", "image_width", "image_height") if key not in result.metadata]
        if missing:
            what = f"chunk {result.chunk} ({result.chunk_name})"
            msg = f"{what}: has no {missing[0]!r} in its metadata. Cut with image_tiles."
            raise EngineError(msg)
        images.setdefault(result.metadata["source"], []).append(result)
    for source, tiles in images.items():
        extension, options = SAVERS[params["format"]]
        options = options | ({"Q": params["quality"]} if params["format"] == "jpeg" else {})
        path = resources().new_folder() / f"mosaic{extension}"
        _mosaic(source, tiles, blend=params["overlaps"] == "blend").write_to_file(str(path), **options)
        output.put_file(path, f"{PurePosixPath(source).stem}{params['suffix']}{extension}")
        path.unlink()


def _mosaic(source: str, tiles: Sequence[Result], *, blend: bool) -> Any:
    """The image, read from a scratch file of its rows."""
    grid = _grid(source, tiles)
    first = tiles[0].metadata
    shape = _shape(tiles[0])
    width, height = (round(first[key] * shape.scale) for key in ("image_width", "image_height"))
    path = resources().new_folder() / "rows.raw"
    with path.open("wb") as out:
        for rows in _rows(grid, shape, width, height, blend=blend):
            out.write(rows.tobytes())
    image = vips().Image.rawload(str(path), width, height, shape.bands, format=shape.format, access="sequential")
    image = image.copy(interpretation=shape.interpretation)
    if shape.profile:
        image = image.copy()
        image.set_type(vips().GValue.blob_type, "icc-profile-data", shape.profile)
    return image


def _grid(source: str, tiles: Sequence[Result]) -> list[list[Result]]:
    """Tiles by row and column; EngineError names those that are missing or there twice."""
    places = {(tile.metadata["row"], tile.metadata["column"]): tile for tile in tiles}
    rows, columns = tiles[0].metadata["rows"], tiles[0].metadata["columns"]
    missing = [(row, column) for row in range(rows) for column in range(columns) if (row, column) not in places]
    if missing or len(places) < len(tiles):
        what = f"row {missing[0][0]}, column {missing[0][1]} is missing" if missing else "a tile is there twice"
        msg = f"{source}: of {rows} x {columns} tiles, {what}. Each chunk must leave one image."
        raise EngineError(msg)
    return [[places[row, column] for column in range(columns)] for row in range(rows)]


def _shape(tile: Result) -> Shape:
    image = _read(tile)
    profile = image.get("icc-profile-data") if "icc-profile-data" in image.get_fields() else None
    scale = image.width / tile.metadata["tile_width"]
    return Shape(scale, image.bands, image.format, image.interpretation, profile)


def _read(tile: Result) -> Any:
    try:
        with tile.open() as data:
            return open_image(data, sequential=True).copy_memory()
    except vips().Error as error:
        raise result_fault(tile, error) from error


def _rows(grid: Sequence[Sequence[Result]], shape: Shape, width: int, height: int, *, blend: bool) -> Iterator[Any]:
    """Arrays of finished rows (rows, width, bands), from the top down."""
    import numpy as np

    top = 0
    pixels, weights = np.zeros((0, width, shape.bands)), np.zeros((0, width, 1))
    for number, row in enumerate(grid):
        spans = [_span(tile.metadata, "y", "height", shape.scale) for tile in row]
        bottom = max(end for _, end in spans)
        more = bottom - top - len(pixels)
        pixels = np.concatenate([pixels, np.zeros((more, width, shape.bands))])
        weights = np.concatenate([weights, np.zeros((more, width, 1))])
        for tile in row:
            _add(tile, shape, pixels, weights, top, blend=blend)
        last = number == len(grid) - 1
        done = height if last else _span(grid[number + 1][0].metadata, "y", "height", shape.scale)[0]
        yield _rounded(pixels[: done - top] / np.maximum(weights[: done - top], 1e-9), shape)
        pixels, weights, top = pixels[done - top :], weights[done - top :], done


def _rounded(values: Any, shape: Shape) -> Any:
    import numpy as np

    kind = {"uchar": np.uint8, "ushort": np.uint16, "float": np.float32, "double": np.float64}[shape.format]
    return values.astype(kind) if np.issubdtype(kind, np.floating) else np.rint(values).astype(kind)


def _add(tile: Result, shape: Shape, pixels: Any, weights: Any, top: int, *, blend: bool) -> None:
    """The tile's pixels, weighted, into the rows that begin at `top`."""
    about = tile.metadata
    image = _read(tile)
    expected = (round(about["tile_width"] * shape.scale), round(about["tile_height"] * shape.scale))
    if (image.width, image.height) != expected or (image.bands, image.format) != (shape.bands, shape.format):
        found = f"{image.width} x {image.height}, {image.bands} bands, {image.format}"
        wanted = f"{expected[0]} x {expected[1]}, {shape.bands} bands, {shape.format}"
        msg = f"chunk {tile.chunk}, {tile.name!r}: is {found}, and the other tiles make it {wanted}."
        raise EngineError(msg)
    (left, right), (upper, lower) = (
        _span(about, side, length, shape.scale) for side, length in (("x", "width"), ("y", "height"))
    )
    content = image.numpy().reshape(image.height, image.width, shape.bands)[: lower - upper, : right - left]
    weight = _ramp(about, "y", "height", shape.scale, blend=blend)[:, None, None]
    weight = weight * _ramp(about, "x", "width", shape.scale, blend=blend)[None, :, None]
    pixels[upper - top : lower - top, left:right] += content * weight
    weights[upper - top : lower - top, left:right] += weight


def _span(about: Mapping[str, Any], start: str, length: str, scale: float) -> tuple[int, int]:
    return round(about[start] * scale), round((about[start] + about[length]) * scale)


def _ramp(about: Mapping[str, Any], start: str, length: str, scale: float, *, blend: bool) -> Any:
    """The weight along one side: rising and falling over the overlaps with neighbours, or 0 and 1."""
    import numpy as np

    begin, end = _span(about, start, length, scale)
    full = about["image_width" if start == "x" else "image_height"]
    overlap = max(1, round(about["overlap"] * scale))
    place = np.arange(end - begin) + 0.5
    rising = place / overlap if about[start] > 0 else np.inf
    falling = (end - begin - place) / overlap if about[start] + about[length] < full else np.inf
    ramp = np.minimum(np.minimum(rising, falling), 1.0) * np.ones(end - begin)
    if blend or about["overlap"] == 0:
        return ramp
    # A trace of weight where a tile shifted inward has no other pixel.
    return np.where(np.minimum(rising, falling) >= 0.5, 1.0, 1e-6)

"""Mosaics, a row of tiles at a time: memory holds the rows of tiles that overlap, whatever the image's height."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from triptych.engines import Output, Result, resources
from triptych.engines.images.strips import ROWS_AT_ONCE, room, save_rows
from triptych.engines.images.vips import FAIL_ON, NUMBERS, Look, result_fault, vips
from triptych.engines.streams.parallel import map_ordered
from triptych.engines.streams.prefetch import prefetch
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
    look: Look


@dataclass(frozen=True)
class Band:
    """A row or a column of tiles: its new pixels [begin, end), and how much each counts where tiles overlap."""

    begin: int
    end: int
    weight: Any


@dataclass(frozen=True)
class Cell:
    """New pixels [begin, end) along one side, and the bands, by number, that all of them lie in."""

    begin: int
    end: int
    bands: list[int]


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
        _save(source, tiles, path, options, blend=params["overlaps"] == "blend")
        output.put_file(path, f"{PurePosixPath(source).stem}{params['suffix']}{extension}")
        path.unlink()


def _save(source: str, tiles: Sequence[Result], path: Path, options: Mapping[str, Any], *, blend: bool) -> None:
    grid = _grid(source, tiles)
    first = tiles[0].metadata
    shape = _shape(tiles[0])
    width, height = (round(first[key] * shape.scale) for key in ("image_width", "image_height"))
    save_rows(_rows(grid, shape, width, height, blend=blend), (width, height), shape.look, path, options)


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
    image = _read(vips(), tile)
    return Shape(image.width / tile.metadata["tile_width"], Look.of(image))


def _read(library: Any, tile: Result) -> Any:
    data = b"".join(tile.stream())
    try:
        return library.Image.new_from_buffer(data, "", access="sequential", fail_on=FAIL_ON)
    except library.Error as error:
        raise result_fault(tile, error) from error


def _rows(grid: Sequence[Sequence[Result]], shape: Shape, width: int, height: int, *, blend: bool) -> Iterator[Any]:
    """Arrays of finished rows (rows, width, bands), from the top down; the next one overwrites the last."""
    import numpy as np

    columns = [_band(tile.metadata, "x", "width", shape.scale, blend=blend) for tile in grid[0]]
    rows = [_band(row[0].metadata, "y", "height", shape.scale, blend=blend) for row in grid]
    across = list(_cells(columns, width, width))
    unpacked = prefetch(map(partial(_pixels, shape), grid), 1)
    strip = np.empty((ROWS_AT_ONCE, width, shape.look.bands), NUMBERS[shape.look.format])
    pixels: dict[int, Any] = {}
    for cell in _cells(rows, height, ROWS_AT_ONCE):
        pixels = {number: row for number, row in pixels.items() if number in cell.bands}
        # Only now: no row that is done with is kept while the next one comes.
        pixels |= {number: next(unpacked) for number in cell.bands if number not in pixels}
        made = strip[: cell.end - cell.begin]
        for column in across:
            made[:, column.begin : column.end] = _woven(
                [
                    _part(pixels[row][number], rows[row], columns[number], cell, column)
                    for row in cell.bands
                    for number in column.bands
                ],
                made.dtype,
            )
        yield made


def _cells(bands: Sequence[Band], end: int, most: int) -> Iterator[Cell]:
    """Cover [0, end), in order, with cells of at most so many pixels, each in the same bands from edge to edge."""
    edges = {0, end, *(band.begin for band in bands), *(band.end for band in bands), *range(0, end, most)}
    ordered = sorted(edge for edge in edges if edge <= end)
    for begin, stop in pairwise(ordered):
        yield Cell(begin, stop, [n for n, band in enumerate(bands) if band.begin <= begin < band.end])


def _pixels(shape: Shape, tiles: Sequence[Result]) -> Any:
    """Those of a row of tiles: (tiles, height, width, bands), as large as the largest."""
    height, width = (
        max(round(tile.metadata[key] * shape.scale) for tile in tiles) for key in ("tile_height", "tile_width")
    )
    row = room((len(tiles), height, width, shape.look.bands), NUMBERS[shape.look.format])
    tile_bytes = height * width * shape.look.pixel_bytes
    for number, tile in enumerate(map_ordered(partial(_unpacked, vips(), shape), tiles, 2 * tile_bytes)):
        row[number, : tile.shape[0], : tile.shape[1]] = tile
    return row


def _unpacked(library: Any, shape: Shape, tile: Result) -> Any:
    """The tile's pixels (height, width, bands); EngineError when it is not like the others."""
    import numpy as np

    image, about, look = _read(library, tile), tile.metadata, shape.look
    expected = (round(about["tile_width"] * shape.scale), round(about["tile_height"] * shape.scale))
    if (image.width, image.height) != expected or (image.bands, image.format) != (look.bands, look.format):
        found = f"{image.width} x {image.height}, {image.bands} bands, {image.format}"
        wanted = f"{expected[0]} x {expected[1]}, {look.bands} bands, {look.format}"
        msg = f"chunk {tile.chunk}, {tile.name!r}: is {found}, and the other tiles make it {wanted}."
        raise EngineError(msg)
    try:
        data = image.write_to_memory()
    except library.Error as error:
        raise result_fault(tile, error) from error
    return np.frombuffer(data, NUMBERS[look.format]).reshape(image.height, image.width, look.bands)


def _part(tile: Any, row: Band, column: Band, down: Cell, across: Cell) -> tuple[Any, Any]:
    """The tile's pixels in a cell, and their weights (height, width, 1)."""
    rows = slice(down.begin - row.begin, down.end - row.begin)
    columns = slice(across.begin - column.begin, across.end - column.begin)
    return tile[rows, columns], row.weight[rows, None, None] * column.weight[None, columns, None]


def _woven(parts: Sequence[tuple[Any, Any]], kind: Any) -> Any:
    """The weighted mean of these pixels; as they are when there is one part."""
    import numpy as np

    if len(parts) == 1:
        return parts[0][0]
    mean = sum(pixels * weight for pixels, weight in parts) / sum(weight for _, weight in parts)
    return mean.astype(kind) if np.issubdtype(kind, np.floating) else np.rint(mean).astype(kind)


def _band(about: Mapping[str, Any], start: str, length: str, scale: float, *, blend: bool) -> Band:
    begin, end = _span(about, start, length, scale)
    return Band(begin, end, _ramp(about, start, length, scale, blend=blend))


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

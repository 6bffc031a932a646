"""Mosaics, a row of tiles at a time: memory holds the rows of tiles that overlap, whatever the image's height."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from triptych.engines import Output, Result, resources
from triptych.engines.arrays.aliases import Floats
from triptych.engines.contracts import SourceParts, by_source, output_names, require_all_sources
from triptych.engines.images.georeference import put_on_map
from triptych.engines.images.holding import fill_pixel, unheld, widened
from triptych.engines.images.opening import read_upright
from triptych.engines.images.row_writer import SaveOptions, save_rows
from triptych.engines.images.strips import ROWS_AT_ONCE, empty
from triptych.engines.images.tiles import TilePlace
from triptych.engines.images.vips import ImageHeader, Pixels, image_errors, limit_cache
from triptych.engines.streams.parallel import map_ordered
from triptych.engines.streams.prefetch import prefetch

if TYPE_CHECKING:
    import pyvips

SAVERS: dict[str, tuple[str, dict[str, str | int | bool]]] = {
    "png": (".png", {}),
    "tiff": (".tif", {"compression": "deflate", "predictor": "horizontal", "tile": True, "bigtiff": True}),
    "jpeg": (".jpg", {}),
}
LEAST_WEIGHT = 1e-6
"""Where tiles are cropped: a tile that was moved inward may hold the only pixel."""
TileRow = npt.NDArray[Any]
"""(tiles, height, width, bands): one row of tiles, each from the top left corner of its room."""


@dataclass(frozen=True)
class Tile:
    """An app's result, None where there is none, and where its chunk lies in the image."""

    result: Result | None
    place: TilePlace


@dataclass(frozen=True)
class Shape:
    """What all tiles of one image share; `scale` is new pixels per old one, `fill` a pixel of what is missing."""

    scale: float
    header: ImageHeader
    fill: tuple[float, ...] = ()

    def size_of(self, place: TilePlace) -> tuple[int, int]:
        """Width and height that the tile's file must have."""
        return round(place.tile_width_px * self.scale), round(place.tile_height_px * self.scale)


@dataclass(frozen=True)
class Band:
    """A row or a column of tiles: its new pixels [begin, end), and the weight of each where tiles overlap."""

    begin: int
    end: int
    weight: Floats


@dataclass(frozen=True)
class Cell:
    """New pixels [begin, end) along one side, and the bands, by number, that all of them lie in."""

    begin: int
    end: int
    bands: list[int]


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    limit_cache()
    images = by_source(results, TilePlace, on_missing="skip")  # _grid says which row and column is missing.
    if params["on_missing"] == "fail":
        require_all_sources(results)
    extension, options = SAVERS[params["format"]]
    options = options | ({"Q": params["quality"]} if params["format"] == "jpeg" else {})
    path = resources().new_folder() / f"mosaic{extension}"
    for image, name in zip(images, output_names([i.source for i in images], extension, params["suffix"]), strict=True):
        grid = _grid(image, fills=params["on_missing"] != "fail")
        shape = _shape(image.parts[0].result, grid, params)
        _save(grid, shape, path, options, blend=params["on_overlap"] == "blend")
        output.put_file(path, name)
        path.unlink()


def _grid(image: SourceParts[TilePlace], *, fills: bool) -> list[list[Tile]]:
    """Tiles by row and column; unless it `fills`, raises the error of the first result when one of them is missing."""
    tiles = {(place.row, place.column): Tile(part.result, place) for part in image.parts if (place := part.place)}
    first = next(iter(tiles.values())).place
    rows, columns = range(first.rows), range(first.columns)
    missing = [(row, column) for row in rows for column in columns if (row, column) not in tiles]
    filled = [Tile(None, place) for row, column in missing if fills and (place := first.at(row, column))]
    if len(filled) < len(missing):
        where = f"row {missing[0][0]}, column {missing[0][1]} is missing"
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        text = f"of the {len(rows)} x {len(columns)} tiles of {image.source}, {where}{more}. Run these chunks again."
        raise image.parts[0].result.error(text)
    tiles |= {(tile.place.row, tile.place.column): tile for tile in filled}
    return [[tiles[row, column] for column in columns] for row in rows]


def _save(grid: Sequence[Sequence[Tile]], shape: Shape, path: Path, options: SaveOptions, *, blend: bool) -> None:
    first = grid[0][0].place
    width, height = (round(px * shape.scale) for px in (first.image_width_px, first.image_height_px))
    save_rows(_rows(grid, shape, width, height, blend=blend), (width, height), shape.header, path, options)
    if first.map:
        put_on_map(path, first.source, first.map.moved(0, 0, shape.scale))


def _shape(result: Result, grid: Sequence[Sequence[Tile]], params: Mapping[str, Any]) -> Shape:
    """By the first tile that is there, and by all headers where that has fewer bands than the source: an optimiser may
    have written what is grey as one band. Raises the result's error for what the mosaic's format cannot hold.
    """
    left = [(tile.result, tile.place) for tiles in grid for tile in tiles if tile.result]
    first = left[0][1]
    image = _opened(left[0][0])
    scale, header = image.width / first.tile_width_px, ImageHeader.of(image)
    if first.bands is None or image.bands < first.bands:
        headers = [ImageHeader.of(_opened(each)) for each, _ in left]
        header = max(headers, key=lambda header: (header.bands, header.pixel_bytes))
    if refusal := unheld(header, params["format"]):
        raise result.error(refusal)
    if params["on_missing"] == "fail":
        return Shape(scale, header)
    fill = fill_pixel(params["on_missing"], header, first.map.nodata if first.map else "")
    if fill is None:
        text = f"has no {params['on_missing']} pixels to fill missing tiles with. Set on_missing to another choice."
        raise result.error(text)
    return Shape(scale, header, fill)


def _opened(result: Result) -> pyvips.Image:
    return read_upright(result, b"".join(result.stream()))


def _rows(grid: Sequence[Sequence[Tile]], shape: Shape, width: int, height: int, *, blend: bool) -> Iterator[Pixels]:
    """Arrays of finished rows (rows, width, bands), from the top down; the next one overwrites the last."""
    columns = [_column_band(tile.place, shape.scale, blend=blend) for tile in grid[0]]
    rows = [_row_band(tiles[0].place, shape.scale, blend=blend) for tiles in grid]
    across = list(_cells(columns, width, width))
    strip = np.empty((ROWS_AT_ONCE, width, shape.header.bands), shape.header.dtype)
    decoded: dict[int, TileRow] = {}
    result = next(tile.result for tiles in grid for tile in tiles if tile.result)
    with closing(prefetch(map(partial(_pixels, shape, result), grid), 1)) as tile_rows:
        for cell in _cells(rows, height, ROWS_AT_ONCE):
            decoded = {number: row for number, row in decoded.items() if number in cell.bands}
            # Only now: no row that is done with is kept while the next one comes.
            decoded |= {number: next(tile_rows) for number in cell.bands if number not in decoded}
            made = strip[: cell.end - cell.begin]
            for column in across:
                made[:, column.begin : column.end] = _weighted_mean(
                    [
                        _part(decoded[row][number], rows[row], columns[number], cell, column)
                        for row in cell.bands
                        for number in column.bands
                    ]
                )
            yield made


def _cells(bands: Sequence[Band], end: int, most: int) -> Iterator[Cell]:
    """Cover [0, end), in order, with cells of at most `most` pixels, each in the same bands from edge to edge.

    Bands [0, 6) and [4, 10), most 5: [0, 4) in 0, [4, 5) in 0 and 1, [5, 6) in 0 and 1, [6, 10) in 1.
    """
    edges = {0, end, *(band.begin for band in bands), *(band.end for band in bands), *range(0, end, most)}
    ordered = sorted(edge for edge in edges if edge <= end)
    for begin, stop in pairwise(ordered):
        yield Cell(begin, stop, [n for n, band in enumerate(bands) if band.begin <= begin < band.end])


def _pixels(shape: Shape, result: Result, tiles: Sequence[Tile]) -> TileRow:
    """Those of a row of tiles, each with as much room as the largest needs; the result's error where there is none."""
    sizes = [shape.size_of(tile.place) for tile in tiles]
    width, height = max(width for width, _ in sizes), max(height for _, height in sizes)
    row = empty((len(tiles), height, width, shape.header.bands), shape.header.dtype, result)
    tile_bytes = height * width * shape.header.pixel_bytes
    for number, pixels in enumerate(map_ordered(partial(_decoded, shape), tiles, 2 * tile_bytes)):
        row[number, : pixels.shape[0], : pixels.shape[1]] = pixels
    return row


def _decoded(shape: Shape, tile: Tile) -> Pixels:
    """The tile's pixels; raises the result's error when it is not like the others."""
    header, expected = shape.header, shape.size_of(tile.place)
    if tile.result is None:
        return np.full((expected[1], expected[0], header.bands), shape.fill, header.dtype)
    image = widened(_opened(tile.result), header)
    if (image.width, image.height) != expected or (image.bands, image.format) != (header.bands, header.format):
        actual = f"{image.width} x {image.height}, {image.bands} bands, {image.format}"
        wanted = f"{expected[0]} x {expected[1]}, {header.bands} bands, {header.format}"
        text = f"is {actual}, and the other tiles make it {wanted}. Let the app treat all tiles alike."
        raise tile.result.error(text)
    with image_errors(tile.result):
        data = image.write_to_memory()
    return np.frombuffer(data, header.dtype).reshape(image.height, image.width, header.bands)


def _part(tile: Pixels, row: Band, column: Band, down: Cell, across: Cell) -> tuple[Pixels, Floats]:
    """The tile's pixels in a cell (height, width, bands), and their weights (height, width, 1)."""
    rows = slice(down.begin - row.begin, down.end - row.begin)
    columns = slice(across.begin - column.begin, across.end - column.begin)
    return tile[rows, columns], row.weight[rows, None, None] * column.weight[None, columns, None]


def _weighted_mean(parts: Sequence[tuple[Pixels, Floats]]) -> Pixels:
    """The mean of these pixels, of their own dtype: 0 and 100 of weights 3 and 1 -> 25; as they are when alone."""
    if len(parts) == 1:
        return parts[0][0]
    mean = sum(pixels * weight for pixels, weight in parts) / sum(weight for _, weight in parts)
    dtype = parts[0][0].dtype
    return np.asarray(mean if np.issubdtype(dtype, np.floating) else np.rint(mean), dtype)


def _column_band(place: TilePlace, scale: float, *, blend: bool) -> Band:
    return _band((place.x_px, place.width_px, place.image_width_px), place.overlap_px, scale, blend=blend)


def _row_band(place: TilePlace, scale: float, *, blend: bool) -> Band:
    return _band((place.y_px, place.height_px, place.image_height_px), place.overlap_px, scale, blend=blend)


def _band(side: tuple[int, int, int], overlap_px: int, scale: float, *, blend: bool) -> Band:
    """Of tiles at side[0] that are side[1] long, in an image of side[2]; all in old pixels.

    The weight rises over the overlap with the tile before, and falls over that with the next: an overlap of 4 gives
    1/8, 3/8, 5/8, 7/8, 1, 1, ...; without blending it is 1 from the middle of an overlap on.
    """
    start, length, full = side
    begin, end = round(start * scale), round((start + length) * scale)
    overlap = max(1, round(overlap_px * scale))
    centres = np.arange(end - begin) + 0.5
    rising = centres / overlap if start > 0 else np.full(end - begin, np.inf)
    falling = (end - begin - centres) / overlap if start + length < full else np.full(end - begin, np.inf)
    nearest = np.minimum(rising, falling)
    if blend or overlap_px == 0:
        return Band(begin, end, np.minimum(nearest, 1.0))
    return Band(begin, end, np.where(nearest >= 0.5, 1.0, LEAST_WEIGHT))

"""What `image_tiles` and `image_canvas` tell `mosaic` of a tile, and how all of them cut an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from triptych.engines.contracts import Place
from triptych.engines.images.georeference import Georeference
from triptych.errors import JobSpecError


@dataclass(frozen=True, kw_only=True)
class TilePlace(Place):
    """Where a tile lies in its image: [x_px, x_px + width_px) from the left, [y_px, y_px + height_px) from the top.

    It is in `row` of `rows` and `column` of `columns`, from 0, and shares `overlap_px` with each neighbour (more where
    the last ones were moved inward). Its file is `tile_width_px` by `tile_height_px`: larger where it was padded.
    The image is taken as it is shown, upright. `bands` is how many the source has; `map` tells where the tile lies on a
    map, for a GeoTIFF. `tile_px` and `boundary` are of the grid that the image is cut in.
    """

    row: int
    column: int
    rows: int
    columns: int
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    tile_width_px: int
    tile_height_px: int
    overlap_px: int
    image_width_px: int
    image_height_px: int
    bands: int | None = None
    map: Georeference | None = None
    tile_px: int | None = None
    boundary: str = ""

    def at(self, row: int, column: int) -> Self | None:
        """The place of another tile of the same image; None where nobody tells of the grid."""
        if self.tile_px is None:
            return None
        grid = Grid(self.tile_px, self.overlap_px, self.boundary)
        x, width = grid.span(self.image_width_px, column)
        y, height = grid.span(self.image_height_px, row)
        file = (self.tile_px, self.tile_px) if grid.pads else (width, height)
        return replace(
            self,
            row=row,
            column=column,
            x_px=x,
            y_px=y,
            width_px=width,
            height_px=height,
            tile_width_px=file[0],
            tile_height_px=file[1],
            map=self.map.moved(x - self.x_px, y - self.y_px) if self.map else None,
        )


@dataclass(frozen=True)
class Grid:
    """How an image is cut: tiles of `tile_px` by `tile_px` that share `overlap_px`; `boundary` as in the schema."""

    tile_px: int
    overlap_px: int
    boundary: str

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """As the parameters say; JobSpecError for an overlap that leaves a tile nothing of its own."""
        if params["overlap"] >= params["tile_size"]:
            msg = f"params.partitioner.overlap: must be below the tile size of {params['tile_size']}."
            raise JobSpecError(msg)
        return cls(params["tile_size"], params["overlap"], params.get("boundary", "partial"))

    @property
    def pads(self) -> bool:
        """Whether the last tiles are filled up to the size of all others."""
        return self.boundary == "pad"

    def spans(self, length: int) -> list[tuple[int, int]]:
        """(start, length) of each tile along a side of `length` pixels: 10 in tiles of 4 -> (0, 4), (4, 4), (8, 2)."""
        return [self.span(length, number) for number in range(len(self._starts(length)))]

    def span(self, length: int, number: int) -> tuple[int, int]:
        """That of one tile alone, by its number; IndexError where there is none."""
        start = self._starts(length)[number]
        if self.boundary == "shift" and length >= self.tile_px:
            return min(start, length - self.tile_px), self.tile_px
        return start, min(self.tile_px, length - start)

    def _starts(self, length: int) -> range:
        """Where tiles would begin if none were moved inward."""
        return range(0, max(1, length - self.overlap_px), self.tile_px - self.overlap_px)

    def first_place(
        self, source_index: int, source: str, width: int, height: int, bands: int | None = None
    ) -> TilePlace:
        """That of a whole tile in the top left corner of an image of so many pixels."""
        return TilePlace(
            source_index=source_index,
            source=source,
            row=0,
            column=0,
            rows=len(self.spans(height)),
            columns=len(self.spans(width)),
            x_px=0,
            y_px=0,
            width_px=self.tile_px,
            height_px=self.tile_px,
            tile_width_px=self.tile_px,
            tile_height_px=self.tile_px,
            overlap_px=self.overlap_px,
            image_width_px=width,
            image_height_px=height,
            bands=bands,
            tile_px=self.tile_px,
            boundary=self.boundary,
        )

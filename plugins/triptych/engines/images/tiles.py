"""What `image_tiles` tells `mosaic` of a tile."""

from __future__ import annotations

from dataclasses import dataclass

from triptych.engines.contracts import Place
from triptych.engines.images.georeference import Georeference


@dataclass(frozen=True, kw_only=True)
class TilePlace(Place):
    """Where a tile lies in its image: [x_px, x_px + width_px) from the left, [y_px, y_px + height_px) from the top.

    It is in `row` of `rows` and `column` of `columns`, from 0, and shares `overlap_px` with each neighbour (more where
    the last ones were moved inward). Its file is `tile_width_px` by `tile_height_px`: larger where it was padded.
    The image is taken as it is shown, upright. `bands` is how many the source has; `map` tells where the tile lies on a
    map, for a GeoTIFF.
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

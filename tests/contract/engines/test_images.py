"""Tiles and mosaics pixel by pixel, judged by ImageMagick; batches and packages byte by byte."""

from __future__ import annotations

import io
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.contract.engines.cases.images import FLOWER, as_png, cut_off, members, picture, tile_results
from tests.support.engine_harness import Results, join, join_peak_mib, peak_mib, split, untouched
from tests.support.large_pictures import Untouched, differing_values, write_picture
from triptych.errors import EngineError, JobSpecError, SourceError
from triptych.settings import Settings

IS_WHOLE = os.environ.get("MEDIA") == "whole"
"""What takes minutes is for `make media`."""


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "RGBA"])
@pytest.mark.parametrize(
    "params",
    [
        {"tile_size": 40},
        {"tile_size": 40, "overlap": 12},
        {"tile_size": 40, "overlap": 12, "boundary": "pad"},
        {"tile_size": 40, "overlap": 7, "boundary": "shift", "format": "tiff"},
        {"tile_size": 500},
    ],
    ids=str,
)
def test_tiles_and_mosaic_give_the_image_back(
    settings: Settings, tmp_path: Path, mode: str, params: dict[str, object]
) -> None:
    path = tmp_path / "ein Bild 画.png"
    picture(131, 97, mode).save(path)
    pieces = split(settings, "image_tiles", [path], params)
    for on_overlap in ("blend", "crop"):
        found = join(settings, "mosaic", untouched(pieces), {"on_overlap": on_overlap, "format": "tiff"})
        again = tmp_path / "again.tif"
        again.write_bytes(found["ein Bild 画.tif"])
        # ImageMagick counts the pixels that differ.
        command = ["compare", "-metric", "AE", str(path), str(again), "null:"]
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
        assert shown.stderr.split()[0] == "0", shown.stderr


def test_tiles_drawn_on_a_canvas_make_the_image(settings: Settings) -> None:
    params = {"width": 131, "height": 97, "tile_size": 40, "overlap": 12, "name": "drawn"}
    image, results = picture(131, 97), []
    for piece in split(settings, "image_canvas", [], params):
        tile = json.loads(piece.data)
        corner = (tile["x_px"], tile["y_px"])
        drawn = image.crop((*corner, corner[0] + tile["width_px"], corner[1] + tile["height_px"]))
        results.append(Results({"tile.png": as_png(drawn)}, metadata=piece.metadata))
    found = join(settings, "mosaic", results)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found["drawn.png"]))), np.asarray(image))


def test_a_canvas_of_too_many_tiles_and_one_beside_a_source_are_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(JobSpecError, match=r"tile_size: the canvas has 250,000 tiles, and 100,000 are the most"):
        split(settings, "image_canvas", [], {"width": 8000, "height": 8000, "tile_size": 16})
    path = tmp_path / "p.png"
    picture(20, 20).save(path)
    with pytest.raises(SourceError, match=r"p\.png: .*image_tiles"):
        split(settings, "image_canvas", [path], {"width": 20, "height": 20})


def test_every_tile_is_full_where_the_edge_is_padded_or_shifted(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "p.png"
    picture(131, 97).save(path)
    for boundary in ("pad", "shift"):
        pieces = split(settings, "image_tiles", [path], {"tile_size": 40, "overlap": 4, "boundary": boundary})
        sizes = {Image.open(io.BytesIO(piece.data)).size for piece in pieces}
        assert sizes == {(40, 40)}


def test_an_overlap_is_blended_from_one_tile_to_the_next(settings: Settings) -> None:
    whole = tile_results(Image.new("L", (20, 3)), 12)[0].metadata
    results = []
    for column, (x_px, shade) in enumerate([(0, 0), (8, 100)]):
        place = {**whole, "part": column, "column": column, "columns": 2, "parts": 2, "x_px": x_px, "overlap_px": 4}
        results.append(Results({"t.png": as_png(Image.new("L", (12, 3), shade))}, metadata=place))
    found = join(settings, "mosaic", results)
    with Image.open(io.BytesIO(found["p.png"])) as image:
        row = np.asarray(image)[1].tolist()
    assert row == [0] * 8 + [12, 38, 62, 88] + [100] * 8


def test_several_images_make_several_mosaics(settings: Settings) -> None:
    results = [
        *tile_results(picture(20, 20), 16, source="a.png"),
        *tile_results(picture(9, 9), 16, source="b.tif", source_index=1),
    ]
    assert sorted(join(settings, "mosaic", results, {"suffix": "_x"})) == ["a_x.png", "b_x.png"]


def test_two_images_of_one_name_are_two_mosaics(settings: Settings, tmp_path: Path) -> None:
    paths = [tmp_path / folder / "p.png" for folder in ("a", "b")]
    for seed, path in enumerate(paths):
        path.parent.mkdir()
        picture(50, 30, seed=seed).save(path)
    pieces = split(settings, "image_tiles", paths, {"tile_size": 20})
    found = join(settings, "mosaic", untouched(pieces))
    assert sorted(found) == ["a/p.png", "b/p.png"]
    for seed, name in enumerate(sorted(found)):
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found[name]))), picture(50, 30, seed=seed))


def test_a_missing_or_doubled_tile_is_named(settings: Settings) -> None:
    results = tile_results(picture(50, 41), 20)
    with pytest.raises(
        EngineError, match=r"of the 3 x 3 tiles of p\.png, row 1, column 1 is missing, and 1 more\. Run"
    ):
        join(settings, "mosaic", [result for n, result in enumerate(results) if n not in (4, 7)])
    twice = Results({**results[4].files, "again.png": results[4].files["output.png"]}, metadata=results[4].metadata)
    with pytest.raises(EngineError, match=r"part 4 of p\.png has 2 files\. Let each chunk leave one file"):
        join(settings, "mosaic", [*results[:4], twice, *results[5:]])


def test_an_image_of_which_all_tiles_are_missing_is_missed(settings: Settings, tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path in paths:
        picture(30, 20).save(path)
    results = untouched(split(settings, "image_tiles", paths, {"tile_size": 20}))
    left = [each for each in results if each.metadata["source"] != "b.png"]
    with pytest.raises(EngineError, match=r"of the 3 sources, 1 left no file at all; only a\.png, c\.png did\. Run"):
        join(settings, "mosaic", left)
    assert set(join(settings, "mosaic", left, {"on_missing": "black"})) == {"a.png", "c.png"}


@pytest.mark.parametrize(
    ("mode", "choice", "pixel", "boundary"),
    [
        ("L", "black", 0, "partial"),
        ("RGB", "black", (0, 0, 0), "pad"),
        ("RGBA", "black", (0, 0, 0, 255), "shift"),
        ("RGBA", "transparent", (0, 0, 0, 0), "partial"),
        ("RGB", "white", (255, 255, 255), "shift"),
        ("I;16", "white", 65535, "pad"),
    ],
)
def test_missing_tiles_are_filled_by_choice(
    settings: Settings, tmp_path: Path, mode: str, choice: str, pixel: object, boundary: str
) -> None:
    """The first, the last, and a row of which none is there."""
    path, missing = tmp_path / "a.png", {(0, 0), (1, 0), (1, 1), (1, 2), (2, 2)}
    picture(110, 100, mode).save(path)
    pieces = split(settings, "image_tiles", [path], {"tile_size": 40, "boundary": boundary})
    left = [each for each in untouched(pieces) if (each.metadata["row"], each.metadata["column"]) not in missing]
    with pytest.raises(EngineError, match=r"of the 3 x 3 tiles of a\.png, row 0, column 0 is missing, and 4 more"):
        join(settings, "mosaic", left)
    (data,) = join(settings, "mosaic", left, {"on_missing": choice, "on_overlap": "crop"}).values()
    truth, found = np.asarray(Image.open(path)), np.asarray(Image.open(io.BytesIO(data)))
    there, gone = np.zeros(truth.shape[:2], int), np.zeros(truth.shape[:2], int)
    for place in (piece.metadata for piece in pieces):
        covered = gone if (place["row"], place["column"]) in missing else there
        x, y = place["x_px"], place["y_px"]
        covered[y : y + place["height_px"], x : x + place["width_px"]] += 1
    # Not where tiles overlap, as those do that were moved inward.
    kept, filled = (there == 1) & (gone == 0), (gone == 1) & (there == 0)
    assert filled.sum() > 40 * 40 * 2
    np.testing.assert_array_equal(found[kept], truth[kept])
    assert (found[filled] == np.asarray(pixel)).all()


def test_a_fill_that_the_image_has_not_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture(50, 40).save(path)
    left = untouched(split(settings, "image_tiles", [path], {"tile_size": 40}))[:1]
    for choice in ("transparent", "nodata"):
        with pytest.raises(EngineError, match=f"has no {choice} pixels to fill missing tiles with"):
            join(settings, "mosaic", left, {"on_missing": choice})


@pytest.mark.parametrize(("key", "value", "says"), [("row", None, "'row' is None"), ("x_px", "3", "'x_px' is '3'")])
def test_metadata_of_another_partitioner_is_refused(settings: Settings, key: str, value: object, says: str) -> None:
    (tile,) = tile_results(picture(20, 20), 20)
    with pytest.raises(EngineError, match=f"chunk 0, 'output.png': its metadata is no TilePlace: {says}. Cut with"):
        join(settings, "mosaic", [Results(tile.files, metadata={**tile.metadata, key: value})])


def test_a_tile_of_another_size_is_named(settings: Settings) -> None:
    results = tile_results(picture(40, 20), 20)
    results[1] = Results({"output.png": as_png(picture(30, 30))}, metadata=results[1].metadata)
    with pytest.raises(EngineError, match=r"chunk 1, 'output.png': is 30 x 30"):
        join(settings, "mosaic", results)
    with pytest.raises(
        EngineError, match=r"its metadata is no TilePlace: 'source_index' is missing\. Cut with a partitioner that"
    ):
        join(settings, "mosaic", [Results({"a.png": b""})])


def test_batches_and_package_give_the_images_back(settings: Settings, tmp_path: Path) -> None:
    paths = [tmp_path / f"{n} ü.png" for n in range(5)]
    for n, path in enumerate(paths):
        picture(20 + n, 10).save(path)
    pieces = split(settings, "image_batches", paths, {"items_per_chunk": 2})
    found = join(settings, "image_package", untouched(pieces), {"package": "tar"})
    assert members(found["images.tar"]) == {path.name: path.read_bytes() for path in paths}


def test_only_what_is_too_large_is_made_smaller(settings: Settings, tmp_path: Path) -> None:
    small = tmp_path / "small.png"
    picture(50, 40).save(small)
    (piece,) = split(settings, "image_batches", [_copied(tmp_path), small], {"max_width": 100})
    found = members(piece.data)
    assert found["small.png"] == small.read_bytes()
    with Image.open(io.BytesIO(found["flower.jpg"])) as image:
        assert image.size == (100, round(427 * 100 / 640))


def _copied(folder: Path) -> Path:
    path = folder / "flower.jpg"
    path.write_bytes(FLOWER.read_bytes())
    return path


def test_what_is_no_image_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "a.doc"
    path.write_bytes(b"x")
    with pytest.raises(SourceError, match=r"a\.doc: is neither an image"):
        split(settings, "image_batches", [path], {})
    with pytest.raises(JobSpecError, match="overlap"):
        split(settings, "image_tiles", [path], {"tile_size": 20, "overlap": 20})


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_an_image_that_is_cut_off_is_refused_with_its_place(settings: Settings, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(cut_off(kind))
    with pytest.raises(SourceError, match=rf"{path.name}: cannot be read as an image in rows \d+ to \d+ of 280"):
        split(settings, "image_tiles", [path], {"tile_size": 64})
    with pytest.raises(SourceError, match=f"{path.name}: cannot be read as an image"):
        split(settings, "image_batches", [path], {"max_height": 100})
    tile = Results({f"t.{kind.lower()}": cut_off(kind)}, metadata=tile_results(picture(300, 280), 300)[0].metadata)
    with pytest.raises(EngineError, match=r"chunk 0, 't\.\w+': cannot be read as an image"):
        join(settings, "mosaic", [tile])
    for params in ({"contact_sheet": False}, {"package": "tar"}, {"package": "tiff", "contact_sheet": False}):
        with pytest.raises(EngineError, match=r"chunk 0, 't\.\w+': cannot be read as an image"):
            join(settings, "image_package", [tile], params)


@pytest.mark.parametrize("side", [4000, 20_000] if IS_WHOLE else [4000])
def test_large_pictures_take_a_part_of_their_size(settings: Settings, tmp_path: Path, side: int) -> None:
    """Half of what the pixels of the largest take; that no picture takes more than a small one, the contract shows."""
    path, most_mib = tmp_path / "large.tif", 20_000 * 20_000 / 2 / 2**20
    write_picture(path, side, 1, bigtiff=True)
    assert peak_mib("image_tiles", [path], {"format": "tiff"}, settings) < most_mib
    tiles = Untouched(tmp_path / "workspace", "output.tif")
    assert join_peak_mib("mosaic", tiles, {"format": "tiff"}, settings) < most_mib
    (mosaic,) = (tmp_path / "workspace").rglob("outputs/*/*/large.tif")
    assert differing_values(mosaic, side, 1) == 0

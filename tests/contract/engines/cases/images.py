"""image_tiles, image_canvas, mosaic, image_batches, image_package."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tests.contract.engines.cases import Join, Split
from tests.support.engine_harness import Piece, Results
from triptych.settings import PROJECT

FLOWER = PROJECT / "include" / "apps" / "thumbnails" / "test" / "images" / "flower.jpg"
TILE_PX, WIDEST_PX = 128, 150


def picture(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    bands = {"L": 1, "I;16": 1, "RGB": 3, "RGBA": 4}[mode]
    kind = np.uint16 if mode == "I;16" else np.uint8
    values = np.random.default_rng(seed).integers(0, np.iinfo(kind).max, (height, width, bands), kind, endpoint=True)
    return Image.fromarray(values.squeeze() if bands == 1 else values)


def _pictures(folder: Path) -> list[Path]:
    one, two = folder / "one.png", folder / "two.tif"
    picture(280, 180).save(one)
    picture(132, 360, "RGBA", 1).save(two)
    return [one, two]


def _one_picture(folder: Path) -> list[Path]:
    path = folder / "small.png"
    picture(128, 80).save(path)
    return [path]


def _tiles(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    for path in sources:
        with Image.open(path) as image:
            whole = np.asarray(image)
        seen = np.zeros(whole.shape[:2], int)
        for piece in (piece for piece in pieces if piece.metadata["source"] == path.name):
            place = piece.metadata
            rows = slice(place["y_px"], place["y_px"] + place["height_px"])
            columns = slice(place["x_px"], place["x_px"] + place["width_px"])
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(piece.data))), whole[rows, columns])
            seen[rows, columns] += 1
        assert seen.min() == seen.max() == 1


def _broken(folder: Path) -> Path:
    path = folder / "broken.png"
    picture(200, 200).save(path)
    path.write_bytes(path.read_bytes()[:4000])
    return path


def _tall(folder: Path, factor: int) -> Path:
    path = folder / f"tall{factor}.tif"
    Image.fromarray(np.zeros((2000 * factor, 2000, 3), np.uint8) + np.arange(2000, dtype=np.uint8)[None, :, None]).save(
        path
    )
    return path


def as_png(image: Image.Image) -> bytes:
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def tile_results(
    image: Image.Image, size: int, scale: int = 1, source: str = "p.png", source_index: int = 0
) -> list[Results]:
    """Tiles without overlap, cut with Pillow."""
    columns, rows = -(-image.width // size), -(-image.height // size)
    found: list[Results] = []
    for row in range(rows):
        for column in range(columns):
            x, y = column * size, row * size
            tile = image.crop((x, y, min(x + size, image.width), min(y + size, image.height)))
            place = {
                "source_index": source_index,
                "source": source,
                "part": len(found),
                "parts": rows * columns,
                "row": row,
                "column": column,
                "rows": rows,
                "columns": columns,
                "x_px": x,
                "y_px": y,
                "width_px": tile.width,
                "height_px": tile.height,
                "tile_width_px": tile.width,
                "tile_height_px": tile.height,
                "overlap_px": 0,
                "image_width_px": image.width,
                "image_height_px": image.height,
            }
            larger = tile.resize((tile.width * scale, tile.height * scale), Image.Resampling.NEAREST)
            found.append(Results({"output.png": as_png(larger)}, metadata=place))
    return found


def _doubled(found: Mapping[str, bytes]) -> None:
    truth = picture(50, 41).resize((100, 82), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(found["p.png"]))), np.asarray(truth))


def _gap() -> list[Results]:
    return [result for n, result in enumerate(tile_results(picture(50, 41), 20)) if n != 4]


def _large_tiles(factor: int) -> list[Results]:
    return tile_results(Image.new("RGB", (1500, 1000 * factor), "green"), 500)


def _archives(folder: Path) -> list[Path]:
    images = _pictures(folder)
    flower = Path(shutil.copy(FLOWER, folder))
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.write(images[0], "sub/one.png")
        archive.writestr("readme.txt", "no image")
    with tarfile.open(folder / "more.tar.gz", "w:gz") as archive_tar:
        archive_tar.add(images[1], "two.tif")
    return [*images, flower, folder / "more.zip", folder / "more.tar.gz"]


def members(data: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {entry.name: stream.read() for entry in archive if (stream := archive.extractfile(entry))}


def _in_sources(sources: Sequence[Path]) -> list[bytes]:
    images = [path.read_bytes() for path in sources if path.suffix in {".png", ".tif", ".jpg"}]
    # The archives hold the first two again.
    return [*images, *images[:2]] if len(sources) > len(images) else images


def _originals(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found = [members(piece.data) for piece in pieces]
    truth = _in_sources(sources)
    assert [list(batch.values()) for batch in found] == [truth[at : at + 2] for at in range(0, len(truth), 2)]
    assert [piece.items for piece in pieces] == list(map(len, found))
    assert [piece.metadata["images"] for piece in pieces] == list(map(list, found))


def _made_smaller(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found = [data for piece in pieces for data in members(piece.data).values()]
    for made, original in zip(found, _in_sources(sources), strict=True):
        width, height = Image.open(io.BytesIO(original)).size
        if width <= WIDEST_PX:
            assert made == original
        else:
            assert Image.open(io.BytesIO(made)).size == (WIDEST_PX, round(height * WIDEST_PX / width))


def _bad_zip(folder: Path) -> Path:
    path = folder / "bad.zip"
    path.write_bytes(b"PK\x03\x04 and no more")
    return path


def _many_images(folder: Path, factor: int) -> Path:
    path = folder / f"many{factor}.zip"
    image = as_png(picture(600, 600))
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(8 * factor):
            archive.writestr(f"{number}.png", image)
    return path


def _left() -> list[Results]:
    first = {"a.png": as_png(picture(30, 20)), "b.jpg": FLOWER.read_bytes()}
    return [Results(first), Results({"a.png": as_png(picture(10, 40, "RGBA"))})]


def _packaged(found: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(io.BytesIO(found["images.zip"])) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert list(files) == ["000000_a.png", "b.jpg", "000001_a.png"]
    assert files["b.jpg"] == FLOWER.read_bytes()
    rows = list(csv.DictReader(io.StringIO(found["images.csv"].decode())))
    assert [(row["name"], row["chunk"], row["width"], row["format"]) for row in rows] == [
        ("000000_a.png", "0", "30", "PNG"),
        ("b.jpg", "0", "640", "JPEG"),
        ("000001_a.png", "1", "10", "PNG"),
    ]
    with Image.open(io.BytesIO(found["contact_000.jpg"])) as sheet:
        assert sheet.width == 3 * (128 + 16)


def _pages(found: Mapping[str, bytes]) -> None:
    with Image.open(io.BytesIO(found["p.tif"])) as tiff:
        assert getattr(tiff, "n_frames", 1) == 3
        np.testing.assert_array_equal(np.asarray(tiff), np.asarray(picture(30, 20)))
    assert set(found) == {"p.tif"}


def _large_left(factor: int) -> list[Results]:
    return [Results({"a.png": as_png(picture(900, 900))}) for _ in range(4 * factor)]


CANVAS = {"width": 100, "height": 70, "tile_size": 32, "name": "plan"}


def _canvas(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    """Painted one over another, the tiles cover each pixel once."""
    covered = np.zeros((70, 100), int)
    for piece in pieces:
        tile = json.loads(piece.data)
        covered[tile["y_px"] : tile["y_px"] + tile["height_px"], tile["x_px"] : tile["x_px"] + tile["width_px"]] += 1
        assert tile.items() <= piece.metadata.items()
    assert covered.min() == covered.max() == 1
    assert len(pieces) == 12


def cut_off(kind: str, compression: str | None = None) -> bytes:
    """The first three quarters of a picture's file, whose directory is there where a TIFF has it in front."""
    data = io.BytesIO()
    if kind == "TIFF" and compression:
        picture(300, 280).save(data, kind, compression=compression)
    else:
        picture(300, 280).save(data, kind)
    return data.getvalue()[: 3 * len(data.getvalue()) // 4]


def _no_image() -> list[Results]:
    return [Results({"a.png": b"no image"})]


CASES = [
    Split(
        "image_tiles",
        {"tile_size": TILE_PX},
        _pictures,
        _tiles,
        bad={"tile_size": 1},
        corrupt=_broken,
        says="cannot be read as an image",
        grow=_tall,
        empty="refused",
        one=_one_picture,
    ),
    Split("image_canvas", CANVAS, None, _canvas, bad={"width": 0}),
    Split(
        "image_batches",
        {"items_per_chunk": 2},
        _archives,
        _originals,
        bad={"items_per_chunk": 0},
        corrupt=_bad_zip,
        says="zip",
        grow=_many_images,
        empty="refused",
        one=_one_picture,
    ),
    Split(
        "image_batches",
        {"items_per_chunk": 2, "max_width": WIDEST_PX},
        _archives,
        _made_smaller,
        bad={"max_width": 0},
        corrupt=_broken,
        says="cannot be read as an image",
        grow=_many_images,
        empty="refused",
        one=_one_picture,
    ),
    Join(
        "mosaic",
        {},
        lambda: tile_results(picture(50, 41), 20, scale=2),
        _doubled,
        bad={"quality": 0},
        corrupt=_gap,
        says="row 1, column 1 is missing",
        grow=_large_tiles,
    ),
    Join(
        "image_package",
        {},
        _left,
        _packaged,
        bad={"package": "rar"},
        corrupt=_no_image,
        says="chunk 0, 'a.png': cannot be read as an image",
        grow=_large_left,
    ),
    Join(
        "image_package",
        {"package": "tiff", "index": "none", "contact_sheet": False, "name": "p"},
        _left,
        _pages,
        bad={"thumbnail": 1},
        corrupt=lambda: [Results({"a.png": cut_off("PNG")})],
        says="chunk 0, 'a.png': cannot be read as an image",
        grow=_large_left,
    ),
]

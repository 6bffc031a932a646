"""Images as people have them: what a camera, a scanner or a map server writes comes back whole, or is refused.

The truth is that of ImageMagick (convert, compare, identify) and of NumPy arrays by construction.
"""

from __future__ import annotations

import io
import logging
import re
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, TiffImagePlugin

from tests.contract.engines.cases.images import as_png, members, picture
from tests.support.engine_harness import Piece, Results, join, split, untouched
from triptych.engines.images.georeference import read_georeference
from triptych.errors import EngineError, SourceError
from triptych.settings import Settings

pytestmark = pytest.mark.skipif(shutil.which("convert") is None, reason="no ImageMagick: apt-get install imagemagick")
ORIENTATION = 274


def _magick(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def _differing(one: Path, two: Path) -> str:
    """How many pixels of two images differ, by ImageMagick."""
    return _magick("compare", "-metric", "AE", one, two, "null:").split()[0]


def _mosaic(settings: Settings, folder: Path, results: Sequence[Results], file_format: str = "tiff") -> Path:
    ((name, data),) = join(settings, "mosaic", results, {"format": file_format}).items()
    path = folder / f"again{Path(name).suffix}"
    path.write_bytes(data)
    return path


def _turned(path: Path, orientation: int, width: int = 60, height: int = 40) -> Path:
    image = picture(width, height)
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    image.save(path, exif=exif, quality=100, dpi=(300, 300), subsampling=0)
    return path


@pytest.mark.parametrize("orientation", [2, 3, 5, 6, 8])
@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_an_image_that_is_to_be_turned_is_tiled_as_it_is_shown(
    settings: Settings, tmp_path: Path, name: str, orientation: int
) -> None:
    path, shown = tmp_path / name, tmp_path / "shown.png"
    image = picture(60, 40)
    exif = image.getexif()
    exif[ORIENTATION] = orientation
    image.save(path, exif=exif)
    _magick("convert", path, "-auto-orient", "-strip", shown)
    again = _mosaic(settings, tmp_path, untouched(split(settings, "image_tiles", [path], {"tile_size": 32})))
    assert _magick("identify", "-format", "%wx%h", again) == _magick("identify", "-format", "%wx%h", shown)
    # Decoders of JPEG may differ in the last bit.
    most = float(_magick("compare", "-metric", "PAE", shown, again, "null:").split("(")[1].rstrip(")"))
    assert most <= 3 / 255


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.png"])
def test_dots_per_inch_are_kept(settings: Settings, tmp_path: Path, name: str) -> None:
    path = _turned(tmp_path / name, 1)
    pieces = split(settings, "image_tiles", [path], {"tile_size": 32})
    for file_format in ("png", "tiff", "jpeg"):
        with Image.open(_mosaic(settings, tmp_path, untouched(pieces), file_format)) as image:
            assert image.info["dpi"][0] == pytest.approx(300, abs=0.1)


PIXELS = {
    "float": np.linspace(0.04, 999.9, 600, dtype=np.float32).reshape(20, 30),
    "signed": np.arange(-300, 300, dtype=np.int32).reshape(20, 30),
}


@pytest.mark.parametrize("kind", ["float", "signed", "cmyk"])
def test_pixels_that_a_format_cannot_hold_are_refused(settings: Settings, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.tif"
    if kind in PIXELS:
        Image.fromarray(PIXELS[kind]).save(path)
    else:
        picture(30, 20).convert("CMYK").save(path)
    with pytest.raises(SourceError, match=r"a\.tif: has \d bands? of \w+.*, which png cannot hold\. Set .* tiff\.$"):
        split(settings, "image_tiles", [path], {"tile_size": 16})
    pieces = split(settings, "image_tiles", [path], {"tile_size": 16, "format": "tiff"})
    for file_format in ("png", "jpeg") if kind != "cmyk" else ("png",):
        with pytest.raises(EngineError, match=rf"chunk 0.*which {file_format} cannot hold\. Set .* tiff\.$"):
            join(settings, "mosaic", untouched(pieces), {"format": file_format})
    again = _mosaic(settings, tmp_path, untouched(pieces))
    if kind in PIXELS:
        with Image.open(again) as image:
            np.testing.assert_array_equal(np.asarray(image), PIXELS[kind])
    else:
        assert _differing(path, again) == "0"


@pytest.mark.parametrize("name", ["pages.tif", "frames.gif", "frames.webp", "frames.png"])
def test_pages_that_are_left_out_are_told(
    settings: Settings, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / name
    frames = [picture(40, 30, seed=seed) for seed in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with caplog.at_level(logging.WARNING):
        split(settings, "image_tiles", [path], {"tile_size": 16})
    assert f"{name}: has {'several frames' if name.endswith('png') else '3 pages or frames'}, of which" in caplog.text


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_all_frames_are_made_smaller(settings: Settings, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    frames = [Image.new("RGB", (80, 60), colour) for colour in ("red", "green", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=120)
    (piece,) = split(settings, "image_batches", [path], {"max_width": 40})
    (tmp_path / "small").mkdir()
    small = tmp_path / "small" / name
    small.write_bytes(members(piece.data)[name])
    assert _magick("identify", "-format", "%wx%h %T,", small) == "40x30 12," * 3


def _geotiff(path: Path, data: npt.NDArray[Any], nodata: str = "") -> Path:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    keys = (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32632)
    for tag, kind, value in (
        (33550, 12, (10.0, 10.0, 0.0)),
        (33922, 12, (0.0, 0.0, 0.0, 500_000.0, 5_300_000.0, 0.0)),
        (34735, 3, keys),
    ):
        tags[tag], tags.tagtype[tag] = value, kind
    if nodata:
        tags[42113], tags.tagtype[42113] = nodata, 2
    Image.fromarray(data).save(path, tiffinfo=tags)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_map_stays_a_map_and_tiles_know_their_place(settings: Settings, tmp_path: Path, dtype: type) -> None:
    data: npt.NDArray[Any] = np.arange(40 * 50).reshape(40, 50).astype(dtype)
    path = _geotiff(tmp_path / "a.tif", data)
    pieces = split(settings, "image_tiles", [path], {"tile_size": 32, "format": "tiff"})
    for piece in pieces:
        place = piece.metadata
        with Image.open(io.BytesIO(piece.data)) as tile:
            assert isinstance(tile, TiffImagePlugin.TiffImageFile)
            tie = tile.tag_v2[33922]
            np.testing.assert_array_equal(
                np.asarray(tile), data[place["y_px"] : place["y_px"] + 32, place["x_px"] : place["x_px"] + 32]
            )
        assert tie[3:5] == (500_000 + 10 * place["x_px"], 5_300_000 - 10 * place["y_px"])
        assert (place["map"]["affine"][2], place["map"]["affine"][5]) == tie[3:5]
    with Image.open(_mosaic(settings, tmp_path, untouched(pieces))) as again, Image.open(path) as source:
        assert isinstance(again, TiffImagePlugin.TiffImageFile)
        assert isinstance(source, TiffImagePlugin.TiffImageFile)
        for tag in (33550, 33922, 34735):
            assert again.tag_v2[tag] == source.tag_v2[tag]
        np.testing.assert_array_equal(np.asarray(again), data)


def test_a_map_of_many_pixels_is_one(tmp_path: Path) -> None:
    """Pillow refuses to open such a file, for fear of a bomb; nothing but its header is read here."""
    path = _geotiff(tmp_path / "a.tif", np.zeros((40, 50), np.uint8))
    data = bytearray(path.read_bytes())
    for tag in (256, 257):
        entry = re.search(struct.pack("<H", tag) + rb"[\x03\x04]\x00\x01\x00\x00\x00", data)
        assert entry is not None
        data[entry.end() : entry.end() + 4] = struct.pack("<I", 20_000)
    path.write_bytes(data)
    with pytest.raises(Image.DecompressionBombError), Image.open(path):
        pass
    with path.open("rb") as file:
        found = read_georeference(file)
    assert found is not None
    assert found.affine == (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_300_000.0)


def test_a_map_without_a_tile_has_no_value_there_and_stays_in_its_place(settings: Settings, tmp_path: Path) -> None:
    data: npt.NDArray[Any] = np.arange(40 * 50).reshape(40, 50).astype(np.float32)
    path = _geotiff(tmp_path / "a.tif", data, nodata="-9999")
    pieces = split(settings, "image_tiles", [path], {"tile_size": 32, "format": "tiff"})
    params = {"on_missing": "nodata", "format": "tiff"}
    (found,) = join(settings, "mosaic", untouched(pieces)[1:], params).values()
    with Image.open(io.BytesIO(found)) as again, Image.open(path) as source:
        assert isinstance(again, TiffImagePlugin.TiffImageFile)
        assert isinstance(source, TiffImagePlugin.TiffImageFile)
        for tag in (33550, 33922, 34735, 42113):
            assert again.tag_v2[tag] == source.tag_v2[tag]
        data[:32, :32] = -9999
        np.testing.assert_array_equal(np.asarray(again), data)


def _bitmap(bits: int, masks: Sequence[int], pixels: bytes) -> bytes:
    """Two pixels side by side, by Microsoft's BITMAPINFOHEADER with BI_BITFIELDS."""
    head = struct.pack("<IiiHHIIiiII", 40, 2, 1, 1, bits, 3, len(pixels), 0, 0, 0, 0) + struct.pack("<3I", *masks)
    return struct.pack("<2sIHHI", b"BM", 14 + len(head) + len(pixels), 0, 0, 14 + len(head)) + head + pixels


@pytest.mark.parametrize(
    ("bits", "masks", "pixels"),
    [
        (16, (0xF800, 0x07E0, 0x001F), struct.pack("<2H", 0xFFFF, 0xF800)),
        (32, (0xFF0000, 0xFF00, 0xFF), struct.pack("<2I", 0xFFFFFF, 0xFF0000)),
    ],
)
def test_white_is_white_in_every_bitmap(
    settings: Settings, tmp_path: Path, bits: int, masks: Sequence[int], pixels: bytes
) -> None:
    """Of 5 bits, and with a byte beside the colours that nobody uses."""
    path = tmp_path / "a.bmp"
    path.write_bytes(_bitmap(bits, masks, pixels))
    (piece,) = split(settings, "image_tiles", [path], {"tile_size": 32})
    with Image.open(io.BytesIO(piece.data)) as tile:
        assert np.asarray(tile).tolist() == [[[255, 255, 255], [255, 0, 0]]]


def test_colours_that_no_engine_reads_are_named(settings: Settings, tmp_path: Path) -> None:
    Image.new("LAB", (20, 10), (100, 20, 30)).save(tmp_path / "a.tif")
    with pytest.raises(
        SourceError, match=r"a\.tif: cannot be read as an image: its colours are CIE L\*a\*b\*, which no"
    ):
        split(settings, "image_tiles", [tmp_path / "a.tif"], {})


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("RGB", ["-fill", "red", "-draw", "rectangle 40,4 50,12"]),
        ("RGB", ["-fill", "red", "-draw", "rectangle 2,2 6,6"]),
        ("RGBA", ["-alpha", "set", "-fill", "#ff000080", "-draw", "rectangle 40,4 50,12"]),
        ("RGB", ["-depth", "16", "-fill", "#123456789abc", "-draw", "rectangle 40,4 50,12"]),
    ],
)
def test_tiles_that_an_optimiser_made_plainer_fit(
    settings: Settings, tmp_path: Path, mode: str, words: list[str]
) -> None:
    """ImageMagick writes what holds only grey as one band, and 16 bits as 8 where that is the same."""
    path = tmp_path / "a.png"
    _magick("convert", "-size", "60x40", "xc:white", *words, path)
    results = []
    for number, piece in enumerate(split(settings, "image_tiles", [path], {"tile_size": 32})):
        given, made = tmp_path / f"given{number}.png", tmp_path / f"made{number}.png"
        given.write_bytes(piece.data)
        _magick("convert", given, made)
        results.append(Results({"t.png": made.read_bytes()}, piece.name, piece.metadata))
    assert _differing(path, _mosaic(settings, tmp_path, results, "png")) == "0"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.bmp", []),
        ("a.ppm", []),
        ("a.pgm", ["-colorspace", "gray"]),
        ("a.ppm", ["-compress", "none"]),
        ("a.ppm", ["-depth", "16"]),
        ("a.bmp", ["-type", "palette", "-colors", "7"]),
    ],
)
def test_bmp_ppm_and_pgm_are_read(settings: Settings, tmp_path: Path, name: str, words: list[str]) -> None:
    path = tmp_path / name
    _magick("convert", "-size", "60x40", "gradient:red-blue", *words, path)
    pieces = split(settings, "image_tiles", [path], {"tile_size": 32})
    assert _differing(path, _mosaic(settings, tmp_path, untouched(pieces))) == "0"
    (piece,) = split(settings, "image_batches", [path], {"max_width": 30})
    with Image.open(io.BytesIO(members(piece.data)[name])) as image:
        assert (image.format, image.size) == ("BMP" if name == "a.bmp" else "PPM", (30, 20))
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(SourceError, match=rf"{name}: cannot be read as an image: [^/]+\. Correct or remove it"):
        split(settings, "image_tiles", [path], {"tile_size": 32})


@pytest.mark.parametrize(("orientation", "is_kept"), [(1, True), (6, False), (8, False), (3, True)])
def test_the_box_is_for_what_is_shown(settings: Settings, tmp_path: Path, orientation: int, is_kept: bool) -> None:
    path = _turned(tmp_path / "a.jpg", orientation)
    (piece,) = split(settings, "image_batches", [path], {"max_height": 50})
    found = members(piece.data)["a.jpg"]
    assert (found == path.read_bytes()) == is_kept
    small = tmp_path / "small.jpg"
    small.write_bytes(found)
    size = _magick("convert", small, "-auto-orient", "-format", "%wx%h", "info:")
    assert size == ("60x40" if is_kept else "33x50")
    (piece,) = split(settings, "image_batches", [path], {"max_width": 60})
    assert members(piece.data)["a.jpg"] == path.read_bytes()


@pytest.mark.parametrize("kind", ["grey16", "rgb16", "float"])
def test_what_is_made_smaller_keeps_its_bits(settings: Settings, tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("a.tif" if kind == "float" else "a.png")
    if kind == "float":
        Image.fromarray(PIXELS["float"]).save(path)
    else:
        words = ["-colorspace", "gray"] if kind == "grey16" else []
        _magick("convert", "-size", "60x40", "gradient:red-blue", *words, "-depth", "16", path)
    (piece,) = split(settings, "image_batches", [path], {"max_width": 15})
    (tmp_path / "small").mkdir()
    small = tmp_path / "small" / path.name
    small.write_bytes(members(piece.data)[path.name])
    if kind == "float":
        with Image.open(small) as image:
            found = np.asarray(image)
        assert found.dtype == np.float32
        assert found.shape == (10, 15)
        assert found.mean() == pytest.approx(PIXELS["float"].mean(), rel=0.02)
    else:
        assert _magick("identify", "-format", "%wx%h %z", small) == "15x10 16"


def _sheet(settings: Settings, folder: Path, name: str, data: bytes) -> Path:
    found = join(settings, "image_package", [Results({name: data})])
    path = folder / "sheet.jpg"
    path.write_bytes(found["contact_000.jpg"])
    return path


@pytest.mark.parametrize("kind", ["grey16", "rgb16", "float", "cmyk"])
def test_a_contact_sheet_shows_every_kind_of_pixels(settings: Settings, tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("a.png" if kind.endswith("16") else "a.tif")
    if kind == "float":
        Image.fromarray(np.tile(np.linspace(-5, 5, 40, dtype=np.float32)[:, None], (1, 60))).save(path)
    else:
        words = {"grey16": ["-colorspace", "gray"], "rgb16": [], "cmyk": ["-colorspace", "cmyk"]}[kind]
        _magick("convert", "-size", "60x40", "gradient:", *words, "-depth", "8" if kind == "cmyk" else "16", path)
    sheet = _sheet(settings, tmp_path, path.name, path.read_bytes())
    mean = float(_magick("convert", sheet, "-crop", "60x40+8+8", "+repage", "-format", "%[fx:mean]", "info:"))
    assert mean == pytest.approx(0.5, abs=0.06)


def test_a_package_shows_images_upright_and_refuses_to_drop_bits(settings: Settings, tmp_path: Path) -> None:
    path = _turned(tmp_path / "a.jpg", 6)
    found = join(settings, "image_package", [Results({"a.jpg": path.read_bytes()})], {"package": "tiff"})
    (tmp_path / "p.tif").write_bytes(found["images.tif"])
    assert _magick("identify", "-format", "%wx%h %x", tmp_path / "p.tif").startswith("40x60 300")
    with Image.open(io.BytesIO(found["contact_000.jpg"])) as sheet:
        strip = np.asarray(sheet)[8 : 8 + 60, 8 : 8 + 40]
    assert strip.std() > 20
    deep = tmp_path / "deep.png"
    _magick("convert", "-size", "60x40", "gradient:red-blue", "-depth", "16", deep)
    with pytest.raises(EngineError, match=r"'deep\.png' has 3 bands of ushort, of which .* Set package to zip or tar"):
        join(settings, "image_package", [Results({"deep.png": deep.read_bytes()})], {"package": "tiff"})


def test_archives_give_all_images_and_nothing_of_macos(settings: Settings, tmp_path: Path) -> None:
    names = ["a.jfif", "b.avif", "c.heic", "d.HEIF", "e.jpg"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in [*names, "__MACOSX/._e.jpg", "sub/._e.jpg"]:
            archive.writestr(name, as_png(picture(8, 8)))
    pieces: list[Piece] = split(settings, "image_batches", [tmp_path / "a.zip"], {})
    assert [name for piece in pieces for name in members(piece.data)] == names

"""All images in one package, one in memory at a time; results that are tars are taken apart."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw, ImageOps
from PIL.TiffImagePlugin import AppendingTiffWriter

from triptych.engines import Output, Result, resources
from triptych.engines.archives.members import PackedFile, read_tar, tar_of, write_zip
from triptych.engines.images.opening import read_image, read_upright
from triptych.engines.images.vips import ImageHeader, image_errors, limit_cache
from triptych.engines.streams.file_objects import BlockReader, OutputFile

if TYPE_CHECKING:
    import pyvips

TAR_MAGIC = (257, b"ustar")
EIGHT_BITS = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr")
"""Pillow's modes of pixels of 8 bits a band."""
SEEN_BY_BOTH = ("PNG", "TIFF", "PPM")
"""Formats of more than 8 bits, of which libvips tells how many there are."""
COLOURS = ("cmyk", "lab", "hsv", "srgb", "rgb", "b-w")
ON_A_SHEET, ACROSS, MARGIN_PX = 100, 10, 8


@dataclass(frozen=True)
class Packed:
    """One image: its name in the package, which no other has, its file's bytes, and the result that it came in."""

    name: str
    data: bytes
    result: Result


@dataclass(frozen=True)
class Entry:
    """An image's line in the index; the fields are its columns."""

    name: str
    chunk: int
    width: int
    height: int
    format: str | None
    bytes: int
    sha256: str


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    limit_cache()
    is_decoded_later = params["contact_sheet"] or params["package"] == "tiff"
    entries = [_entry(packed, decode=not is_decoded_later) for packed in _images(results)]
    {"zip": _zip, "tar": _tar, "tiff": _tiff}[params["package"]](results, output, params["name"])
    if params["index"] == "csv":
        with output.open(f"{params['name']}.csv") as out:
            table = csv.DictWriter(codecs.getwriter("utf-8")(OutputFile(out)), [field.name for field in fields(Entry)])
            table.writeheader()
            table.writerows(map(asdict, entries))
    elif params["index"] == "json":
        with output.open(f"{params['name']}.json") as out:
            out.write(json.dumps(list(map(asdict, entries)), ensure_ascii=False, indent=1).encode() + b"\n")
    if params["contact_sheet"]:
        _contact_sheets(results, output, params["thumbnail"])


def _images(results: Sequence[Result]) -> Iterator[Packed]:
    """Every image with a name of its own: a tar's members have theirs, with the chunk's number when it is taken."""
    taken: set[str] = set()
    for result in results:
        for name, data in _files(result):
            path = PurePosixPath(name)
            kept = name if name not in taken else (path.parent / f"{result.chunk:06d}_{path.name}").as_posix()
            taken.add(kept)
            yield Packed(kept, data, result)


def _files(result: Result) -> Iterator[tuple[str, bytes]]:
    with result.open() as data:
        head = data.read(512)
        is_tar = head[TAR_MAGIC[0] :].startswith(TAR_MAGIC[1])
    if not is_tar:
        yield result.flat_name, b"".join(result.stream())
        return
    with io.BufferedReader(BlockReader(result.stream())) as stream:
        for member in read_tar(result, stream):
            yield member.name, member.data.read()


def _entry(packed: Packed, *, decode: bool) -> Entry:
    """The image's line in the index; with `decode` the result's error when its pixels are not all there."""
    with _opened(packed) as image:
        if decode:
            image.load()
        size, image_format = image.size, image.format
    digest = hashlib.sha256(packed.data).hexdigest()
    return Entry(packed.name, packed.result.chunk, *size, image_format, len(packed.data), digest)


@contextmanager
def _opened(packed: Packed) -> Iterator[Image.Image]:
    """The image, not yet decoded; what Pillow raises when it is becomes the result's error."""
    try:
        with Image.open(io.BytesIO(packed.data)) as image:
            yield image
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        text = "cannot be read as an image: it is none, is damaged, or is not all there. Correct or remove it."
        raise packed.result.error(text) from error


def _zip(results: Sequence[Result], output: Output, name: str) -> None:
    with output.open(f"{name}.zip") as out:
        # Images are compressed already.
        write_zip(out, _as_files(results), zipfile.ZIP_STORED)


def _tar(results: Sequence[Result], output: Output, name: str) -> None:
    with output.open(f"{name}.tar") as out:
        for block in tar_of(_as_files(results)):
            out.write(block)


def _as_files(results: Sequence[Result]) -> Iterator[PackedFile]:
    return ((packed.name, len(packed.data), [packed.data]) for packed in _images(results))


def _tiff(results: Sequence[Result], output: Output, name: str) -> None:
    path, is_empty = resources().new_folder() / "pages.tif", True
    # Not save_all: that opens every image before it writes the first.
    with AppendingTiffWriter(str(path), new=True) as pages:
        for packed in _images(results):
            with _opened(packed) as image:
                _require_all_bits(packed, image)
                for number in range(getattr(image, "n_frames", 1)):
                    image.seek(number)
                    page, dpi = ImageOps.exif_transpose(image), image.info.get("dpi")
                    page.save(pages, "TIFF", compression="tiff_deflate", **({"dpi": dpi} if dpi else {}))
                    pages.newFrame()
            is_empty = False
    if not is_empty:
        output.put_file(path, f"{name}.tif")


def _require_all_bits(packed: Packed, image: Image.Image) -> None:
    """Raises the result's error where Pillow, which writes the pages, reads fewer bits than the file has."""
    held = packed.result
    with image_errors(held):
        header = ImageHeader.of(read_image(held, packed.data)) if image.format in SEEN_BY_BOTH else None
    if header and header.format != "uchar" and image.mode in EIGHT_BITS:
        has = f"{packed.name!r} has {header.bands} bands of {header.format}"
        text = f"{has}, of which the package tiff makes 8 bits. Set package to zip or tar."
        raise held.error(text)


def _thumbnail(packed: Packed, side_px: int) -> Image.Image:
    """A small copy, upright, in 8 bits: of numbers that are no brightness, the least is black and the most white."""
    with image_errors(packed.result):
        image = read_upright(packed.result, packed.data)
        is_plain = image.format == "uchar" and image.bands <= 4
        image = image.thumbnail_image(side_px, height=side_px, size="down") if is_plain else _shown(image, side_px)
        if image.bands in (2, 4) and image.interpretation != "cmyk":
            image = image.flatten(background=255)
        image = image.colourspace("srgb") if image.interpretation in COLOURS else image
        shown = image.extract_band(0, n=3) if image.bands >= 3 else image.extract_band(0)
        data = shown.cast("uchar").write_to_memory()
    mode = "RGB" if shown.bands == 3 else "L"
    return Image.frombytes(mode, (shown.width, shown.height), data).convert("RGB")


def _shown(image: pyvips.Image, side_px: int) -> pyvips.Image:
    # In memory, for it is looked through for the least and the most before it is shown.
    small = image.resize(min(1.0, side_px / max(image.width, image.height))).copy_memory()
    if image.format == "ushort":
        return (small.cast("double") / 257).cast("uchar")
    return small.scaleimage()


def _contact_sheets(results: Sequence[Result], output: Output, side_px: int) -> None:
    """`contact_000.jpg` ..., each with up to ON_A_SHEET small copies and their names."""
    images = _images(results)
    number = 0
    while batch := list(islice(images, 1)):
        sheet = _sheet(chain(batch, islice(images, ON_A_SHEET - 1)), side_px)
        with output.open(f"contact_{number:03d}.jpg") as out:
            out.write(sheet)
        number += 1


def _sheet(images: Iterator[Packed], side_px: int) -> bytes:
    """A JPEG of at most ON_A_SHEET copies, ACROSS in a row; as large as what is on it."""
    width, height = side_px + 2 * MARGIN_PX, side_px + 4 * MARGIN_PX
    sheet = Image.new("RGB", (width * ACROSS, height * (ON_A_SHEET // ACROSS)), "white")
    pen = ImageDraw.Draw(sheet)
    count = 0
    for packed in images:
        x, y = count % ACROSS * width + MARGIN_PX, count // ACROSS * height + MARGIN_PX
        sheet.paste(_thumbnail(packed, side_px), (x, y))
        # The built-in font has Latin letters only.
        pen.text((x, y + side_px), packed.name.encode("ascii", "replace").decode()[: side_px // 6], "black")
        count += 1
    used = sheet.crop((0, 0, width * min(count, ACROSS), height * -(-count // ACROSS)))
    written = io.BytesIO()
    used.save(written, "JPEG", quality=85)
    return written.getvalue()

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
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result, need, resources
from triptych.engines.archives.members import PackedFile, read_tar, tar_of, write_zip
from triptych.engines.images.vips import result_fault
from triptych.engines.streams.file_objects import BlockReader, OutputFile

COLUMNS = ("name", "chunk", "width", "height", "format", "bytes", "sha256")
TAR_MAGIC = (257, b"ustar")
ON_A_SHEET, ACROSS, MARGIN_PX = 100, 10, 8


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    is_unpacked_later = params["contact_sheet"] or params["package"] == "tiff"
    entries = [_entry(name, data, result, whole=not is_unpacked_later) for name, data, result in _images(results)]
    {"zip": _zip, "tar": _tar, "tiff": _tiff}[params["package"]](results, output, params["name"])
    if params["index"] == "csv":
        with output.open(f"{params['name']}.csv") as out:
            table = csv.DictWriter(codecs.getwriter("utf-8")(OutputFile(out)), COLUMNS)
            table.writeheader()
            table.writerows(entries)
    elif params["index"] == "json":
        with output.open(f"{params['name']}.json") as out:
            out.write(json.dumps(entries, ensure_ascii=False, indent=1).encode() + b"\n")
    if params["contact_sheet"]:
        _contact_sheets(results, output, params["thumbnail"])


def _images(results: Sequence[Result]) -> Iterator[tuple[str, bytes, Result]]:
    """Every image with a name of its own: a tar's members have theirs, with the chunk's number when it is taken."""
    taken: set[str] = set()
    for result in results:
        for name, data in _files(result):
            path = PurePosixPath(name)
            kept = name if name not in taken else (path.parent / f"{result.chunk:06d}_{path.name}").as_posix()
            taken.add(kept)
            yield kept, data, result


def _files(result: Result) -> Iterator[tuple[str, bytes]]:
    with result.open() as data:
        head = data.read(512)
        is_tar = head[TAR_MAGIC[0] :].startswith(TAR_MAGIC[1])
    if not is_tar:
        yield result.flat_name, b"".join(result.stream())
        return
    with io.BufferedReader(BlockReader(result.stream())) as stream:
        for member in read_tar(stream, f"chunk {result.chunk}, {result.name!r}"):
            yield member.name, member.data.read()


def _entry(name: str, data: bytes, result: Result, *, whole: bool) -> dict[str, Any]:
    """The image's line in the index; with `whole` EngineError when its pixels are not all there."""
    with _opened(data, result) as image, _readable(result):
        if whole:
            image.load()
        about = {"width": image.width, "height": image.height, "format": image.format}
    digest = hashlib.sha256(data).hexdigest()
    return {"name": name, "chunk": result.chunk, **about, "bytes": len(data), "sha256": digest}


def _opened(data: bytes, result: Result) -> Any:
    pillow = need("PIL.Image", "images")
    try:
        return pillow.open(io.BytesIO(data))
    except (OSError, pillow.DecompressionBombError) as error:
        raise result_fault(result, error) from error


def _zip(results: Sequence[Result], output: Output, name: str) -> None:
    with output.open(f"{name}.zip") as out:
        # Images are compressed already.
        write_zip(out, _packed(results), zipfile.ZIP_STORED)


def _tar(results: Sequence[Result], output: Output, name: str) -> None:
    with output.open(f"{name}.tar") as out:
        for block in tar_of(_packed(results)):
            out.write(block)


def _packed(results: Sequence[Result]) -> Iterator[PackedFile]:
    return ((name, len(data), [data]) for name, data, _ in _images(results))


def _tiff(results: Sequence[Result], output: Output, name: str) -> None:
    writer = need("PIL.TiffImagePlugin", "images").AppendingTiffWriter
    path, is_empty = resources().new_folder() / "pages.tif", True
    # Not save_all: that opens every image before it writes the first.
    with writer(path, new=True) as pages:
        for _, data, result in _images(results):
            with _opened(data, result) as image, _readable(result):
                for number in range(getattr(image, "n_frames", 1)):
                    image.seek(number)
                    image.save(pages, "TIFF", compression="tiff_deflate")
                    pages.newFrame()
            is_empty = False
    if not is_empty:
        output.put_file(path, f"{name}.tif")


@contextmanager
def _readable(result: Result) -> Iterator[None]:
    try:
        yield
    except (OSError, SyntaxError) as error:
        raise result_fault(result, error) from error


def _contact_sheets(results: Sequence[Result], output: Output, side: int) -> None:
    """`contact_000.jpg` ..., each with up to 100 small copies and their names."""
    images = _images(results)
    number = 0
    while batch := list(islice(images, 1)):
        sheet = _sheet(chain(batch, islice(images, ON_A_SHEET - 1)), side)
        with output.open(f"contact_{number:03d}.jpg") as out:
            out.write(sheet)
        number += 1


def _sheet(images: Iterator[tuple[str, bytes, Result]], side: int) -> bytes:
    pillow, drawing = need("PIL.Image", "images"), need("PIL.ImageDraw", "images")
    width, height = side + 2 * MARGIN_PX, side + 4 * MARGIN_PX
    sheet = pillow.new("RGB", (width * ACROSS, height * (ON_A_SHEET // ACROSS)), "white")
    pen = drawing.Draw(sheet)
    count = 0
    for name, data, result in images:
        x, y = count % ACROSS * width + MARGIN_PX, count // ACROSS * height + MARGIN_PX
        with _opened(data, result) as image, _readable(result):
            image.thumbnail((side, side))
            sheet.paste(image.convert("RGB"), (x, y))
        # The built-in font has Latin letters only.
        pen.text((x, y + side), name.encode("ascii", "replace").decode()[: side // 6], "black")
        count += 1
    used = sheet.crop((0, 0, width * min(count, ACROSS), height * -(-count // ACROSS)))
    written = io.BytesIO()
    used.save(written, "JPEG", quality=85)
    return written.getvalue()

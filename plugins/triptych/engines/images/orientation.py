"""How an image is to be turned to be shown, wherever that is written: libvips reads EXIF that is before the pixels."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO

import pyvips

ORIENTATION = "orientation"
"""libvips's name of EXIF's tag, whose values from 2 to 8 say that the image is to be turned or mirrored."""
TAG = 0x0112
SIDEWAYS = (5, 6, 7, 8)
XMP = "xmp-data"
LOADERS = ("pngload", "jpegload", "webpload")
"""Of formats that have it in EXIF and XMP. A TIFF always has its own tag, and HEIF is turned by its boxes alone."""
SIGHT_BYTES = 1 << 16
"""Of a PNG's beginning and of its end, where its chunks of text and EXIF are: between them there are pixels."""
_CHUNK = re.compile(rb"eXIf|iTXt|zTXt|tEXt")
_IN_XMP = re.compile(rb"tiff:Orientation(?:\s*=\s*[\"']|\s*>\s*)([1-8])")
_RAW_PROFILES = (b"Raw profile type exif", b"Raw profile type APP1")
"""How ImageMagick and ExifTool named EXIF in a PNG's text, before PNG had a chunk for it."""


def orientation(image: pyvips.Image) -> int:
    """EXIF's number: 1 where it is stored as it is shown, 6 where it lies on its left side."""
    return int(image.get(ORIENTATION)) if ORIENTATION in image.get_fields() else 1


def with_orientation(image: pyvips.Image, loader: str, data: BinaryIO) -> pyvips.Image:
    """The image, which says how it is to be turned where only XMP, or a PNG's last chunks or text, did.

    EXIF goes before XMP, as in Pillow and ImageMagick. `data`, its file, is left at the offset at which it is.
    """
    if ORIENTATION in image.get_fields() or not loader.startswith(LOADERS):
        return image
    offset = data.tell()
    found = _in_png(data) if loader.startswith("pngload") else None
    data.seek(offset)
    if found is None and XMP in image.get_fields():
        found = _in_xmp(image.get(XMP))
    if found is None:
        return image
    image = image.copy()
    image.set_type(pyvips.GValue.gint_type, ORIENTATION, found)
    return image


def _in_png(data: BinaryIO) -> int | None:
    """Of the chunks of EXIF, else of those of XMP."""
    in_xmp = None
    for kind, content in _chunks(data):
        found = _in_exif(content) if kind == b"eXIf" else None
        if kind != b"eXIf":
            keyword, _, text = content.partition(b"\0")
            text = _unpacked(kind, text)
            if keyword in _RAW_PROFILES:
                found = _in_exif(_raw_profile(text))
            elif keyword == b"XML:com.adobe.xmp":
                in_xmp = in_xmp or _in_xmp(text)
        if found is not None:
            return found
    return in_xmp


def _chunks(data: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of those that can be seen: what looks like one is one where its check sum is right."""
    size = data.seek(0, 2)
    first = min(size, SIGHT_BYTES)
    for start, end in ((0, first), (max(first, size - SIGHT_BYTES), size)):
        data.seek(start)
        sight = data.read(end - start)
        for match in _CHUNK.finditer(sight):
            begin = match.end()
            stop = begin + int.from_bytes(sight[max(0, begin - 8) : begin - 4], "big")
            if zlib.crc32(sight[match.start() : stop]).to_bytes(4, "big") == sight[stop : stop + 4]:
                yield match[0], sight[begin:stop]


def _unpacked(kind: bytes, text: bytes) -> bytes:
    """What stands behind the keyword: PNG, 11.3.3; nothing where it is damaged."""
    packed = kind == b"zTXt"
    if kind == b"iTXt":
        packed = text[:1] == b"\1"
        text = text[2:].split(b"\0", 2)[-1]
    elif packed:
        text = text[1:]
    if not packed:
        return text
    with suppress(zlib.error):
        return zlib.decompressobj().decompress(text, SIGHT_BYTES * 16)
    return b""


def _raw_profile(text: bytes) -> bytes:
    """Of lines `exif`, a length, and hexadecimal digits."""
    with suppress(ValueError):
        return bytes.fromhex(b"".join(text.split()[2:]).decode("ascii", "replace")).removeprefix(b"Exif\0\0")
    return b""


def _in_exif(data: bytes) -> int | None:
    """Of EXIF as it is in a TIFF, of which the first directory has the tag: TIFF 6.0, 2."""
    data = data.removeprefix(b"Exif\0\0")
    if data[:2] not in (b"II", b"MM"):
        return None

    def number(offset: int, size: int) -> int:
        return int.from_bytes(data[offset : offset + size], "little" if data[:2] == b"II" else "big")

    directory = number(4, 4)
    for entry in range(directory + 2, min(len(data), directory + 2 + 12 * number(directory, 2)), 12):
        if number(entry, 2) == TAG:
            found = number(entry + 8, 2)
            return found if 1 <= found <= 8 else None
    return None


def _in_xmp(text: bytes) -> int | None:
    match = _IN_XMP.search(text)
    return int(match[1]) if match else None

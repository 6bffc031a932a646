"""Where an image lies on a map: the tags of a GeoTIFF (OGC 19-008r4, 7), read, moved to a tile, and written.

libvips neither reads nor writes them: Pillow reads them, and they are added to a finished file here.
"""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL.TiffImagePlugin import TiffImageFile

from triptych.harmless import harmless_logger

SCALE, TIEPOINT, TRANSFORMATION = 33550, 33922, 34264
KEYS, DOUBLES, ASCII, NODATA = 34735, 34736, 34737, 42113
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_log = harmless_logger(__name__)
DOUBLE, SHORT, TEXT = 12, 3, 2
"""Types of TIFF's values."""


@dataclass(frozen=True)
class Georeference:
    """Six numbers that make map units of pixels, and what they mean, as the tags of a GeoTIFF say it.

    Pixel (column, row), from the top left corner, lies at x = a * column + b * row + c, y = d * column + e * row + f:
    `affine` is (a, b, c, d, e, f). The others are the tags 34735 to 34737 and GDAL's 42113 as they are.
    """

    affine: tuple[float, ...]
    keys: tuple[int, ...] = ()
    doubles: tuple[float, ...] = ()
    ascii: str = ""
    nodata: str = ""

    def moved(self, x_px: float, y_px: float, scale: float = 1.0) -> Georeference:
        """That of an image whose top left corner is there, of pixels of which `scale` make one of ours."""
        a, b, c, d, e, f = self.affine
        begin = (a * x_px + b * y_px + c, d * x_px + e * y_px + f)
        affine = (a / scale, b / scale, begin[0], d / scale, e / scale, begin[1])
        return Georeference(affine, self.keys, self.doubles, self.ascii, self.nodata)

    def tags(self) -> dict[int, tuple[int, bytes, int]]:
        """Type, value and count of each tag, in the order of bytes of Intel."""
        a, b, c, d, e, f = self.affine
        if b or d or e > 0:
            matrix = (a, b, 0, c, d, e, 0, f, 0, 0, 0, 0, 0, 0, 0, 1)
            found = {TRANSFORMATION: (DOUBLE, struct.pack("<16d", *matrix), 16)}
        else:
            found = {
                SCALE: (DOUBLE, struct.pack("<3d", a, -e, 0), 3),
                TIEPOINT: (DOUBLE, struct.pack("<6d", 0, 0, 0, c, f, 0), 6),
            }
        if self.keys:
            found[KEYS] = (SHORT, struct.pack(f"<{len(self.keys)}H", *self.keys), len(self.keys))
        if self.doubles:
            found[DOUBLES] = (DOUBLE, struct.pack(f"<{len(self.doubles)}d", *self.doubles), len(self.doubles))
        for tag, text in ((ASCII, self.ascii), (NODATA, self.nodata)):
            if text:
                value = text.encode("latin-1", "replace") + b"\0"
                found[tag] = (TEXT, value, len(value))
        return found


def read_georeference(data: BinaryIO) -> Georeference | None:
    """That of an open TIFF; None where it has none, or is no TIFF. Of what is open only headers are read."""
    data.seek(0)
    head = data.read(4)
    data.seek(0)
    if head not in TIFF_MAGIC:
        return None
    try:
        # Not `Image.open`, which refuses what has many pixels; and what it warns of is said where the pixels are read.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with TiffImageFile(data) as image:
                tags = dict(getattr(image, "tag_v2", {}))
    except (OSError, SyntaxError, ValueError):
        return None  # What reads the pixels says what is wrong.
    finally:
        data.seek(0)
    affine = _affine(tags)
    if affine is None:
        return None
    keys, doubles = tags.get(KEYS, ()), tags.get(DOUBLES, ())
    return Georeference(
        affine,
        tuple(keys) if isinstance(keys, tuple) else (),
        tuple(map(float, doubles)) if isinstance(doubles, tuple) else (float(doubles),),
        str(tags.get(ASCII, "")).rstrip("\0"),
        str(tags.get(NODATA, "")).rstrip("\0"),
    )


def _affine(tags: dict[int, object]) -> tuple[float, ...] | None:
    matrix, scale, tie = (tags.get(tag) for tag in (TRANSFORMATION, SCALE, TIEPOINT))
    if isinstance(matrix, tuple) and len(matrix) == 16:
        return tuple(map(float, (*matrix[0:2], matrix[3], *matrix[4:6], matrix[7])))
    if not isinstance(scale, tuple) or not isinstance(tie, tuple) or len(tie) != 6:
        return None  # Several tie points without a scale are no straight map.
    x, y = float(scale[0]), float(scale[1])
    return (x, 0.0, float(tie[3]) - float(tie[0]) * x, 0.0, -y, float(tie[4]) + float(tie[1]) * y)


def with_georeference(data: bytes, georeference: Georeference) -> bytes:
    """A TIFF of one page that libvips has written, with the tags."""
    file = BytesIO(data)
    _add(file, georeference)
    return file.getvalue()


def put_on_map(path: Path, source: str, georeference: Georeference) -> None:
    """Write the tags into a TIFF of one page that libvips has written; of any other file the log says what it lacks."""
    if path.suffix != ".tif":
        _log.warning("%s: its place on the map is not in a %s; a tiff keeps it.", source, path.suffix.removeprefix("."))
        return
    with path.open("r+b") as file:
        _add(file, georeference)


def _add(file: BinaryIO, georeference: Georeference) -> None:
    """The directory is written again, with the tags, at the end."""
    is_big = file.read(4) == b"II+\0"
    number, entry, at = ("<Q", 20, 8) if is_big else ("<I", 12, 4)
    file.seek(at)
    (directory,) = struct.unpack(number, file.read(struct.calcsize(number)))
    file.seek(directory)
    count_form = "<Q" if is_big else "<H"
    (count,) = struct.unpack(count_form, file.read(struct.calcsize(count_form)))
    entries = [file.read(entry) for _ in range(count)]
    following = file.read(struct.calcsize(number))
    end = file.seek(0, 2)
    end += file.write(bytes(-end % 8))
    room = struct.calcsize(number)
    for tag, (kind, value, values) in georeference.tags().items():
        stored = value.ljust(room, b"\0")
        if len(value) > room:
            stored = struct.pack(number, end)
            end += file.write(value + bytes(-len(value) % 8))
        entries.append(struct.pack("<HH", tag, kind) + struct.pack(number, values) + stored)
    entries.sort(key=lambda each: struct.unpack("<H", each[:2]))
    file.write(struct.pack(count_form, len(entries)) + b"".join(entries) + following)
    file.seek(at)
    file.write(struct.pack(number, end))

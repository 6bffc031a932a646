"""What a file holds, as far as partitioners differ in it; of pictures, sound and film by their first bytes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath


class Content(StrEnum):
    """In the words that the command shows."""

    TABLE = "table"
    JSON = "JSON"
    LOG = "log"
    URLS = "list of URLs"
    DOCUMENT = "document"
    TEXT = "text"
    SEQUENCES = "sequences"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    ARCHIVE = "archive"
    OTHER = "bytes"
    EMPTY = "empty"


_MAGIC = (
    (0, b"fLaC", Content.AUDIO),
    (0, b"ID3", Content.AUDIO),
    (0, b"OggS", Content.AUDIO),
    (8, b"WAVE", Content.AUDIO),
    (8, b"AIFF", Content.AUDIO),
    (8, b"AVI ", Content.VIDEO),
    (8, b"WEBP", Content.IMAGE),
    (4, b"ftypM4A", Content.AUDIO),
    (4, b"ftypM4B", Content.AUDIO),
    (4, b"ftyphei", Content.IMAGE),
    (4, b"ftypmif1", Content.IMAGE),
    (4, b"ftypavi", Content.IMAGE),
    (4, b"ftyp", Content.VIDEO),
    (0, b"\x1a\x45\xdf\xa3", Content.VIDEO),
    (0, b"FLV\x01", Content.VIDEO),
    (0, b"\x00\x00\x01\xba", Content.VIDEO),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Content.VIDEO),
    (0, b"\x89PNG\r\n\x1a\n", Content.IMAGE),
    (0, b"\xff\xd8\xff", Content.IMAGE),
    (0, b"GIF8", Content.IMAGE),
    (0, b"II*\0", Content.IMAGE),
    (0, b"MM\0*", Content.IMAGE),
)
"""Offset, bytes there, and what such a file holds; the first that fits counts."""
_BY_NAME = {
    **dict.fromkeys((".ogv", ".ts", ".m2ts", ".mpg", ".mpeg"), Content.VIDEO),
    **dict.fromkeys((".mka", ".mp3", ".aac", ".weba"), Content.AUDIO),
    **dict.fromkeys((".bmp", ".ppm", ".pgm"), Content.IMAGE),
}
"""Where the first bytes say little, or say the same of sound and of film."""


def media_of(head: bytes, name: str) -> Content | None:
    """Image, audio or video; None for what begins like none."""
    found = next((content for at, magic, content in _MAGIC if head.startswith(magic, at)), None)
    by_name = _BY_NAME.get(PurePosixPath(name).suffix.lower())
    # What is text is none, whatever its name: TypeScript ends in .ts, too.
    return by_name if by_name and (found or b"\0" in head) else found

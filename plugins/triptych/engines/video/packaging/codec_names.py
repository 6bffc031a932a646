"""How playlists call codecs: RFC 6381, and the codecs' own mappings to MP4, read of a track's beginning."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from triptych.engines.video.containers.mp4_boxes import Box, boxes_inside, boxes_of, read_box

ENTRIES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
COUNT_BYTES = 8
"""Of the table of entries: version, flags and how many there are."""
PICTURE_BYTES, SOUND_BYTES = 78, 28
"""What stands in an entry before its boxes."""
AAC, MP3 = 0x40, (0x69, 0x6B)
"""Object types of MPEG-4's descriptors."""
DECODER_CONFIG, DECODER_SPECIFIC = 4, 5
"""Tags of them."""
PLAIN = {b"ac-3": "ac-3", b"ec-3": "ec-3", b"fLaC": "fLaC", b"Opus": "Opus", b"alac": "alac"}


def codec_name(beginning: bytes) -> str | None:
    """As `avc1.64001f`, `hvc1.1.6.L93.90`, `av01.0.04M.08`, `mp4a.40.2`; None of a codec that HLS does not play."""
    data = io.BytesIO(beginning)
    (table,) = boxes_inside(data, Box(b"", 0, len(beginning)), *ENTRIES)
    (entry, *_) = boxes_of(data, Box(b"", table.start + COUNT_BYTES, table.end))
    if entry.type in PLAIN:
        return PLAIN[entry.type]
    head = PICTURE_BYTES if entry.type in PICTURES else SOUND_BYTES
    parts = boxes_of(data, Box(b"", entry.start + head, entry.end))
    configurations = {part.type: read_box(data, part) for part in parts}
    if entry.type == b"mp4a" and b"esds" in configurations:
        return _mpeg_sound(configurations[b"esds"])
    box_type, name = PICTURES.get(entry.type, (b"", _h264))
    return name(entry.type.decode(), configurations[box_type]) if box_type in configurations else None


def _h264(entry: str, told: bytes) -> str:
    """Profile, constraints and level, as ISO/IEC 14496-15 has them."""
    return f"{entry}.{told[1:4].hex()}"


def _hevc(entry: str, told: bytes) -> str:
    """ISO/IEC 14496-15, annex E.3: profile, compatibility with bits reversed, tier and level, the rest."""
    space = ("", "A", "B", "C")[told[1] >> 6]
    compatible = int(f"{int.from_bytes(told[2:6], 'big'):032b}"[::-1], 2)
    constraints = told[6:12].rstrip(b"\0")
    tier = "H" if told[1] & 0x20 else "L"
    parts = [entry, f"{space}{told[1] & 0x1F}", f"{compatible:x}", f"{tier}{told[12]}"]
    return ".".join([*parts, *(f"{byte:x}" for byte in constraints)])


def _av1(entry: str, told: bytes) -> str:
    """AV1's binding to ISO media, section 5: profile, level and tier, bits."""
    profile, level = told[1] >> 5, told[1] & 0x1F
    tier = "H" if told[2] & 0x80 else "M"
    is_deep, is_deeper = bool(told[2] & 0x40), bool(told[2] & 0x20)
    bits = (12 if profile == 2 and is_deeper else 10) if is_deep else 8
    return f"{entry}.{profile}.{level:02d}{tier}.{bits:02d}"


PICTURES: Mapping[bytes, tuple[bytes, Callable[[str, bytes], str]]] = {
    b"avc1": (b"avcC", _h264),
    b"hvc1": (b"hvcC", _hevc),
    b"av01": (b"av1C", _av1),
}
"""By the type of the entry: the box with the decoder's configuration, and what makes a name of it."""


def _mpeg_sound(told: bytes) -> str | None:
    """AAC by its kind of object, MP3 by the one of the stream."""
    # Version and flags, then the descriptor of the stream, which holds a number and flags before the others.
    inner = dict(_descriptors(dict(_descriptors(told[4:])).get(3, b"")[3:]))
    config = inner.get(DECODER_CONFIG, b"")
    if not config:
        return None
    if config[0] in MP3:
        return "mp4a.40.34"
    specific = dict(_descriptors(config[13:])).get(DECODER_SPECIFIC, b"")
    if config[0] != AAC or len(specific) < 2:
        return None
    kind = specific[0] >> 3
    # 31 says that it follows in six bits.
    return f"mp4a.40.{32 + ((specific[0] & 7) << 3 | specific[1] >> 5) if kind == 31 else kind}"


def _descriptors(data: bytes) -> list[tuple[int, bytes]]:
    """Tag and content of each: the length has seven bits a byte, and the highest says that another follows."""
    found: list[tuple[int, bytes]] = []
    offset = 0
    while offset + 1 < len(data):
        tag, length = data[offset], 0
        offset += 1
        while True:
            byte = data[offset]
            offset, length = offset + 1, length << 7 | byte & 0x7F
            if not byte & 0x80:
                break
        found.append((tag, data[offset : offset + length]))
        offset += length
    return found

"""H.264 in field pictures, two to a frame, which no free encoder writes: ITU-T H.264, 7.3 and 9.1."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

SIDE = 16
"""Of a macroblock: a frame is one wide, and two high."""
GROUP = 5
"""Frames from one that can be decoded alone to the next."""
SAMPLES = SIDE * SIDE * 3 // 2
PARAMETERS, PICTURE, KEY_PICTURE = (0x67, 0x68), 0x61, 0x65
"""Of what a unit is, with its importance."""


class _Bits:
    def __init__(self) -> None:
        self._bits = ""

    def fixed(self, *values: tuple[int, int]) -> _Bits:
        """Each of so many bits."""
        self._bits += "".join(f"{value:0{count}b}" for count, value in values)
        return self

    def golomb(self, *values: int) -> _Bits:
        for value in values:
            code = f"{value + 1:b}"
            self._bits += "0" * (len(code) - 1) + code
        return self

    def aligned(self) -> _Bits:
        self._bits += "0" * (-len(self._bits) % 8)
        return self

    def unit(self, kind: int) -> bytes:
        """With the stop bit, and without zeros that look like the next start."""
        self._bits += "1"
        self.aligned()
        made = bytearray([kind])
        for byte in int(self._bits, 2).to_bytes(len(self._bits) // 8, "big"):
            if made[-2:] == b"\0\0" and byte <= 3:
                made.append(3)
            made.append(byte)
        return b"\0\0\0\1" + bytes(made)


def _parameters() -> bytes:
    """Main profile, frames in the order in which they are decoded, one macroblock in a field."""
    sequence = _Bits().fixed((8, 77), (8, 0), (8, 10)).golomb(0, 0, 2, 1).fixed((1, 0)).golomb(0, 0)
    sequence.fixed((1, 0), (1, 0), (1, 1), (1, 0), (1, 0))
    picture = _Bits().golomb(0, 0).fixed((2, 0)).golomb(0, 0, 0).fixed((3, 0)).golomb(0, 0, 0).fixed((3, 0b100))
    return sequence.unit(PARAMETERS[0]) + picture.unit(PARAMETERS[1])


def _field(frame: int, is_bottom: bool) -> bytes:
    """All of one brightness, as plain samples."""
    is_key = frame % GROUP == 0 and not is_bottom
    bits = _Bits().golomb(0, 7, 0).fixed((4, frame % GROUP), (1, 1), (1, is_bottom))
    if is_key:
        bits.golomb(frame // GROUP % 2).fixed((1, 0))
    bits.fixed((1, 0)).golomb(0, 1, 25).aligned().fixed(*[(8, 20 + frame * 2 + is_bottom)] * SAMPLES)
    return bits.unit(KEY_PICTURE if is_key else PICTURE)


def write(path: Path, frames: int, is_paired: bool) -> Path:
    """25 frames a second, of two packets each, or of one that has both fields."""
    raw = path.with_suffix(".h264")
    pairs = [[_field(number, is_bottom) for is_bottom in (False, True)] for number in range(frames)]
    raw.write_bytes(b"".join(_parameters() * (n % GROUP == 0) + b"".join(pair) for n, pair in enumerate(pairs)))
    with av.open(str(raw)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0], opaque=True)
        units = [b"".join(pair) for pair in pairs] if is_paired else [field for pair in pairs for field in pair]
        step = 2 if is_paired else 1
        for place, unit in enumerate(units):
            packet = av.Packet(unit)
            packet.stream, packet.time_base = stream, Fraction(1, 50)
            packet.pts = packet.dts = place * step
            packet.duration = step
            packet.is_keyframe = place * step % (GROUP * 2) == 0
            out.mux_one(packet)
    return path

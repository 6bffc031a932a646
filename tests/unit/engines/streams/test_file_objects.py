"""Blocks and outputs as files."""

from __future__ import annotations

import array
import io

from triptych.engines.streams.file_objects import BlockReader, OutputFile


def test_blocks_are_read_as_one_file_through_empty_ones() -> None:
    blocks = [b"", b"abc", b"", b"defgh", b"i", b""]
    assert BlockReader(blocks).read() == b"abcdefghi"
    file = io.BufferedReader(BlockReader(blocks))
    assert [file.read(4), file.read(4), file.read(4), file.read(4)] == [b"abcd", b"efgh", b"i", b""]


def test_any_buffer_is_filled() -> None:
    numbers = array.array("H", [0, 0])
    assert BlockReader([b"\x01\x02\x03\x04\x05"]).readinto(numbers) == 4
    assert numbers.tobytes() == b"\x01\x02\x03\x04"


class _Blocks(list[bytes]):
    def write(self, data: bytes, /) -> int:
        self.append(data)
        return len(data)


def test_what_is_written_stays_though_its_buffer_changes() -> None:
    blocks = _Blocks()
    buffer = bytearray(b"abc")
    with OutputFile(blocks) as file:
        assert file.write(buffer) == 3
        buffer[:] = b"xyz"
        file.write(array.array("B", [100]))
    assert blocks == [b"abc", b"d"]

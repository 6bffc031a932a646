"""A unit's lines, and the loop's marker among them, however the stream is cut into pieces."""

from __future__ import annotations

import pytest

from triptych.running.lines import MarkedLines

NONCE = "5d2a"


def _told(stream: MarkedLines, data: bytes, piece: int) -> list[str]:
    starts = range(0, len(data), piece)
    return [line for start in starts for line in stream.lines(data[start : start + piece])]


@pytest.mark.parametrize("piece", [1, 3, 1000])
@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"", []),
        (b"a\n", ["a"]),
        (b"a", ["a"]),
        (b"a\r\nb\n\n", ["a", "b", ""]),
        (b"\n\n\n", ["", "", ""]),
        (b"a\n\n\nb", ["a", "", "", "b"]),
        (b"not 5d2a\n", ["not 5d2a"]),
    ],
)
def test_what_a_script_wrote_comes_without_the_loops_own(written: bytes, lines: list[str], piece: int) -> None:
    stream = MarkedLines(NONCE)
    assert _told(stream, written + b"\n5d2a 3 0\n", piece) == lines
    assert stream.last == "5d2a 3 0"
    assert _told(stream, b"after it\n", piece) == []
    assert list(stream.rest()) == []


@pytest.mark.parametrize(("written", "lines"), [(b"a\n\n", ["a", ""]), (b"a\nb", ["a", "b"]), (b"", [])])
def test_nothing_is_held_back_when_no_marker_comes(written: bytes, lines: list[str]) -> None:
    stream = MarkedLines(NONCE)
    assert _told(stream, written, 1000) + list(stream.rest()) == lines
    assert stream.last is None

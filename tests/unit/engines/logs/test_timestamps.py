"""Timestamps are found where Python's own regular expressions find them, whatever stands beside."""

import random
import re

import pyarrow as pa
import pytest

from triptych.engines.logs.timestamps import KNOWN, TimestampForm

STAMPS = [
    *("2026-01-02T03:04:05Z", "2026-01-02 03:04:05", "2026-01-02 03:04:05,123", "2026-01-02 03:04:05 +0530"),
    *("2026-01-02T03:04:05+05", "Jan  2 03:04:05", "Jan 12 03:04:05", "2026/01/02 03:04:05"),
    *("1795500428", "1795500428.25", "1795500428250"),
]
TAILS = [
    *("", " x", " IST x", " CETI", " +0530", " +05:30", " +05:300", "+05", "Z", "Zx", ".5", ",5", ".12345678901"),
    *(" BST", " GMT ", "x", " 5", " ACDT ", "-03", ":1", " 2026-01-01T00:00:00Z"),
]


@pytest.mark.parametrize("form", KNOWN, ids=lambda form: form.name)
def test_lines_that_look_alike_have_the_timestamps_that_a_search_finds(form: TimestampForm) -> None:
    draw, pattern = random.Random(form.name), re.compile(form.pattern.encode())
    for _ in range(300):
        usual = draw.choice(STAMPS)
        stamps = [draw.choice([usual, usual, usual, draw.choice(STAMPS)]) for _ in range(6)]
        lines = [
            (re.sub(r"\d", lambda _: str(draw.randrange(10)), stamp) + draw.choice(TAILS)).encode() for stamp in stamps
        ]
        begun = [pattern.match(line) for line in lines]
        texts = form.texts(pa.array(lines, pa.large_binary())).to_pylist()
        found = [text for text, match in zip(texts, begun, strict=True) if match]
        assert found == [match["at"].decode() for match in begun if match], lines

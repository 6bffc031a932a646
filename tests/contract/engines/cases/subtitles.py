"""subtitles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.contract.engines.cases import Join
from tests.support.engine_harness import Results


def span(part: int, parts: int, start_s: float, end_s: float, overlap_s: float = 0, source: int = 0) -> dict[str, Any]:
    """As audio_time tells it, of 1000 frames a second."""
    return {
        "source_index": source,
        "source": f"talk{source}.wav",
        "part": part,
        "parts": parts,
        "first_frame": round(start_s * 1000),
        "frames": round((end_s - start_s) * 1000),
        "sample_rate": 1000,
        "channels": 1,
        "overlap_frames": round(overlap_s * 1000),
        "start_s": start_s,
        "end_s": end_s,
    }


def _talk() -> list[Results]:
    # Of an app that ends its file without a line end, and numbers each from 1.
    text = b"1\n00:00:00,100 --> 00:00:00,900\ntext"
    return [Results({"o.srt": text}, metadata=span(n, 3, 3 * n, 3 * n + 3)) for n in range(3)]


def _numbered(found: Mapping[str, bytes]) -> None:
    expected = [f"{n + 1}\n00:00:0{3 * n},100 --> 00:00:0{3 * n},900\ntext\n\n" for n in range(3)]
    assert found == {"talk0.srt": "".join(expected).encode()}


def _much(factor: int) -> list[Results]:
    cue = b"1\n00:00:00.100 --> 00:00:00.900\n%s\n\n" % (b"text " * 200)
    return [Results({"o.srt": cue * 1000}, metadata=span(n, 8 * factor, n, n + 1)) for n in range(8 * factor)]


CASES = [
    Join(
        "subtitles",
        {},
        _talk,
        _numbered,
        bad={"format": "ass"},
        corrupt=lambda: [Results({"o.srt": b"1\n00:00:61,000 --> 00:01:02,000\nx\n"}, metadata=span(0, 1, 0, 90))],
        says="chunk 0, 'o.srt': line 2: '00:00:61,000 --> 00:01:02,000' is no time of a cue",
        grow=_much,
    ),
]

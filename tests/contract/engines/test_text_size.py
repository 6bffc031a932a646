"""Texts by size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.engine_harness import join, split, untouched
from tests.support.real_texts import readmes
from triptych.errors import JobSpecError, SourceError
from triptych.settings import Settings


@pytest.mark.parametrize("unit", ["characters", "words", "tokens"])
@pytest.mark.parametrize("separator", ["paragraph", "sentence", "line", "word", "any"])
def test_real_texts_come_back_byte_for_byte(settings: Settings, tmp_path: Path, unit: str, separator: str) -> None:
    whole = b"\n".join(path.read_bytes() for path in readmes()[:12])
    path = tmp_path / "readmes.txt"
    path.write_bytes(whole)
    pieces = split(settings, "text_size", [path], {"chunk_size": 500, "unit": unit, "separator": separator})
    assert len(pieces) > 20
    assert join(settings, "concat", untouched(pieces)) == {"output.bin": whole}
    if unit == "characters":
        assert max(len(piece.data.decode()) for piece in pieces) <= 500
    if unit == "words":
        assert max(len(piece.data.decode().split()) for piece in pieces) <= 500


def _texts(settings: Settings, folder: Path, text: str, **params: object) -> list[str]:
    path = folder / "t.txt"
    path.write_bytes(text.encode())
    return [piece.data.decode() for piece in split(settings, "text_size", [path], params)]


def test_chunks_end_at_the_coarsest_border_that_fits(settings: Settings, tmp_path: Path) -> None:
    text = "One two. Three four.\n\nFive Mr. Six, e.g. seven. Eight\nnine ten.\n\n\n  Eleven."
    assert _texts(settings, tmp_path, text, chunk_size=30) == [
        "One two. Three four.\n\n",
        "Five Mr. Six, e.g. seven. ",
        "Eight\nnine ten.\n\n\n  Eleven.",
    ]
    assert _texts(settings, tmp_path, text, chunk_size=12, separator="line") == [
        "One two. ",
        "Three ",
        "four.\n\n",
        "Five Mr. ",
        "Six, e.g. ",
        "seven. ",
        "Eight\n",
        "nine ten.\n\n\n",
        "  Eleven.",
    ]
    two = ["今日は晴れ。", "明日は雨。"]
    assert _texts(settings, tmp_path, "".join(two), chunk_size=8, separator="sentence") == two


def test_exact_sizes_keep_letters_whole(settings: Settings, tmp_path: Path) -> None:
    assert _texts(settings, tmp_path, "abcdefgh", chunk_size=3, separator="any") == ["abc", "def", "gh"]
    assert _texts(settings, tmp_path, "abe\u0301d\r\nfg", chunk_size=3, separator="any") == [
        "ab",
        "e\u0301d",
        "\r\nf",
        "g",
    ]
    assert _texts(settings, tmp_path, "short", chunk_size=100) == ["short"]
    assert _texts(settings, tmp_path, " \n\n ", chunk_size=3, unit="words") == [" \n\n "]


def test_tokens_are_counted_by_the_documented_rule(settings: Settings, tmp_path: Path) -> None:
    assert _texts(
        settings, tmp_path, "interesting 12345, 数字 привет", chunk_size=1, unit="tokens", separator="any"
    ) == [
        *("inter", "estin", "g ", "123", "45", ", ", "数", "字 ", "пр", "ив", "ет"),
    ]


@pytest.mark.parametrize("unit", ["characters", "words", "tokens"])
def test_overlap_repeats_whole_words_and_says_so(settings: Settings, tmp_path: Path, unit: str) -> None:
    words = [f"wörd{number}" for number in range(3000)]
    path = tmp_path / "words.txt"
    path.write_bytes(" ".join(words).encode())
    pieces = split(
        settings, "text_size", [path], {"chunk_size": 90, "chunk_overlap": 30, "unit": unit, "separator": "sentence"}
    )
    texts = [piece.data.decode() for piece in pieces]
    repeated = [piece.metadata["overlap_characters"] for piece in pieces]
    assert repeated[0] == 0
    assert min(repeated[1:]) > 0
    assert "".join(text[count:] for text, count in zip(texts, repeated, strict=True)) == " ".join(words)
    for before, text, count in zip(texts, texts[1:], repeated[1:], strict=False):
        assert before.endswith(text[:count])
        assert re.match(r"wörd\d", text)
        assert len(re.findall(r"\S+", text[:count])) <= 30


def test_what_has_no_border_is_cut_all_the_same(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "one-line.txt"
    path.write_bytes(b"x" * 5_000_001)
    pieces = split(settings, "text_size", [path], {"chunk_size": 3, "unit": "words"})
    assert [len(piece.data) for piece in pieces] == [2_000_000, 2_000_000, 1_000_001]


def test_an_overlap_as_large_as_the_chunk_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(JobSpecError, match="overlap must be less"):
        _texts(settings, tmp_path, "text", chunk_size=5, chunk_overlap=5)


def test_bytes_that_are_no_text_are_refused_where_they_are(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "cut.txt"
    path.write_bytes(b"a" * 3_000_000 + "é".encode()[:1])
    with pytest.raises(SourceError, match=r"cut\.txt: byte 3000000 is not UTF-8.*iconv"):
        split(settings, "text_size", [path], {})


@pytest.mark.parametrize(
    "text", ["!" * 300_000, "." * 300_000, ".!" * 150_000, " " * 300_000, "\n " * 150_000, "a " * 9]
)
@pytest.mark.parametrize("separator", ["paragraph", "word"])
def test_runs_of_signs_and_spaces_take_no_time(settings: Settings, tmp_path: Path, text: str, separator: str) -> None:
    """That it ends is the test: time that grows with the square would be hours."""
    (tmp_path / "t.txt").write_text(f"a{text}b")
    params = {"unit": "characters", "chunk_size": 250_000, "chunk_overlap": 0, "separator": separator}
    pieces = split(settings, "text_size", [tmp_path / "t.txt"], params)
    assert b"".join(piece.data for piece in pieces) == (tmp_path / "t.txt").read_bytes()

"""What a file is, its first bytes say, in every engine that reads text: packed, in UTF-16, or no text at all."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from tests.support import in_memory
from tests.support.engine_harness import Piece
from triptych.errors import EngineError, SourceError

TEXTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "json_keys": ("d.json", '{"a": {"x": "ü", "y": 2}}', {"path": "a"}),
    "text_size": ("d.txt", "ü one.\n\ntwo\n", {"chunk_size": 7}),
    "sections": ("d.md", "# ü\none\n# B\ntwo\n", {}),
    "log_times": ("d.log", "2026-01-01T00:00:00Z ü\n2026-01-01T00:05:00Z b\n", {"window_s": 60}),
    "rows": ("d.csv", "a,b\nü,1\nv,2\n", {"items_per_chunk": 1}),
}
FORMS: dict[str, Callable[[str], bytes]] = {
    "gzip": lambda text: gzip.compress(text.encode(), mtime=0),
    "bzip2": lambda text: bz2.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "zstd": lambda text: zstandard.compress(text.encode()),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "UTF-16, packed": lambda text: gzip.compress(text.encode("utf-16"), mtime=0),
}
BINARIES = {
    "a zip file": b"PK\x03\x04\x14\0" + bytes(60),
    "an OLE file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(60),
    "ORC": b"ORC\x10\x01" + bytes(60),
    "Avro": b"Obj\x01\x04\x14avro.codec",
    "UTF-16LE without a mark": "# ü\none\n".encode("utf-16-le"),
    "UTF-16BE without a mark": "# ü\none\n".encode("utf-16-be"),
}


@pytest.mark.parametrize("engine", TEXTS)
@pytest.mark.parametrize("form", FORMS)
def test_packed_or_in_utf_16_it_is_cut_like_plain_text(engine: str, form: str) -> None:
    name, text, params = TEXTS[engine]
    plain = in_memory.cut(engine, {name: text.encode()}, params)
    assert len(plain) > 1
    assert [piece.data for piece in in_memory.cut(engine, {name: FORMS[form](text)}, params)] == [
        piece.data for piece in plain
    ]


@pytest.mark.parametrize("engine", TEXTS)
@pytest.mark.parametrize("called", BINARIES)
def test_what_is_no_text_is_refused_by_its_name(engine: str, called: str) -> None:
    name, _, params = TEXTS[engine]
    with pytest.raises(SourceError, match=called):
        in_memory.cut(engine, {name: BINARIES[called]}, params)


@pytest.mark.parametrize("form", FORMS)
def test_logs_of_any_form_are_joined(form: str) -> None:
    lines = ["2026-01-01T00:00:00Z ü\n", "2026-01-01T00:05:00Z b\n"]
    pieces = [Piece("", FORMS[form](line)) for line in reversed(lines)]
    (data,) = in_memory.joined("logs", pieces, "r.log").values()
    assert data.decode() == "".join(lines)
    with pytest.raises(EngineError, match=r"chunk 0, 'r\.log': is a zip file"):
        in_memory.joined("logs", [Piece("", BINARIES["a zip file"])], "r.log")


@pytest.mark.parametrize("word", ["PARENT", "PAR1", "ORCHID", "FEA1", "ARROW1"])
def test_words_that_begin_as_formats_do_are_text(word: str) -> None:
    data = f"{word},b\n1,2\n".encode()
    assert [piece.data for piece in in_memory.cut("rows", {"d.csv": data}, {})] == [data]


def test_a_large_chunk_of_a_packed_file_is_whole() -> None:
    line = b"2026-01-01,some more text to fill the row\n"
    data = b"a,b\n" + line * 60_000
    first, second = in_memory.cut("rows", {"d.csv.gz": gzip.compress(data, mtime=0)}, {"items_per_chunk": 40_000})
    assert first.data == b"a,b\n" + line * 40_000
    assert second.data == b"a,b\n" + line * 20_000

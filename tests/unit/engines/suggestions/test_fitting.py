"""Files made by other tools, of which is known what they hold: the partitioner that comes first, and its parameters."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.inputs import MemoryInput
from triptych.engines.runtime.resources import Resources, using
from triptych.engines.suggestions.columns import date_column, key_column
from triptych.engines.suggestions.content import Content
from triptych.engines.suggestions.fitting import Suggestion, suggestions
from triptych.engines.suggestions.json_arrays import largest_array
from triptych.engines.suggestions.looking import Look, look
from triptych.settings import PROJECT

SAMPLES = PROJECT / "include" / "engines" / "samples"
MEMORY_BYTES = 64 << 20


@pytest.fixture(autouse=True)
def _scratch(tmp_path: Path) -> Iterator[None]:
    with using(Resources(tmp_path, MEMORY_BYTES)):
        yield


def _csv(rows: int = 40, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["id", "land", "price", "when"])
    writer.writerows(
        [n, ["DE", "FR", "IT"][n % 3], f"{n},5", f"{n % 28 + 1:02d}.{n % 12 + 1:02d}.2026"] for n in range(rows)
    )
    return text.getvalue().encode()


def _zip(*names: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return data.getvalue()


def _tar(*names: str) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return data.getvalue()


def _parquet() -> bytes:
    data = io.BytesIO()
    pq.write_table(pa.table({"city": ["Rome", "Bonn"] * 10, "n": range(20)}), data)
    return data.getvalue()


JSON_LINES = b"".join(
    json.dumps({"user": f"u{n % 4}", "at": f"2026-01-{n % 9 + 1:02d}"}).encode() + b"\n" for n in range(9)
)
LOG = b"2026-01-02 03:04:05,123 INFO begun\n2026-01-02 03:04:06,5 WARN slow, but well\nTraceback:\n  line 1\n" * 3
PROSE = b"It was the best of times, it was the worst of times.\nIt was the age of wisdom,\nit was the age\n" * 5
VCF = b"##fileformat=VCFv4.3\n#CHROM\tPOS\tID\n1\t100\tx\n1\t101\ty\n"
DATES = {"column": "when", "freq": "month", "formats": ["%d.%m.%Y"]}
KEYS = {"columns": ["land"]}


@pytest.mark.parametrize(
    ("name", "data", "content", "expected"),
    [
        ("a.csv", _csv(), Content.TABLE, {"rows": {"chunks": 10}, "keys": KEYS, "dates": DATES}),
        ("a.csv", _csv(delimiter=";"), Content.TABLE, {"rows": {"chunks": 10}, "keys": KEYS, "dates": DATES}),
        ("a.csv.gz", gzip.compress(_csv(), mtime=0), Content.TABLE, {"rows": {"chunks": 10}, "keys": KEYS}),
        ("noname", bz2.compress(_csv()), Content.TABLE, {"rows": {"chunks": 10}, "keys": KEYS, "dates": DATES}),
        ("a.txt", _csv(rows=20_000, delimiter="\t"), Content.TABLE, {"rows": {"chunks": 10}, "keys": KEYS}),
        ("a.csv", _csv().decode().encode("utf-16"), Content.TABLE, {"rows": {"chunks": 10}, "keys": KEYS}),
        ("calls", VCF, Content.TABLE, {"rows": {"chunks": 10}}),
        ("a.json", JSON_LINES, Content.TABLE, {"rows": {"chunks": 10}, "keys": {"columns": ["user"]}}),
        ("a.bin", _parquet(), Content.TABLE, {"rows": {"chunks": 10}, "keys": {"columns": ["city"]}}),
        ("a.log", LOG, Content.LOG, {"log_times": {"window_s": 3600}}),
        ("noname", LOG, Content.LOG, {"log_times": {"window_s": 3600}}),
        (
            "a.json",
            b'{"data": {"rows": [{"a": 1}, {"a": 2}]}, "tags": ["x"]}',
            Content.JSON,
            {"json_keys": {"path": "data.rows", "items_per_chunk": 100}},
        ),
        ("a.txt", PROSE, Content.TEXT, {"text_size": {"chunk_size": 2000}}),
        ("a.md", b"# One, two\n\ntext\n", Content.DOCUMENT, {"sections": {"depth": 2}}),
        ("a.pdf", b"%PDF-1.7\n", Content.DOCUMENT, {"sections": {"pdf_by": "pages"}}),
        ("a.docx", _zip("[Content_Types].xml", "word/document.xml"), Content.DOCUMENT, {"sections": {"depth": 2}}),
        ("a.zip", _zip("a/1.jpg", "a/2.JPG", "a/LICENSE"), Content.ARCHIVE, {"image_batches": {"items_per_chunk": 16}}),
        ("a.tgz", _tar("a/1.py", "a/2.py"), Content.ARCHIVE, {"codebase": {"unit": "file"}}),
        ("urls", b"# mine\nhttps://a.example/1\nhttp://b.example/\n", Content.URLS, {"urls": {"items_per_chunk": 100}}),
        ("a.fa", b">seq 1\nACGT-N\nACG\n", Content.SEQUENCES, {"sequences": {"items_per_chunk": 10_000}}),
        ("a.tif", b"II*\0" + b"\0" * 99, Content.IMAGE, {"image_tiles": {"tile_size": 512}}),
        ("a", b"\0\0\0\x20ftypM4A " + b"\0" * 99, Content.AUDIO, {"audio_time": {"segment_s": 60}}),
        ("film", b"\0\0\0\x20ftypisom" + b"\0" * 99, Content.VIDEO, {"video_frames": {"segment_s": 10}}),
        ("page.ts", b"export const a = 1\n", Content.TEXT, {"text_size": {"chunk_size": 2000}}),
        ("a.ts", b"\x47\0\x11" + b"\0" * 400, Content.VIDEO, {"video_frames": {"segment_s": 10}}),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * 99, Content.OTHER, {"passthrough": {}, "bytes": {"chunk_mib": 64}}),
        ("a.bin", bytes(range(256)) * 4, Content.OTHER, {"passthrough": {}, "bytes": {"chunk_mib": 64}}),
    ],
)
def test_what_a_file_holds_says_what_fits(
    name: str, data: bytes, content: Content, expected: Mapping[str, Mapping[str, Any]]
) -> None:
    found = _look(name, data)
    assert found.content is content, found.described
    fitting: dict[str, Suggestion] = {}
    for each in suggestions([found]):
        fitting.setdefault(each.partitioner, each)
    assert next(iter(fitting)) == next(iter(expected))
    assert {engine: dict(fitting[engine].params) for engine in expected} == expected


def _look(name: str, data: bytes) -> Look:
    return look(MemoryInput(data, name=name))


@pytest.mark.parametrize("name", ["orders.csv", "events.json", "app.log", "essay.md", "reads.fastq", "urls.txt"])
def test_our_samples_are_taken_for_what_they_are(name: str) -> None:
    engines = {"orders.csv": "rows", "events.json": "json_keys", "app.log": "log_times", "essay.md": "sections"}
    expected = {**engines, "reads.fastq": "sequences", "urls.txt": "urls"}[name]
    assert suggestions([_look(name, (SAMPLES / name).read_bytes())])[0].partitioner == expected


def test_a_day_that_may_be_a_month_is_no_date() -> None:
    assert date_column({"d": ["01/02/2026", "03/04/2026"]}) is None
    found = date_column({"n": ["20260101", "7"], "d": ["01/02/2026", "13/02/2026", None]})
    assert found is not None
    assert found.to_params() == {"column": "d", "freq": "day", "formats": ["%d/%m/%Y"]}
    assert date_column({"d": ["2001-01-01", "2026-01-01"]}).to_params() == {"column": "d", "freq": "year"}  # type: ignore[union-attr]  # None fails, too.


def test_a_key_comes_again_and_is_no_measure() -> None:
    assert key_column({"id": ["1", "2", "3", "4"], "x": ["0.5", "0.5", "1.5", "1.5"]}) is None
    assert key_column({"id": ["1", "2", "3", "4"], "k": ["a", "a", "b", "b"], "one": ["z"] * 4}) == "k"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("[1, 2]", ""),
        ('{"a": 1}', None),
        ('{"tags": ["x"], "rows": [{"a": [1, 2, 3]}, {}]}', "rows"),
        ('{"tags": ["x", "y", "z"], "data": {"rows": [{"a": 1}, {"a"', "data.rows"),
        ('{"a": "[1, 2]", "b": {"c": [', "b.c"),
        ('{"a": ', None),
        ('{"a.b": [1]}', None),
        ("[" * 100_000, ""),
    ],
)
def test_the_largest_array_is_the_one_to_cut(text: str, path: str | None) -> None:
    assert largest_array(text) == path


def test_two_files_of_mates_are_pairs() -> None:
    reads = b"@r1\nACGT\n+\nIIII\n"
    looks = [_look(f"s_R{mate}_001.fastq", reads) for mate in (1, 2)]
    assert suggestions(looks)[0].params == {"items_per_chunk": 10_000, "paired": "files"}
    others = [_look(name, reads) for name in ("a.fastq", "b.fastq")]
    assert suggestions(others)[0].params == {"items_per_chunk": 10_000}


def test_a_column_of_one_file_alone_is_no_key() -> None:
    tables = [b"k,n\n" + b"a,1\na,2\nb,3\nb,4\n", b"m,n\n" + b"a,1\na,2\nb,3\nb,4\n"]
    found = suggestions([_look("t.csv", data) for data in tables])
    assert [each.partitioner for each in found] == ["rows", "files", "passthrough"]


def test_no_more_than_the_beginning_is_unpacked() -> None:
    given = []

    class Counted(MemoryInput):
        def stream(self) -> Iterator[bytes]:
            for block in super().stream():
                given.append(len(block))
                yield block

    numbers = random.Random(5)
    text = b"a,b\n" + b"".join(b"%d,%d\n" % (numbers.getrandbits(60), numbers.getrandbits(60)) for _ in range(100_000))
    packed = gzip.compress(text, 1, mtime=0)
    assert look(Counted(packed, 1 << 16, "large.csv.gz")).content is Content.TABLE
    assert sum(given) < len(packed) / 2

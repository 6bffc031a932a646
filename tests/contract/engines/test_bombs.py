"""Small files that come to much: refused by name of what bounds them, within the memory, and nothing is left of them.

Truth is what was put in: so many MiB of one letter. Costs are those of a process of its own whose engines may use
64 MiB; the floor below which a ratio does not count is 64 MiB as well.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.support import bombs
from tests.support.bombs import LETTERS, MIB, PACKERS
from tests.support.engine_harness import Results, join, left_behind, split, split_cost
from triptych.engines.images.strips import strips
from triptych.engines.runtime.resources import Resources, using
from triptych.engines.streams import unpacking
from triptych.errors import EngineError, SourceError
from triptych.options import OPTIONS
from triptych.settings import Settings
from triptych.stages.sources import NoInput

FULL_MIB = 200
"""What an engine's process takes with 64 MiB of its own, pyarrow and DuckDB included."""
RATIO = r"unpacks to more than (250|1000) times .*raise \[triptych\] max_expansion_ratio = 250"


@pytest.fixture
def low_floor(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 MiB, that 12 are enough to be above it."""
    monkeypatch.setattr(unpacking, "FLOOR_BYTES", 4 * MIB)


def _log(path: Path, mib: int = 12) -> Path:
    return bombs.write_packed(path, mib, b"2026-01-01T00:00:00Z a\n", head=b"2026-01-01T00:00:00Z first\n")


def _reads(path: Path, mib: int = 12) -> Path:
    return bombs.write_packed(path, mib, b"ACGT" * 256, head=b">r\n")


def _tree(path: Path, mib: int = 12) -> Path:
    return bombs.packed_tar(path, {"a.py": mib})


def _pictures(path: Path, mib: int = 12) -> Path:
    return bombs.packed_tar(path, {f"{number}.png": 1 for number in range(mib)})


MAKERS: Mapping[str, tuple[Callable[..., Path], str, Mapping[str, Any]]] = {
    "log_times": (_log, "a.log", {}),
    "sequences": (_reads, "a.fa", {}),
    "codebase": (_tree, "a.tar", {}),
    "image_batches": (_pictures, "a.tar", {"items_per_chunk": 1}),
}


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("engine", MAKERS)
@pytest.mark.usefixtures("low_floor")
def test_what_unpacks_to_far_too_much_is_refused(settings: Settings, tmp_path: Path, engine: str, packing: str) -> None:
    make, name, params = MAKERS[engine]
    path = make(tmp_path / f"{name}.{packing}")
    assert path.stat().st_size < MIB
    with pytest.raises(SourceError, match=rf"{path.name}: .*{RATIO}"):
        split(settings, engine, [path], params)
    assert left_behind(settings) == []


@pytest.mark.parametrize("engine", MAKERS)
def test_what_it_takes_until_it_is_refused(settings: Settings, tmp_path: Path, engine: str) -> None:
    make, name, params = MAKERS[engine]
    cost = split_cost(engine, [make(tmp_path / f"{name}.gz", 96)], params, settings)
    assert cost.error is not None
    assert "max_expansion_ratio" in cost.error
    assert cost.peak_mib < FULL_MIB
    assert cost.written_mib < 140  # A floor's worth in scratch, and at most once more in the workspace.


def test_a_zip_is_refused_by_what_its_directory_states(settings: Settings, tmp_path: Path) -> None:
    path = bombs.zip_of(tmp_path / "t.zip", {"a.py": 1, "b/c.py": 96})
    cost = split_cost("codebase", [path], {}, settings)
    assert cost.error is not None
    assert "t.zip: 'b/c.py' in it: unpacks to more than 250 times" in cost.error
    assert cost.written_mib < 1
    pictures = bombs.zip_of(tmp_path / "p.zip", {f"{number}.png": 12 for number in range(8)})
    with pytest.raises(SourceError, match=rf"p\.zip: '5\.png' in it: {RATIO}"):
        split(settings, "image_batches", [pictures], {"items_per_chunk": 1})


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_of_a_zip_are_unpacked_in_pieces(settings: Settings, tmp_path: Path, method: int) -> None:
    path = bombs.zip_of(tmp_path / "t.zip", {"a.py": 60}, method)
    cost = split_cost("codebase", [path], {}, settings)
    assert cost.error is None
    assert cost.peak_mib < FULL_MIB + 80  # 4096 bytes of bzip2, at once.


def test_small_files_may_be_packed_by_any_factor(settings: Settings, tmp_path: Path) -> None:
    zeros = bombs.zip_of(tmp_path / "t.zip", {"a.bin": 8})
    assert zeros.stat().st_size < 16 << 10
    assert split(settings, "codebase", [zeros], {})[0].data == LETTERS * 8
    for name, pack in PACKERS.items():
        path = tmp_path / f"r.fa.{name}"
        path.write_bytes(pack(b">r\n" + b"A" * (8 * MIB)))
        (piece,) = split(settings, "sequences", [path], {})
        assert (piece.data, piece.metadata["bases"]) == (b">r\n" + b"A" * (8 * MIB), 8 * MIB)
        log = tmp_path / f"l.log.{name}"
        log.write_bytes(pack(b"2026-01-01T00:00:00Z a\n" * 100_000))
        assert sum(piece.items or 0 for piece in split(settings, "log_times", [log], {})) == 100_000


def test_a_ratio_of_the_operators_lets_it_through(settings: Settings, tmp_path: Path) -> None:
    path = _reads(tmp_path / "a.fa.gz", 96)
    (piece,) = split(replace(settings, max_expansion_ratio=2000), "sequences", [path], {})
    assert len(piece.data) == 96 * MIB + len(b">r\n")


def test_all_sources_of_a_stage_count_together(settings: Settings, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.fa.gz" for number in range(3)]
    for path in paths:
        path.write_bytes(gzip.compress(b">r\n" + b"ACGT" * MIB))
    few = replace(settings, max_expanded_bytes=10 * MIB)
    with pytest.raises(SourceError, match=r"2\.fa\.gz: .*max_expanded_gib"):
        split(few, "sequences", paths, {})
    assert len(split(few, "sequences", paths[:2], {})) == 2


@pytest.mark.parametrize("packing", PACKERS)
def test_files_that_follow_each_other_are_read_to_the_last(settings: Settings, tmp_path: Path, packing: str) -> None:
    path = tmp_path / f"r.fa.{packing}"
    path.write_bytes(b"".join(map(PACKERS[packing], (b">a\nAC\n", b">b\nGT\n", b">c\nA\n"))))
    (piece,) = split(settings, "sequences", [path], {})
    assert piece.data == b">a\nAC\n>b\nGT\n>c\nA\n"


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("engine", ["sequences", "log_times", "codebase"])
def test_a_packed_file_that_is_cut_off_is_refused(
    settings: Settings, tmp_path: Path, engine: str, packing: str
) -> None:
    make, name, params = MAKERS[engine]
    path = make(tmp_path / f"{name}.{packing}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match=rf"{path.name}: the \w+ file cannot be unpacked after \d+ bytes: .*Pack it"):
        split(settings, engine, [path], params)


def test_a_window_larger_than_the_memory_is_refused(settings: Settings, tmp_path: Path) -> None:
    """xz states in its header how much of what is unpacked must be kept: here 1.5 GiB."""
    data = bytearray(lzma.compress(b">r\nACGT\n"))
    size = 4 * (data[12] + 1)
    data[16] = 37  # 3 << 29 bytes; `xz` format, 5.3.1.
    data[12 + size - 4 : 12 + size] = zlib.crc32(data[12 : 12 + size - 4]).to_bytes(4, "little")
    (tmp_path / "r.fa.xz").write_bytes(data)
    with pytest.raises(SourceError, match=r"the xz file cannot be unpacked after 0 bytes: Memory usage limit"):
        split(settings, "sequences", [tmp_path / "r.fa.xz"], {})


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
@pytest.mark.parametrize("engine", ["codebase", "image_batches"])
def test_a_header_of_a_tar_ends_somewhere(settings: Settings, tmp_path: Path, engine: str, kind: bytes) -> None:
    path = bombs.long_header_tar(tmp_path / "t.tar.gz", 48, kind)
    with pytest.raises(SourceError, match=r"t\.tar\.gz: .*a header of 50331648 bytes"):
        split(settings, engine, [path], {})


@pytest.mark.parametrize("engine", ["codebase", "image_batches"])
def test_a_hole_in_a_tar_is_refused(settings: Settings, tmp_path: Path, engine: str) -> None:
    path = bombs.sparse_tar(tmp_path / "t.tar", 1 << 40, "a.png")
    with pytest.raises(SourceError, match=r"t\.tar: 'a\.png' is a link or no regular file"):
        split(settings, engine, [path], {})


def test_more_names_than_memory_are_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "t.tar.gz"
    path.write_bytes(bombs.gzip_fast(b"".join(tarfile.TarInfo(f"{n}.py").tobuf(0) for n in range(70_000))))
    cost = split_cost("codebase", [path], {}, settings)
    assert cost.error is not None
    assert "t.tar.gz: the list of the files in it is longer than 64 MiB. Pack fewer files together." in cost.error
    assert cost.peak_mib < FULL_MIB
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        for number in range(50_000):
            archive.writestr(f"rather_long_a_folder_name_for_a_path/{number}.py", b"")
    cost = split_cost("codebase", [tmp_path / "t.zip"], {}, settings)
    assert cost.error is not None
    assert "t.zip: the directory of its files is longer than 4 MiB. Pack fewer files together." in cost.error
    assert cost.peak_mib < FULL_MIB


def test_a_name_is_no_longer_than_a_path(settings: Settings, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("a/" * 3000 + "b.py"))
    with pytest.raises(SourceError, match=r"t\.tar: the name 'a/a/.*has 6004 letters, and a path has 4096 at most"):
        split(settings, "codebase", [tmp_path / "t.tar"], {})


@pytest.mark.parametrize("name", ["t.zip", "t.tar.gz", "t.png"])
def test_an_image_that_cannot_be_held_is_refused(settings: Settings, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".zip"):
        bombs.zip_of(path, {"a.png": 20})
    elif name.endswith(".gz"):
        bombs.packed_tar(path, {"a.png": 20})
    else:
        path.write_bytes(LETTERS * 20)
    inside = "" if name.endswith(".png") else " 'a.png' in it"
    few = replace(settings, engine_memory_bytes=64 * MIB)
    with pytest.raises(SourceError, match=rf"{name}: the image{inside} is longer than 16 MiB\. Raise"):
        split(few, "image_batches", [path], {})


@pytest.mark.parametrize(("name", "interlaced"), [("a.png", True), ("a.jpg", True), ("a.webp", False)])
def test_an_image_that_is_decoded_whole_fits_into_memory(
    settings: Settings, tmp_path: Path, name: str, interlaced: bool
) -> None:
    """35 MiB of pixels with 64 MiB of memory; libvips has no row of them before the last."""
    path, options = tmp_path / name, {"interlace": True} if interlaced else {}
    pyvips.Image.black(3500, 3500, bands=3).write_to_file(str(path), **options)
    assert path.stat().st_size < MIB
    few = replace(settings, engine_memory_bytes=64 * MIB)
    with pytest.raises(SourceError, match=rf"{name}: the image of 3500 x 3500 pixels, .* is longer than 32 MiB\. Save"):
        split(few, "image_tiles", [path], {})


@pytest.mark.parametrize(("engine", "params"), [("rows", {"items_per_chunk": 10}), ("keys", {"columns": ["a"]})])
def test_a_parquet_file_that_states_rows_that_it_has_not_is_refused(
    settings: Settings, tmp_path: Path, engine: str, params: Mapping[str, Any]
) -> None:
    path = bombs.parquet(tmp_path / "a.parquet", 2**40)
    with pytest.raises(SourceError, match=r"a\.parquet: .*row group 0 states 1,099,511,627,776 rows"):
        split(settings, engine, [path], params)


@pytest.mark.parametrize(
    ("value", "rows", "said"),
    [
        (1000, 200_000, r"unpacks to more than 1000 times the \d+ bytes .*max_expansion_ratio = 250"),
        (9 * MIB, 1, r"a value in column a of row group 0 is longer than 8 MiB\. Raise"),
        (9 * MIB, 2, r"row 0 is longer than 8 MiB\. Raise"),
        (66 * MIB, 10, r"'column a of row group 0' in it: unpacks to more than 1000 times the \d+ bytes"),
    ],
    ids=["text", "value", "row", "page"],
)
def test_parquet_that_comes_to_far_too_much_is_refused(
    settings: Settings, tmp_path: Path, value: int, rows: int, said: str
) -> None:
    path = bombs.parquet_of(tmp_path / "a.parquet", b"x" * value, rows)
    assert path.stat().st_size < MIB // 16
    with pytest.raises(SourceError, match=said):
        split(replace(settings, engine_memory_bytes=64 * MIB), "rows", [path], {"items_per_chunk": rows})


def test_parquet_of_one_large_value_over_and_over_fits_into_memory(settings: Settings, tmp_path: Path) -> None:
    """40 GB in 60 kB, of which 10,000 rows would be read at once."""
    path = bombs.parquet_of(tmp_path / "a.parquet", b"x" * 2 * MIB, 20_000)
    cost = split_cost("keys", [path], {"columns": ["a"]}, settings)
    assert re.search(RATIO, cost.error or "accepted"), cost
    # Of two values that are read at once, whatever the threads of Arrow keep of them.
    assert cost.peak_mib < FULL_MIB + 100
    assert cost.written_mib < FULL_MIB


def test_a_jpeg_that_states_pixels_that_it_has_not_is_refused(settings: Settings, tmp_path: Path) -> None:
    """The fewest bytes that a picture can have are enough: one of nothing but black, with codes of its own."""
    path = bombs.jpeg(tmp_path / "a.jpg", 65_000, 65_000)
    with pytest.raises(SourceError, match=r"a\.jpg: .*it states 65000 x 65000 pixels, and its \d+ bytes hold \d+ at"):
        split(settings, "image_tiles", [path], {})
    black = tmp_path / "black.jpg"
    pyvips.Image.black(4096, 4096).jpegsave(str(black), optimize_coding=True)
    assert 4096 * 4096 / black.stat().st_size > 200
    assert len(split(settings, "image_tiles", [black], {"tile_size": 2048, "overlap": 0})) == 4


def test_rows_of_any_width_are_read_within_the_memory(tmp_path: Path) -> None:
    """64 rows of 300,000 bytes with 8 MiB: what is read at once is not the rows, but a share of the memory."""
    image = pyvips.Image.black(300_000, 64)
    with using(Resources(tmp_path, 8 * MIB)):
        tracemalloc.start()
        shapes = [strip.shape for strip in strips(image, [(0, 64)], NoInput(tmp_path))]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert shapes == [(64, 300_000, 1)]
    assert peak < 4 * MIB


@pytest.mark.parametrize(
    ("engine", "name", "head", "params"),
    [
        ("log_times", "a.log", b"2026-01-01T00:00:00Z ", {}),
        ("sequences", "a.fq", b"@r\n", {}),
        ("keys", "a.csv", b"a,b\n", {"columns": ["a"]}),
        ("keys", "a.jsonl", b'{"a": "', {"columns": ["a"]}),
        ("dates", "a.csv", b"a,b\n", {"column": "a"}),
        ("urls", "a.txt", b"https://a.example/", {}),
        ("urls", "a.jsonl", b'{"url": "', {}),
        ("json_keys", "a.json", b'["', {}),
    ],
)
def test_a_line_that_never_ends_is_refused(
    settings: Settings, tmp_path: Path, engine: str, name: str, head: bytes, params: Mapping[str, Any]
) -> None:
    path = tmp_path / name
    path.write_bytes(head + LETTERS * 48)
    cost = split_cost(engine, [path], params, settings)
    assert cost.error is not None
    assert f"{name}: " in cost.error
    assert "is longer than 8 MiB." in cost.error
    assert "aise [triptych] engine_memory_mib" in cost.error
    assert cost.peak_mib < FULL_MIB
    cost = split_cost(engine, [path], params, settings, max_line_mib="1")
    assert cost.error is not None
    assert "is longer than 1 MiB." in cost.error
    assert "aise [triptych] max_line_mib" in cost.error


@pytest.mark.parametrize(
    ("part", "mib", "says"),
    [
        ("document", 10, "its text is longer than 6.4 MiB"),
        ("styles", 10, "its text is longer than 6.4 MiB"),
        ("image", 30, "its text with pictures is longer than 16 MiB"),
    ],
)
def test_the_parts_of_a_word_file_fit_into_memory(
    settings: Settings, tmp_path: Path, part: str, mib: int, says: str
) -> None:
    path = bombs.docx(tmp_path / "d.docx", **{part: (b"a", mib)})
    cost = split_cost("sections", [path], {}, settings)
    assert cost.error is not None
    assert f"d.docx: {says}" in cost.error
    assert cost.peak_mib < FULL_MIB


@pytest.mark.usefixtures("low_floor")
def test_a_result_is_no_bomb_either(settings: Settings, tmp_path: Path) -> None:
    packed = bombs.packed_tar(tmp_path / "a.tar.bz2", {"a.py": 12}).read_bytes()
    with pytest.raises(EngineError, match=rf"chunk 0, 'out\.tar\.bz2': {RATIO}"):
        join(settings, "codebase", [Results({"out.tar.bz2": packed})])


def test_the_settings_that_refusals_name_exist() -> None:
    keys = {option.key for option in OPTIONS}
    assert {"max_expansion_ratio", "max_expanded_gib", "max_line_mib", "engine_memory_mib"} <= keys


def test_bz2_without_a_beginning_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "r.fa.bz2"
    path.write_bytes(bz2.compress(b">r\nAC\n") + b"no bzip2 at all")
    with pytest.raises(SourceError, match=r"the bzip2 file cannot be unpacked after 6 bytes: Invalid data stream"):
        split(settings, "sequences", [path], {})

"""BAM read as the SAM that it holds: by records, each chunk with the header. Truth is the SAM that it was made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pysam
import pytest

from tests.support.engine_harness import Results, join, left_behind, split, untouched
from triptych.errors import SourceError
from triptych.settings import Settings

HEADER = "@HD\tVN:1.6\tSO:coordinate\n@SQ\tSN:chr1\tLN:5000\n@SQ\tSN:chr2\tLN:100\n"
RECORDS = [
    *(
        f"read{n}\t{16 * (n % 2)}\tchr{1 + (n > 6)}\t{n + 1}\t60\t4M\t*\t0\t0\tACGT\tII?I\tNM:i:{n}\tXS:Z:a b\n"
        for n in range(9)
    ),
    "lost\t4\t*\t0\t0\t*\t*\t0\t0\tNNA\t*\n",
]


def _bam(folder: Path, name: str = "reads.bam") -> Path:
    """By samtools' own code, which pysam has as a command."""
    text, path = folder / "made.sam", folder / name
    text.write_text(HEADER + "".join(RECORDS))
    pysam.samtools.view("-b", "--no-PG", "-o", str(path), str(text), catch_stdout=False)
    text.unlink()
    return path


@pytest.mark.parametrize("name", ["reads.bam", "noname"])
def test_records_with_their_header(settings: Settings, tmp_path: Path, name: str) -> None:
    pieces = split(settings, "rows", [_bam(tmp_path, name)], {"items_per_chunk": 4})
    assert [piece.data.decode() for piece in pieces] == [
        HEADER + "".join(RECORDS[first : first + 4]) for first in (0, 4, 8)
    ]
    assert left_behind(settings) == []


def test_records_by_reference_and_joined_again(settings: Settings, tmp_path: Path) -> None:
    path = _bam(tmp_path)
    pieces = split(settings, "keys", [path], {"columns": ["RNAME"]})
    assert [piece.metadata["key"]["RNAME"] for piece in pieces] == ["chr1", "chr2", "*"]
    (joined,) = join(settings, "concat", untouched(pieces, "part.sam")).values()
    assert joined.decode() == HEADER + "".join(RECORDS)
    twice = join(settings, "concat", [Results({"reads.bam": path.read_bytes()})] * 2)
    assert twice == {"output.sam": (HEADER + "".join(RECORDS) * 2).encode()}


def test_what_is_cut_off_or_damaged_is_refused(settings: Settings, tmp_path: Path) -> None:
    path = _bam(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-28])
    with pytest.raises(SourceError, match=r"reads.bam: is cut off: the empty block is missing"):
        split(settings, "rows", [path], {})
    path.write_bytes(whole[:200] + bytes(20) + whole[220:])
    with pytest.raises(SourceError, match=r"reads.bam: cannot be read as BAM. Check it by samtools quickcheck"):
        split(settings, "rows", [path], {})


def test_without_pysam_the_extra_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['pysam'] = None; from triptych.cli import main; main()"
    command = [sys.executable, "-c", code, "engine", "preview", "rows", "--source", str(_bam(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 7
    assert "needs the library 'pysam', which is not installed: pip install 'triptych[genomics]'" in done.stderr


def test_sequences_names_the_engine_for_alignments(settings: Settings, tmp_path: Path) -> None:
    path, text = _bam(tmp_path), tmp_path / "reads.sam"
    text.write_text(HEADER + "".join(RECORDS))
    for source, name in ((path, "BAM"), (text, "SAM")):
        with pytest.raises(
            SourceError, match=f"is {name}, which aligns reads to a reference. Use the partitioner rows"
        ):
            split(settings, "sequences", [source], {})

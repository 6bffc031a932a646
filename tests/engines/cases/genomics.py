"""sequences, beside dnaio."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Sequence
from pathlib import Path

import dnaio

from engines.cases import Split
from engines.harness import Piece


def fastq(count: int, seed: int, mate: str = "") -> bytes:
    source = random.Random(seed)
    reads = ["".join(source.choices("ACGTN", k=source.randrange(1, 90))) for _ in range(count)]
    # A quality may be @, too.
    return "".join(f"@r{n}{mate} x\n{read}\n+\n{'@' * len(read)}\n" for n, read in enumerate(reads)).encode()


def fasta(count: int, seed: int) -> bytes:
    source = random.Random(seed)
    text = ""
    for number in range(count):
        bases = "".join(source.choices("ACGT", k=source.randrange(0, 200)))
        lines = "".join(f"{bases[at : at + 60]}\r\n" for at in range(0, len(bases), 60))
        text += f">s{number} a > b\r\n{lines}"
    return text.encode()


def read(data: bytes) -> list[tuple[str, str]]:
    if not data:
        return []
    with dnaio.open(io.BytesIO(data)) as records:
        return [(record.name, record.sequence) for record in records]


def _reads(folder: Path) -> list[Path]:
    path = folder / "reads.fastq"
    path.write_bytes(fastq(95, 1))
    return [path]


def _two_genomes(folder: Path) -> list[Path]:
    paths = [folder / f"{name}.fasta" for name in ("one", "two")]
    for seed, path in enumerate(paths):
        path.write_bytes(fasta(30, seed))
    return paths


def _packed_pair(folder: Path) -> list[Path]:
    paths = [folder / f"{name}.fastq.gz" for name in ("1", "2")]
    for seed, path in enumerate(paths):
        path.write_bytes(gzip.compress(fastq(50, seed, f"/{seed + 1}"), mtime=0))
    return paths


def _all_records(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert b"".join(piece.data for piece in pieces) == b"".join(path.read_bytes() for path in sources)
    for piece in pieces:
        records = read(piece.data)
        assert piece.items == len(records)
        assert piece.metadata["bases"] == sum(len(bases) for _, bases in records)
        assert not piece.copied


def _all_pairs(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    found: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
    for piece in pieces:
        size = piece.metadata["files"][0]["size"]
        parts = read(piece.data[:size]), read(piece.data[size:])
        assert len(parts[0]) == len(parts[1])
        for whole, part in zip(found, parts, strict=True):
            whole.extend(part)
    assert list(found) == [read(gzip.decompress(path.read_bytes())) for path in sources]


def _cut_off(folder: Path) -> Path:
    path = folder / "cut.fastq"
    path.write_bytes(fastq(3, 1)[:-1].rpartition(b"\n")[0])
    return path


def _no_quality(folder: Path) -> Path:
    path = folder / "wrong.fastq"
    path.write_bytes(b"@a\nAC\n+\nII\n@b\nACG\n+\nII\n")
    return path


def _cut_gzip(folder: Path) -> Path:
    path = folder / "cut.fastq.gz"
    path.write_bytes(gzip.compress(fastq(500, 1))[:-100])
    return path


def _large(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.fasta"
    with path.open("wb") as out:
        out.write(b">chromosome\n")
        for _ in range(8 * factor):
            out.write(b"ACGTACGTACGTACGTACGTACGTACGTACG\n" * 32_768)
        out.write(b">next\nAC\n")
    return path


CASES = [
    Split(
        "sequences", {"records": 10}, _reads, _all_records, bad={"records": 0}, corrupt=_cut_off, says="3 of 4 lines"
    ),
    Split(
        "sequences",
        {"bases": 700},
        _two_genomes,
        _all_records,
        bad={"bases": 0},
        corrupt=_no_quality,
        says="at byte 11",
        grow=_large,
    ),
    Split(
        "sequences",
        {"records": 7, "paired": "files"},
        _packed_pair,
        _all_pairs,
        bad={"paired": "yes"},
    ),
    Split(
        "sequences",
        {"target_mib": 0.001, "paired": "interleaved"},
        _two_genomes,
        _all_records,
        bad={"format": "sam"},
        corrupt=_cut_gzip,
        says="cannot be unpacked",
    ),
]

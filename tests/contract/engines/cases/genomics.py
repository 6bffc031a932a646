"""sequences, beside dnaio."""

from __future__ import annotations

import gzip
import io
import itertools
import random
import re
from collections.abc import Sequence
from pathlib import Path

import dnaio

from tests.contract.engines.cases import Split
from tests.support.engine_harness import Piece


def fastq(count: int, seed: int, mate: str = "") -> bytes:
    source = random.Random(seed)
    reads = ["".join(source.choices("ACGTN", k=source.randrange(1, 90))) for _ in range(count)]
    # A quality may be @, too.
    return "".join(f"@r{n}{mate} x\n{read}\n+\n{'@' * len(read)}\n" for n, read in enumerate(reads)).encode()


def interleaved(data: bytes) -> bytes:
    """Two and two records under one name: r0, r1, r2, r3 -> r0, r0, r1, r1."""
    return re.sub(rb"(?m)(?<=^[@>][rs])\d+(?= [ax])", lambda found: b"%d" % (int(found[0]) // 2), data)


def wrapped(count: int, seed: int, line_end: str = "\n") -> list[tuple[bytes, int]]:
    """FASTQ records in lines of 1 to 30, the qualities in others than the bases, with their numbers of bases."""
    source, records = random.Random(seed), []
    for name, bases in read(fastq(count, seed)):
        # Many lines begin with @ or +.
        parts = ((f"@{name}", bases), ("+", "".join(source.choices("@+I", k=len(bases)))))
        lines = []
        for mark, text in parts:
            cuts = [0, *sorted(source.sample(range(1, len(text)), len(text) // 9)), len(text)]
            lines += [mark, *(text[start:end] for start, end in itertools.pairwise(cuts))]
        records.append(("".join(line + line_end for line in lines).encode(), len(bases)))
    return records


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


def _one_read(folder: Path) -> list[Path]:
    path = folder / "read.fastq"
    path.write_bytes(fastq(1, 1).removesuffix(b"\n"))
    return [path]


def _wrapped_reads(folder: Path) -> list[Path]:
    path = folder / "wrapped.fastq"
    path.write_bytes(fastq(30, 1) + b"".join(record for record, _ in wrapped(60, 2)) + fastq(30, 3))
    return [path]


def _ten_in_each(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    bases = [len(sequence) for seed in (1, 2, 3) for _, sequence in read(fastq(60 if seed == 2 else 30, seed))]
    assert b"".join(piece.data for piece in pieces) == sources[0].read_bytes()
    assert [piece.metadata["bases"] for piece in pieces] == [sum(bases[at : at + 10]) for at in range(0, 120, 10)]
    assert [piece.data[:2] for piece in pieces] == [b"@r"] * 12


def _no_plus(folder: Path) -> Path:
    path = folder / "no_plus.fastq"
    path.write_bytes(b"@a\nAC\nGT\n+\nII\nII\n@b\nACG\n@c\nA\n+\nI\n")
    return path


def _two_genomes(folder: Path) -> list[Path]:
    paths = [folder / f"{name}.fasta" for name in ("one", "two")]
    for seed, path in enumerate(paths):
        path.write_bytes(fasta(30, seed))
    return paths


def _one_sequence(folder: Path) -> list[Path]:
    path = folder / "one.fasta"
    path.write_bytes(fasta(1, 1))
    return [path]


def _two_sequences(folder: Path) -> list[Path]:
    path = folder / "pair.fasta"
    path.write_bytes(interleaved(fasta(2, 1)))
    return [path]


def _packed_pair(folder: Path, count: int = 50) -> list[Path]:
    paths = [folder / f"{name}.fastq.gz" for name in ("1", "2")]
    for seed, path in enumerate(paths):
        path.write_bytes(gzip.compress(fastq(count, seed, f"/{seed + 1}"), mtime=0))
    return paths


def _one_pair(folder: Path) -> list[Path]:
    return _packed_pair(folder, 1)


def _packed_two(folder: Path) -> list[Path]:
    path = folder / "two.fastq.gz"
    path.write_bytes(gzip.compress(interleaved(fastq(2, 1)), mtime=0))
    return [path]


def _two_interleaved_genomes(folder: Path) -> list[Path]:
    paths = _two_genomes(folder)
    for path in paths:
        path.write_bytes(interleaved(path.read_bytes()))
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


def _packed_reads(folder: Path) -> list[Path]:
    path = folder / "reads.fastq.gz"
    path.write_bytes(gzip.compress(interleaved(fastq(2000, 1)) * 4, 1, mtime=0))
    return [path]


def _whole_pairs(pieces: Sequence[Piece], sources: Sequence[Path]) -> None:
    assert b"".join(piece.data for piece in pieces) == gzip.decompress(sources[0].read_bytes())
    assert all(len(read(piece.data)) % 2 == 0 and len(piece.data) >= 1 << 18 for piece in pieces[:-1])


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


def _large_wrapped(folder: Path, factor: int) -> Path:
    """One record, as a consensus of a chromosome is."""
    path = folder / f"large{factor}.fastq"
    with path.open("wb") as out:
        for mark, line in ((b"@chromosome", b"ACGTACGTACGTACGTACGTACGTACGTACG\n"), (b"+", b"@+I" * 10 + b"I\n")):
            out.write(mark + b"\n")
            for _ in range(4 * factor):
                out.write(line * 32_768)
        out.write(b"@next\nAC\n+\nII\n")
    return path


def _large_gzip(folder: Path, factor: int) -> Path:
    path = folder / f"large{factor}.fastq.gz"
    with gzip.open(path, "wb", 1) as out:
        out.write(interleaved(fastq(2000, 1)) * (40 * factor))
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
        "sequences",
        {"items_per_chunk": 10},
        _reads,
        _all_records,
        bad={"items_per_chunk": 0},
        corrupt=_cut_off,
        says="cut off",
        one=_one_read,
    ),
    Split(
        "sequences",
        {"items_per_chunk": 10, "format": "fastq"},
        _wrapped_reads,
        _ten_in_each,
        bad={"target_mib": 0},
        corrupt=_no_plus,
        says="at byte 17 is no FASTQ: no line with",
        grow=_large_wrapped,
    ),
    Split(
        "sequences",
        {"bases_per_chunk": 700},
        _two_genomes,
        _all_records,
        bad={"bases_per_chunk": 0},
        corrupt=_no_quality,
        says="at byte 11",
        grow=_large,
        one=_one_sequence,
    ),
    Split(
        "sequences",
        {"items_per_chunk": 7, "paired": "files"},
        _packed_pair,
        _all_pairs,
        bad={"paired": "yes"},
        one=_one_pair,
    ),
    Split(
        "sequences",
        {"target_mib": 0.001, "paired": "interleaved"},
        _two_interleaved_genomes,
        _all_records,
        bad={"format": "sam"},
        corrupt=_cut_gzip,
        says="cannot be unpacked",
        one=_two_sequences,
    ),
    Split(
        "sequences",
        {"target_mib": 0.25, "paired": "interleaved"},
        _packed_reads,
        _whole_pairs,
        bad={"items_per_chunk": 0},
        grow=_large_gzip,
        one=_packed_two,
    ),
]

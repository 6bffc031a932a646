"""Counts the k-mers of one chunk of FASTA or FASTQ: `data.bin` in, `kmers.tsv` out, a row for each k-mer that occurs.

A base is two bits, so that a k-mer of up to 31 is one number, A < C < G < T as in the alphabet. K-mers with another
letter in them, such as N, are none.
"""

import json
import os
from pathlib import Path

import numpy as np

AT_ONCE = 4_000_000
"""K-mers that wait to be sorted: 32 MB."""
LETTERS = np.frombuffer(b"ACGT", np.uint8)
CODES = np.full(256, 4, np.uint8)
for code, letter in enumerate(b"ACGT"):
    CODES[letter] = CODES[letter | 0x20] = code


def sequences(path):
    """Each record's bases as codes."""
    with path.open("rb") as file:
        first = file.read(1)
        file.seek(0)
        if first == b"@":
            for number, line in enumerate(file):
                if number % 4 == 1:
                    yield CODES[np.frombuffer(line.strip(), np.uint8)]
            return
        lines = []
        for line in file:
            if line.startswith(b">"):
                yield CODES[np.frombuffer(b"".join(lines), np.uint8)]
                lines = []
            else:
                lines.append(line.strip())
        yield CODES[np.frombuffer(b"".join(lines), np.uint8)]


def kmers(codes, k, canonical):
    """The number of each k-mer of a sequence: [A, C, G] of k 2 -> AC is 1, CG is 6."""
    count = len(codes) - k + 1
    if count < 1:
        return np.empty(0, np.uint64)
    forward, backward = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
    for offset in range(k):
        bases = codes[offset : offset + count].astype(np.uint64) & np.uint64(3)
        forward = forward << np.uint64(2) | bases
        backward |= (np.uint64(3) - bases) << np.uint64(2 * offset)
    others = np.cumsum(np.concatenate([[0], codes == 4]))
    is_whole = others[k:] == others[:-k]
    return (np.minimum(forward, backward) if canonical else forward)[is_whole]


def counted(path, k, canonical):
    """The different k-mers, in order, and how often each occurs."""
    values, counts = np.empty(0, np.uint64), np.empty(0, np.int64)
    waiting, size = [], 0
    for codes in sequences(path):
        waiting.append(kmers(codes, k, canonical))
        size += len(waiting[-1])
        if size >= AT_ONCE:
            values, counts = added(values, counts, np.concatenate(waiting))
            waiting, size = [], 0
    return added(values, counts, np.concatenate(waiting)) if waiting else (values, counts)


def added(values, counts, found):
    found, times = np.unique(found, return_counts=True)
    values, place = np.unique(np.concatenate([values, found]), return_inverse=True)
    return values, np.bincount(place, np.concatenate([counts, times])).astype(np.int64)


def rows(values, counts, k):
    """Lines of the table."""
    places = np.arange(2 * k - 2, -1, -2).astype(np.uint64)
    for begin in range(0, len(values), 100_000):
        part = slice(begin, begin + 100_000)
        letters = LETTERS[(values[part, None] >> places & np.uint64(3)).astype(int)]
        names = letters.view(f"S{k}").ravel().astype(str).tolist()
        yield from (f"{name}\t{count}\n" for name, count in zip(names, counts[part].tolist(), strict=True))


def main() -> None:
    params = json.loads(os.environ["APP_PARAMS"])
    k = params.get("k", 21)
    values, counts = counted(Path(os.environ["TASK_DIR"], "data.bin"), k, params.get("canonical", True))
    with Path(os.environ["TASK_RESULTS_DIR"], "kmers.tsv").open("w") as file:
        file.write("kmer\tcount\n")
        file.writelines(rows(values, counts, k))
    print(f"{counts.sum():,} k-mers, {len(values):,} different ones")


if __name__ == "__main__":
    main()

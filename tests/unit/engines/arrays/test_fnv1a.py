"""FNV-1a against the vectors that its authors published, folded by hand."""

from __future__ import annotations

import random

import pyarrow as pa

from triptych.engines.arrays.fnv1a import fnv1a

PUBLISHED = {"": 0xCBF29CE484222325, "a": 0xAF63DC4C8601EC8C, "foobar": 0x85944171F73967E8, "hello": 0xA430D84680AABD0B}


def test_hashes_are_the_published_ones_folded() -> None:
    found = fnv1a(pa.array(PUBLISHED)).tolist()
    assert found == [(each >> 32) ^ (each & 0xFFFFFFFF) for each in PUBLISHED.values()]


def test_a_column_gives_what_its_texts_give_alone_whatever_their_length_and_place() -> None:
    draw = random.Random(1)
    texts = ["".join(draw.choices("aé報", k=draw.randrange(40))) for _ in range(500)]
    alone = [fnv1a(pa.array([text])).tolist()[0] for text in texts]
    assert fnv1a(pa.array(texts, pa.large_string())).tolist() == alone
    assert fnv1a(pa.array(["before", *texts])[1:]).tolist() == alone
    assert fnv1a(pa.array([], pa.string())).tolist() == []


def test_buckets_of_ascending_even_numbers_are_about_equal() -> None:
    found = fnv1a(pa.array([str(2 * n) for n in range(10_000)])) % 8
    counts = [(found == bucket).sum() for bucket in range(8)]
    assert min(counts) > 1000
    assert max(counts) < 1500

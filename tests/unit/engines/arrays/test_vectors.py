"""The examples of the docstrings, and the same by Python's own means."""

from __future__ import annotations

import random
from itertools import accumulate, groupby
from operator import xor

import numpy as np
import pyarrow as pa
import pytest

from triptych.engines.arrays.bitmasks import prefix_xor, set_bits, to_words
from triptych.engines.arrays.runs import consecutive_starts, run_lengths, run_starts
from triptych.engines.arrays.slices import slices
from triptych.engines.arrays.text_columns import by_unique, holds, joined_bytes, replaced


def test_runs_begin_where_values_change() -> None:
    codes = np.array([3, 3, 7, 9, 9])
    assert run_starts(codes).tolist() == [0, 2, 3]
    assert run_lengths(run_starts(codes), len(codes)).tolist() == [2, 1, 2]
    assert run_starts(np.array([], np.int64)).tolist() == []
    assert consecutive_starts(np.array([4, 5, 6, 9, 12, 13])).tolist() == [0, 3, 4]
    assert consecutive_starts(np.array([0, 1])).tolist() == [0]


@pytest.mark.parametrize("seed", range(20))
def test_run_starts_are_those_of_groupby(seed: int) -> None:
    draw = random.Random(seed)
    codes = [draw.randrange(3) for _ in range(draw.randrange(200))]
    lengths = [len(list(group)) for _, group in groupby(codes)]
    starts = run_starts(np.array(codes, np.int64))
    assert starts.tolist() == list(accumulate(lengths, initial=0))[: len(lengths)]
    assert run_lengths(starts, len(codes)).tolist() == lengths


def test_bits_stand_for_bytes() -> None:
    assert to_words(np.array([False, True, True])).tolist() == [0b110]
    assert set_bits(np.array([0b110, 0b1], "<u8")).tolist() == [1, 2, 64]
    quotes = to_words(np.frombuffer(b"..1...1..", np.uint8) == ord("1"))
    assert set_bits(prefix_xor(quotes)).tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("length", [1, 63, 64, 65, 1000])
def test_prefix_xor_is_the_parity_so_far(length: int) -> None:
    draw = random.Random(length)
    mask = [draw.random() < 0.1 for _ in range(length)]
    found = set(set_bits(prefix_xor(to_words(np.array(mask)))).tolist())
    assert [index in found for index in range(length)] == list(accumulate(mask, xor))


def test_slices_in_an_order() -> None:
    starts, ends = np.array([0, 3, 6]), np.array([2, 5, 7])
    assert slices(b"ab,cd,e", starts, ends).to_pylist() == [b"ab", b"cd", b"e"]
    assert slices(b"ab,cd,e", starts, ends, np.array([2, 0])).to_pylist() == [b"e", b"ab"]
    assert slices(b"abcd", np.array([0, 1]), np.array([1, 4])).to_pylist() == [b"a", b"bcd"]
    assert slices(b"", np.array([], np.int64), np.array([], np.int64)).to_pylist() == []


def test_work_is_done_once_for_equal_values() -> None:
    asked: list[str] = []

    def upper(text: str) -> str:
        asked.append(text)
        return text.upper()

    texts = pa.array(["a", None, "b", "a"], pa.large_string())
    assert by_unique(texts, upper).to_pylist() == ["A", None, "B", "A"]
    assert asked == ["a", "b"]
    assert by_unique(texts, ord, pa.int64()).to_pylist() == [97, None, 98, 97]
    some = pa.array(["a", "b", "b"], pa.large_string())
    assert replaced(some, pa.array([False, True, True]), str.upper).to_pylist() == ["a", "B", "B"]
    assert replaced(some, pa.array([False, None, False]), str.upper).to_pylist() == ["a", "b", "b"]


def test_columns_are_their_bytes() -> None:
    column = pa.array(["before", "ab", "", "c"], pa.large_string())[1:]
    assert joined_bytes(column) == b"abc"
    assert joined_bytes(column[:0]) == b""
    assert holds(column, b"c")
    assert not holds(column, b"f", b"x")

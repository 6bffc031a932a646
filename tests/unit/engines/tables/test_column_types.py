"""Which type a column of numbers has: never one that changes what a value says. Python's Decimal is the truth."""

from __future__ import annotations

import random
from decimal import Decimal

import pyarrow as pa
import pytest

from triptych.engines.tables.column_types import ColumnType, typed

RANDOM = random.Random(4)
DOUBLES = [RANDOM.uniform(-1, 1) * 10 ** RANDOM.randint(-20, 20) for _ in range(300)]


def _type(*values: str) -> pa.DataType:
    column = ColumnType()
    column.add(pa.array(list(values), pa.large_string()))
    return column.read()[0]


@pytest.mark.parametrize("form", ["%r", "%.17g", "%.18e", "%.25e", "%.16f"])
def test_what_a_program_prints_of_floats_is_floats(form: str) -> None:
    # Of larger ones these forms make whole numbers, which are no floats beyond 2**53.
    most = {"%.16f": 1e4, "%.17g": 1e15}.get(form, float("inf"))
    texts = [form % each for each in DOUBLES if abs(each) < most]
    assert _type(*texts) == pa.float64()
    made = typed(pa.array(texts, pa.large_string()), pa.float64()).to_pylist()
    assert made == [float(text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "12345678901234567890.1234567",  # numeric of PostgreSQL
        "0.12345678901234567",
        "9007199254740993.5",
        "3.141592653589793238462643383279",
        "1.5e+999",
        "1e-999",
        "123456789012345,678901234567",
    ],
)
def test_a_fraction_that_no_float_says_makes_its_column_text(text: str) -> None:
    assert _type("1.5" if "," not in text else "1,5", text) == pa.string()


def test_short_fractions_are_floats_whatever_they_are() -> None:
    texts = [f"{RANDOM.randint(-(10**9), 10**9)}.{RANDOM.randint(0, 99999):05}" for _ in range(500)]
    assert _type(*texts) == pa.float64()
    assert all(Decimal(repr(float(text))) == Decimal(text) for text in texts)
    assert _type("nan", "-Infinity", "0.000000000000000000000000", "-0.0", "1.") == pa.float64()


def test_one_text_behind_many_numbers_is_seen() -> None:
    assert _type(*["1"] * 1000, "x") == pa.string()
    assert _type(*["1.5"] * 1000, "1e400") == pa.string()
    assert _type(*["1"] * 1000) == pa.int64()

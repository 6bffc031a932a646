import random
import re

import pyarrow as pa
import pytest

from triptych.engines.arrays.shapes import shapes, without_digits
from triptych.engines.tables.column_types import PATTERNS

PARTS = [*"019-.e,xTZ", "12", "007", "-0", "-5", "E+", "e-1", "nan", "inf"]
PARTS += ["2026-01-02", " ", "03:04", "+05:30", "true", "é", ",123"]


def test_shapes_keep_the_first_zero_alone() -> None:
    texts = pa.array(["17", "-42", "007", "-0", "2.50", "3.99", "", "0", "é9"], pa.large_string())
    assert shapes(texts).to_pylist() == ["11", "-11", "011", "-0", "1.11", "", "0", "é1"]
    assert shapes(texts[2:3]).to_pylist() == ["011"]
    assert without_digits(texts[:3]).to_pylist() == [b"11", b"-11", b"111"]


@pytest.mark.parametrize("kind", PATTERNS)
def test_patterns_see_no_more_in_values_than_in_their_shapes(kind: str) -> None:
    draw, pattern = random.Random(kind), re.compile(PATTERNS[kind])
    for _ in range(500):
        values = ["".join(draw.choices(PARTS, k=draw.randint(1, 4))) for _ in range(3)]
        fit = [bool(pattern.fullmatch(form)) for form in shapes(pa.array(values, pa.large_string())).to_pylist()]
        assert all(fit) == all(map(pattern.fullmatch, values)), values

"""How much of a Parquet file is read, counted at the file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.support.inputs import MemoryInput
from triptych.engines.runtime.resources import MIB, Resources, using
from triptych.engines.tables.parquet import READ_SHARE, open_parquet

ROWS = 2_000_000


class _Counted(io.BytesIO):
    """Bytes that know how many of them were read, in how many reads, and the most at once."""

    taken = most = times = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        self.times += 1
        self.most = max(self.most, len(data))
        return data


@pytest.fixture(scope="module")
def whole() -> bytes:
    """One row group of some 32 MB."""
    file = io.BytesIO()
    columns: dict[str, Any] = {name: np.random.default_rng(7).random(ROWS) for name in ("one", "two")}
    columns["few"] = ["a", "b"] * (ROWS // 2)
    pq.write_table(pa.table(columns), file, row_group_size=ROWS)
    return file.getvalue()


def _read(whole: bytes, memory: int, scratch: Path) -> tuple[_Counted, int]:
    """The file when all rows were read, and how many bytes were when the first were."""
    data = _Counted(whole)
    with using(Resources(scratch, memory)):
        batches = open_parquet(data, MemoryInput(whole, name="a.parquet")).batches()
        first = next(batches)
        taken = data.taken
        assert first.num_rows + sum(batch.num_rows for batch in batches) == ROWS
    return data, taken


@pytest.mark.parametrize("memory_mib", [8, 48, 128])
def test_a_row_group_above_its_share_is_read_as_its_rows_are_asked_for(
    whole: bytes, tmp_path: Path, memory_mib: int
) -> None:
    share = memory_mib * MIB * READ_SHARE
    data, at_first = _read(whole, memory_mib * MIB, tmp_path)
    assert data.most <= max(share, 2 * MIB)
    assert at_first <= share + 3 * MIB  # And a page of each column, at least, and the footer.
    assert data.taken <= len(whole) * 1.1 + MIB


def test_a_row_group_within_its_share_takes_few_reads(whole: bytes, tmp_path: Path) -> None:
    data, at_first = _read(whole, 512 * MIB, tmp_path)
    assert (data.times <= 6, at_first == data.taken) == (True, True)

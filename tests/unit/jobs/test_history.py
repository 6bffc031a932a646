"""How long chunks will take, from how long others took; and what is kept of that between jobs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from triptych.jobs.history.kept import note_pace, read_pace
from triptych.jobs.history.pace import Pace
from triptych.settings import Settings, read_settings
from triptych.storage.files import FileStore


def _pace(*measured: tuple[int, float]) -> Pace:
    made = Pace.of(measured)
    assert made is not None
    return made


def test_sizes_that_differ_tell_what_a_byte_costs() -> None:
    pace = _pace(*((size, 0.5 + size / 1000) for size in (0, 500, 1000, 9000)))
    assert pace.seconds_of(2000) == pytest.approx(2.5)
    assert pace.seconds_of(0) == pytest.approx(0.5)


def test_of_chunks_of_one_size_a_larger_one_takes_longer_and_a_smaller_one_as_long() -> None:
    pace = _pace((1000, 3.0), (1000, 5.0))
    assert [pace.seconds_of(size) for size in (10, 1000, 4000)] == pytest.approx([4.0, 4.0, 16.0])


def test_chunks_without_bytes_take_what_they_took() -> None:
    assert _pace((0, 2.0), (0, 4.0)).seconds_of(10**9) == pytest.approx(3.0)


def test_no_chunk_takes_less_than_nothing() -> None:
    """Small ones took longer here, by chance; and large ones so much that small ones would end before they begin."""
    slower = _pace((10, 9.0), (1000, 1.0))
    assert min(slower.seconds_of(size) for size in (0, 10**12)) > 0
    steep = _pace((1000, 0.001), (1100, 5.0), (2000, 900.0))
    assert steep.seconds_of(0) >= 0


def test_a_job_counts_twice_as_much_as_all_before_it() -> None:
    older, newer = _pace((0, 1.0)), _pace((0, 4.0))
    assert newer.after(older).seconds_of(0) == pytest.approx(3.0)


def test_nothing_was_seen_where_nothing_ran() -> None:
    assert Pace.of([]) is None
    assert Pace.of([(5, 0.0)]) is None


def _place(folder: Path) -> tuple[Settings, FileStore, Path]:
    settings = read_settings({"workspace": folder.as_uri()})
    return settings, FileStore((folder,)), folder / "_history" / "a.dag" / "app.json"


def test_what_is_kept_is_found_by_dag_and_app(tmp_path: Path) -> None:
    settings, store, path = _place(tmp_path)
    note_pace(settings, store, "a.dag", "app", _pace((0, 1.0)))
    note_pace(settings, store, "a.dag", "app", _pace((0, 4.0)))
    assert path.is_file()
    found = read_pace(settings, store, "a.dag", "app")
    assert found is not None
    assert found.seconds_of(0) == pytest.approx(3.0)
    assert read_pace(settings, store, "other", "app") is None
    assert read_pace(settings, store, "a.dag", "other") is None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"chunks": 1}']
    + [json.dumps({**_pace((1, 1.0)).to_json(), key: value}) for key in ("chunks", "seconds") for value in (0, -1, "x")]
    + [json.dumps({**_pace((1, 1.0)).to_json(), "bytes": value}) for value in (float("nan"), float("inf"), 10**400)],
)
def test_what_is_no_history_is_none_and_is_replaced(tmp_path: Path, text: str) -> None:
    settings, store, path = _place(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert read_pace(settings, store, "a.dag", "app") is None
    note_pace(settings, store, "a.dag", "app", _pace((0, 4.0)))
    assert read_pace(settings, store, "a.dag", "app") == _pace((0, 4.0))

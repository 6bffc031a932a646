"""One suite over every engine: same in, same out; nothing lost; errors that name the file; bounded memory."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.engines.cases import Join, Split, all_cases
from tests.support.engine_harness import (
    Piece,
    engines,
    entries_in_scratch,
    join,
    join_peak_mib,
    left_behind,
    peak_mib,
    split,
    split_and_copies,
)
from tests.support.servers import Server, moto_server, s3_client
from triptych.errors import EngineError, JobSpecError, SourceError
from triptych.settings import Settings

SPLITS = [case for case in all_cases() if isinstance(case, Split)]
JOINS = [case for case in all_cases() if isinstance(case, Join)]
GROWTH_MIB = 24
"""What four times the input may add to the peak: noise of the allocator, not a share of the input."""
MANY = 40
WHOLE_ONLY = (".docx",)
"""Formats that can only be read as a local file: a zip of parts that refer to each other."""


def _id(case: Split | Join) -> str:
    return f"{case.engine}-{'-'.join(map(str, case.params.values()))}"[:60]


@contextmanager
def few_open_files(more: int) -> Iterator[None]:
    """No more than so many beyond those that are open now."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(list(Path("/dev/fd").iterdir())) + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


splits = pytest.mark.parametrize("case", SPLITS, ids=_id)
joins = pytest.mark.parametrize("case", JOINS, ids=_id)


@pytest.fixture
def sources(case: Split, tmp_path: Path) -> list[Path]:
    folder = tmp_path / "sources"
    folder.mkdir()
    return case.write(folder) if case.write else []


@pytest.mark.parametrize(("kind", "cases"), [("partitioner", SPLITS), ("assembler", JOINS)])
def test_every_engine_has_a_case(kind: str, cases: list[Any]) -> None:
    assert sorted(set(engines(kind)) - {case.engine for case in cases}) == []


@splits
def test_nothing_is_lost_and_again_gives_the_same(case: Split, settings: Settings, sources: list[Path]) -> None:
    pieces = split(settings, case.engine, sources, case.params)
    assert len(pieces) > 1
    case.check(pieces, sources)
    assert split(settings, case.engine, sources, case.params) == pieces
    assert left_behind(settings) == []


@splits
def test_names_with_spaces_and_other_letters(case: Split, settings: Settings, sources: list[Path]) -> None:
    renamed = [
        path.rename(path.with_name(f"{n} ein Näme 報告 #%41{''.join(path.suffixes)}")) for n, path in enumerate(sources)
    ]
    case.check(split(settings, case.engine, renamed, case.params), renamed)


def _amount(pieces: Sequence[Piece]) -> int:
    """Items, or bytes where there are none."""
    return sum(piece.items or 0 for piece in pieces) or sum(len(piece.data) for piece in pieces)


# The detector of languages takes four seconds a file; but for it, audio_language goes the way of audio_silence.
@pytest.mark.parametrize("case", [case for case in SPLITS if case.write and case.engine != "audio_language"], ids=_id)
def test_many_files_give_as_many_items_without_being_open_at_once(
    case: Split, settings: Settings, sources: list[Path], tmp_path: Path
) -> None:
    once = split(settings, case.engine, sources, case.params)
    copies = [tmp_path / f"{n:02d}_{path.name}" for n in range(MANY) for path in sources]
    for at, copy in enumerate(copies):
        copy.write_bytes(sources[at % len(sources)].read_bytes())
    with few_open_files(MANY // 2):
        pieces = split(settings, case.engine, copies, case.params)
    times = 1 if case.params.get("drop_duplicates") else MANY
    assert _amount(pieces) == times * _amount(once) > 0


@splits
def test_what_is_done_with_leaves_the_scratch_folder(case: Split, settings: Settings, sources: list[Path]) -> None:
    counts = entries_in_scratch(settings, case.engine, sources, case.params)
    assert max(counts) <= counts[0] + len(sources)


@splits
def test_a_bad_parameter_is_refused_by_name(case: Split, settings: Settings, sources: list[Path]) -> None:
    (name,) = case.bad
    with pytest.raises(JobSpecError, match=name):
        split(settings, case.engine, sources, {**case.params, **case.bad})


@pytest.mark.parametrize("case", [case for case in SPLITS if case.one], ids=_id)
def test_one_item_smaller_than_a_chunk_is_one_chunk(case: Split, settings: Settings, tmp_path: Path) -> None:
    assert case.one
    sources = case.one(tmp_path)
    pieces = split(settings, case.engine, sources, case.params)
    assert len(pieces) == 1
    case.check(pieces, sources)


@pytest.mark.parametrize("case", [case for case in SPLITS if case.write], ids=_id)
def test_an_empty_file(case: Split, settings: Settings, sources: list[Path], tmp_path: Path) -> None:
    empty = [tmp_path / f"{n} empty{''.join(path.suffixes)}" for n, path in enumerate(sources)]
    for path in empty:
        path.touch()
    if case.empty == "refused":
        with pytest.raises(SourceError, match="empty"):
            split(settings, case.engine, empty, case.params)
    else:
        pieces = split(settings, case.engine, empty, case.params)
        assert [piece.data for piece in pieces if case.empty == "no chunk" or piece.data] == []
    assert left_behind(settings) == []


@pytest.mark.parametrize("case", [case for case in SPLITS if case.corrupt], ids=_id)
def test_a_corrupt_file_is_named_and_leaves_nothing(case: Split, settings: Settings, tmp_path: Path) -> None:
    assert case.corrupt
    path = case.corrupt(tmp_path)
    with pytest.raises(SourceError, match=case.says) as caught:
        split(settings, case.engine, [path], case.params)
    assert path.name in str(caught.value)
    assert left_behind(settings) == []
    assert list(tmp_path.rglob("plans/*.json")) == []


@pytest.mark.parametrize("case", [case for case in SPLITS if case.grow], ids=_id)
def test_memory_does_not_grow_with_the_input(case: Split, settings: Settings, tmp_path: Path) -> None:
    assert case.grow
    small, large = (peak_mib(case.engine, [case.grow(tmp_path, n)], case.params, settings) for n in (1, 4))
    assert large - small < GROWTH_MIB, f"{small:.0f} MiB, and {large:.0f} MiB with four times the input"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="module")
def bucket(s3: Server) -> Iterator[Any]:
    with s3_client(s3, "engines") as client:
        yield client


@splits
def test_from_a_store_as_from_a_file_as_a_stream(
    case: Split,
    settings: Settings,
    sources: list[Path],
    bucket: Any,
    s3: Server,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ENGINES", s3.connection)
    for path in sources:
        bucket.put_object(Bucket="engines", Key=f"{tmp_path.name}/{path.name}", Body=path.read_bytes())
    there = [{"uri": f"s3://engines/{tmp_path.name}/{path.name}", "conn_id": "engines"} for path in sources]
    found, copies = split_and_copies(settings, case.engine, there, case.params)
    assert all(name.endswith(WHOLE_ONLY) for name in copies)
    assert found == split(settings, case.engine, sources, case.params)


@joins
def test_the_join_is_right_and_again_the_same(case: Join, settings: Settings) -> None:
    found = join(settings, case.engine, case.results(), case.params)
    case.check(found)
    assert join(settings, case.engine, case.results(), case.params) == found
    assert left_behind(settings) == []


@joins
def test_a_bad_parameter_of_an_assembler_is_refused_by_name(case: Join, settings: Settings) -> None:
    (name,) = case.bad
    with pytest.raises(JobSpecError, match=name):
        join(settings, case.engine, case.results(), {**case.params, **case.bad})


@joins
def test_no_result_at_all_is_no_fault(case: Join, settings: Settings) -> None:
    join(settings, case.engine, [], case.params)
    assert left_behind(settings) == []


@pytest.mark.parametrize("case", [case for case in JOINS if case.grow], ids=_id)
def test_memory_does_not_grow_with_the_results(case: Join, settings: Settings) -> None:
    assert case.grow
    small, large = (join_peak_mib(case.engine, case.grow(n), case.params, settings) for n in (1, 4))
    assert large - small < GROWTH_MIB, f"{small:.0f} MiB, and {large:.0f} MiB with four times the results"


@pytest.mark.parametrize("case", [case for case in JOINS if case.corrupt], ids=_id)
def test_a_result_that_cannot_be_read_is_named(case: Join, settings: Settings, tmp_path: Path) -> None:
    assert case.corrupt
    with pytest.raises((EngineError, SourceError), match=case.says):
        join(settings, case.engine, case.corrupt(), case.params)
    assert left_behind(settings) == []
    assert not [path for path in tmp_path.rglob("outputs/**/*") if path.is_file()]

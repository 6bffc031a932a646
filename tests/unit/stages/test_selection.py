"""Which chunks are the job's, and when none is an error."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from triptych.blocks import Block, Platform, Role
from triptych.engines import Chunk
from triptych.errors import EngineError, JobSpecError
from triptych.jobs.sources import SourceEntry
from triptych.stages.selection import Selection, check_work

CHUNKS = [Chunk.of_bytes(bytes([number])) for number in range(3)]
NO_BYTES, BYTES = SourceEntry("file:///a", None, 0, "e"), SourceEntry("file:///b", None, 7, "e")


@pytest.mark.parametrize(
    ("sample", "given", "note"),
    [
        (None, 3, ""),
        (1, 1, "A sample: 1 of at least 2 chunks."),
        (2, 2, "A sample: 2 of at least 3 chunks."),
        (3, 3, ""),
        (4, 3, ""),
    ],
)
def test_a_sample_is_the_first_chunks_and_says_so(sample: int | None, given: int, note: str) -> None:
    selection = Selection(CHUNKS, sample, 10**6)
    assert list(selection) == CHUNKS[:given]
    assert (selection.chunks, selection.note) == (given, note)


def test_a_sample_makes_one_chunk_more_and_no_others() -> None:
    made = iter(CHUNKS)
    list(Selection(made, 1, 10**6))
    assert list(made) == CHUNKS[2:]


def _engine(platform: Platform) -> Block:
    return Block(Role.PARTITIONER, "rows", "1.0", Path("rows"), platform=platform)


@pytest.mark.parametrize("sources", [[BYTES], [NO_BYTES, BYTES], []])
def test_no_chunk_of_bytes_or_of_nothing_is_an_error_unless_allowed(sources: list[SourceEntry]) -> None:
    with pytest.raises(EngineError, match=r"rows@1\.0: made no chunk of .* config\.allowEmpty"):
        check_work(_engine(Platform.PYTHON), sources, 0, allow_empty=False)
    check_work(_engine(Platform.PYTHON), sources, 0, allow_empty=True)
    check_work(_engine(Platform.PYTHON), sources, 1, allow_empty=False)


@pytest.mark.parametrize(
    ("platform", "sources"), [(Platform.PYTHON, [NO_BYTES]), (Platform.DOCKER, [BYTES]), (Platform.DOCKER, [])]
)
def test_no_chunk_of_empty_sources_or_of_a_container_that_ran_well_is_told(
    platform: Platform, sources: list[SourceEntry], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "triptych"):
        check_work(_engine(platform), sources, 0, allow_empty=False)
    assert "Nothing to do: partitioner rows@1.0 made no chunk" in caplog.text


def test_more_chunks_than_are_allowed_end_the_job_before_the_next_is_made() -> None:
    made = iter(CHUNKS)
    with pytest.raises(JobSpecError, match="more than 1 chunks"):
        list(Selection(made, None, 1))
    assert len(list(made)) == len(CHUNKS) - 2

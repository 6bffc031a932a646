"""Which of the chunks that a partitioner makes are the job's, and what is said when these are few, or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from triptych.blocks import Block, Platform
from triptych.engines import Chunk
from triptych.errors import EngineError, JobSpecError
from triptych.harmless import harmless_logger
from triptych.jobs.sources import SourceEntry

_log = harmless_logger(__name__)


class Selection:
    """All of a partitioner's chunks, or the first `sample`; iterate once, then `note` says what was left out.

    JobSpecError, while it is iterated, for more than `most`.
    """

    def __init__(self, made: Iterable[Chunk], sample: int | None, most: int) -> None:
        self._made = made
        self._sample = sample
        self._most = most
        self.chunks = 0
        """So many were given so far."""
        self.is_sample = False
        """Whether there is one more at least, which the job leaves out."""

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._made:
            if self._sample is not None and self.chunks >= self._sample:
                self.is_sample = True
                return
            if self.chunks >= self._most:
                msg = (
                    f"The job has more than {self._most:,} chunks, and that is the most that `max_chunks` of the "
                    "template, or of the settings, allows. Make larger chunks, or try a part with config.sample."
                )
                raise JobSpecError(msg)
            self.chunks += 1
            yield chunk

    @property
    def note(self) -> str:
        """What the log says of the sample: `A sample: 1 of at least 2 chunks.`; empty where all are the job's."""
        return f"A sample: {self.chunks} of at least {self.chunks + 1} chunks." if self.is_sample else ""


def check_work(engine: Block, sources: Sequence[SourceEntry], chunks: int, *, allow_empty: bool) -> None:
    """Judge a job of no chunk: EngineError, unless its sources are empty, or a container partitioner ran well.

    Such a success is told in the log.
    """
    if chunks:
        return
    size = sum(source.size for source in sources)
    what = f"{len(sources)} source(s), {size:,} bytes" if sources else "no source"
    is_strange = bool(size or not sources) and engine.platform is Platform.PYTHON
    if is_strange and not allow_empty:
        msg = (
            f"partitioner {engine.tag}: made no chunk of {what}, so that nothing would run. Check its parameters and "
            "the source, or set config.allowEmpty where that is right."
        )
        raise EngineError(msg)
    _log.warning("Nothing to do: partitioner %s made no chunk of %s.", engine.tag, what)

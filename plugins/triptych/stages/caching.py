"""One attempt's use of the results that earlier jobs of its DAG left: found by what a chunk is, kept for later ones.

A hit's bytes are copied into the job's own results, so that neither the end of that other job nor that of the cache can
lose what this one's log names. Whatever hinders the cache costs a run of the script, and never the job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from triptych.blocks import Block, Role
from triptych.blocks.networks import network_of
from triptych.errors import ChunkError, IntegrityError, StorageError
from triptych.harmless import harmless_logger
from triptych.jobs.cache_key import BYTES, CacheContext, differences
from triptych.jobs.job import PlannedJob
from triptych.jobs.pack_log import Attempted, ResultFile
from triptych.jobs.result_cache import DIGITS, CachedResult, Found, ResultCache, digits_of, written
from triptych.jobs.workspace import ChunkEntry, cache_root
from triptych.running import Session, Unit, Usage
from triptych.settings import Runner, Settings
from triptych.stages.cache_reasons import BROKEN, FIRST, HIT, NO_CACHE, UNREACHABLE, count_hits, misses
from triptych.stages.journal import Keepable, Spool

TOGETHER = "0"
"""The object in which an attempt's small results lie."""
_log = harmless_logger(__name__)


@contextmanager
def opened_cache(job: PlannedJob, app: Block, work: Path, chunks: Sequence[ChunkEntry]) -> Iterator[PackCache | None]:
    """The cache of an attempt at these chunks; None where the app is not cacheable, or nothing is kept here."""
    if not app.cacheable:
        yield None
        return
    reason = refusal(job.settings)
    if reason:
        _log.info("%s is cacheable, and runs on every chunk: %s", app.tag, reason)
        yield None
        return
    if any(chunk.ranges for chunk in chunks):
        _log.info("%s is cacheable: chunks that are ranges of a source are read to know what they hold.", app.tag)
    cache = PackCache(
        ResultCache(job.workspace.store, cache_root(job.settings, job.dag_id), _context(job, app)), job, work
    )
    try:
        yield cache
    finally:
        cache.close()


def refusal(settings: Settings) -> str:
    """Why no result is kept or taken with these settings; empty where nothing is against it."""
    if settings.runner is Runner.PROCESS:
        return "the runner `process` shows a script more than a key can cover."
    if not settings.result_cache_bytes or not settings.result_cache_days:
        return "[triptych] result_cache_gib or result_cache_days is 0."
    return ""


def _context(job: PlannedJob, app: Block) -> CacheContext:
    inputs = {side.name: side.key for side in job.plan.inputs}
    params, network = job.spec.params[Role.APP], network_of(app, job.settings)
    return CacheContext.of(job.plan.blocks[Role.APP], app, params, network, inputs)


@dataclass(frozen=True)
class _Nearest:
    """The kept results that a chunk's is compared with: those of the context that differs in the fewest parts."""

    parts: tuple[str, ...]
    digits: frozenset[str]


class PackCache:
    """What one attempt looks up and keeps. `said` has of each chunk that was looked up a word of `cache_reasons`."""

    def __init__(self, cache: ResultCache, job: PlannedJob, work: Path) -> None:
        self.said: dict[int, str] = {}
        self._cache = cache
        self._job = job
        self._work = work
        self._is_off = False
        self._nearest: _Nearest | None = None
        self._is_compared = False
        self._digests: dict[int, str] = {}
        self._waiting: dict[int, CachedResult] = {}
        self._folders = 0
        self._open_spool()

    def take(
        self, chunk: int, sha256: str, keep: Callable[[Sequence[Keepable]], tuple[ResultFile, ...]]
    ) -> tuple[ResultFile, ...] | None:
        """The result of these bytes as `keep` has kept it; None where there is none, or none that is whole."""
        self._digests[chunk] = sha256
        if self._job.spec.config.get("noCache"):
            self.said[chunk] = NO_CACHE
            return None
        was_broken = False
        for found in self._found(sha256):
            try:
                files = keep(found.files)
            except IntegrityError as error:
                was_broken = True
                _log.warning("Chunk %d is run, what %s left in the cache is of no use: %s", chunk, found.run, error)
                continue
            self.said[chunk] = HIT
            return files
        was_broken = was_broken or self._cache.is_broken(sha256)
        self.said[chunk] = BROKEN if was_broken else self._why(sha256)
        return None

    def hold(self, chunk: int, found: Sequence[Keepable], files: Sequence[ResultFile]) -> None:
        """Hold the result of a chunk, as its script left it and as it was kept, until that counts."""
        if self._is_off:
            return
        held = []
        try:
            for each, file in zip(found, files, strict=True):
                if file.offset is None:
                    held.append(file)
                    continue
                held.append(replace(file, object=TOGETHER, offset=self._spool.size))
                for block in each.blocks():
                    self._spool.write(block)
        except ChunkError:
            return  # It is no longer what it was; what was read of it nobody names.
        self._waiting[chunk] = CachedResult(self._digests[chunk], tuple(held))

    def keep(self, tries: Sequence[Attempted]) -> None:
        """Put the results of these tries, which count now, where later jobs find them."""
        results = [self._waiting[each.chunk] for each in tries if each.chunk in self._waiting]
        self._waiting.clear()
        if not results or self._is_off:
            return
        try:
            self._put(results)
        except StorageError as error:
            self._give_up(error)
            self._spool.close()
        self._open_spool()

    def close(self) -> None:
        """Say what came of the lookups; what nobody counts yet is not kept."""
        self._spool.close()
        if self.said:
            hits = count_hits(self.said)
            _log.info("%d of %d chunk(s) had been run before: their results came from the cache.", hits, len(self.said))
        for line in misses(self.said):
            _log.info("%s", line)

    def _put(self, results: Sequence[CachedResult]) -> None:
        folder = self._cache.new_folder()
        self._spool.object_name = f"{folder}/{TOGETHER}"
        self._spool.store(self._cache.place)
        numbers: dict[str, str] = {}
        for file in (file for result in results for file in result.files if file.offset is None):
            numbers[file.object] = str(len(numbers) + 1)
            self._cache.copy(self._job.workspace.uri(file.object), file.size, f"{folder}/{numbers[file.object]}")
        placed = [
            replace(each, files=tuple(replace(file, object=numbers.get(file.object, TOGETHER)) for file in each.files))
            for each in results
        ]
        self._cache.tell(folder, self._job.workspace.run, placed)

    def _open_spool(self) -> None:
        self._folders += 1
        self._spool = Spool(self._work / f"cache-{self._folders}", "")

    def _found(self, sha256: str) -> Iterator[Found]:
        if self._is_off:
            return
        try:
            yield from self._cache.find(sha256)
        except StorageError as error:
            self._give_up(error)

    def _why(self, sha256: str) -> str:
        try:
            if not self._is_off and not self._is_compared:
                self._nearest, self._is_compared = self._compared(), True
        except StorageError as error:
            self._give_up(error)
        if self._is_off or self._nearest is None:
            return UNREACHABLE if self._is_off else FIRST
        differs = self._nearest.parts
        if not differs or sha256[:DIGITS] not in self._nearest.digits:
            differs += (BYTES,)
        return ", ".join(differs)

    def _compared(self) -> _Nearest | None:
        """Our own context, where something was kept of it before this job began; None where of no other, either."""
        own = self._cache.look()
        if any((written(name.split("/")[2]) or 0.0) < self._job.began for name in own):
            return _Nearest((), frozenset().union(*map(digits_of, own)))
        # The newest are first, and the first of the nearest is taken.
        others = [name for name in self._cache.contexts() if name != self._cache.name]
        if not others:
            return None
        name = min(others, key=lambda other: len(differences(self._cache.name, other)))
        digits = map(digits_of, self._cache.indices(name))
        return _Nearest(differences(self._cache.name, name), frozenset().union(*digits))

    def _give_up(self, error: StorageError) -> None:
        self._is_off = True
        _log.warning("The cache of results is left alone by this attempt: %s", error)


class _WhenNeeded:
    """A session that is opened for its first unit."""

    def __init__(self, stack: ExitStack, opening: AbstractContextManager[Session]) -> None:
        self._stack, self._opening = stack, opening
        self._session: Session | None = None

    def run(self, unit: Unit) -> Usage:
        """As `Session.run`."""
        if self._session is None:
            self._session = self._stack.enter_context(self._opening)
        return self._session.run(unit)


@contextmanager
def when_needed(opening: AbstractContextManager[Session]) -> Iterator[Session]:
    """The session, opened for its first unit: a pack whose results are all kept starts no container."""
    with ExitStack() as stack:
        yield _WhenNeeded(stack, opening)

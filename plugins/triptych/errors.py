"""Every failure Triptych raises on purpose; each kind has an exit code and says whether a retry can help."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from triptych.harmless import harmless


class TriptychError(Exception):
    """Base of all. The message names the place, what is wrong, and what to do next."""

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __str__(self) -> str:
        """The message: what logs and tracebacks, Airflow's too, show of the error."""
        return harmless(super().__str__())


class UnexpectedOutputError(TriptychError):
    """An app's output is not what its test expects, or the job of the test failed."""

    exit_code = 1


class ConfigError(TriptychError):
    """A setting in `[triptych]` is missing or wrong."""

    exit_code = 2


class ManifestError(TriptychError):
    """A building block or template cannot be used; `diagnostics` has one line for each reason."""

    exit_code = 3

    def __init__(self, diagnostics: str | Sequence[str]) -> None:
        self.diagnostics = [diagnostics] if isinstance(diagnostics, str) else list(diagnostics)
        super().__init__("\n".join(self.diagnostics))


class JobSpecError(TriptychError):
    """The job spec (parameters, source, destination, config) is not valid."""

    exit_code = 4


class SourceError(TriptychError):
    """A source is missing, changed, refused or malformed."""

    exit_code = 5


class StorageError(TriptychError, OSError):
    """A store did not do what was asked; trying again may help."""

    exit_code = 6
    retryable = True


class ObjectNotFoundError(StorageError, FileNotFoundError):
    """There is no object at this URI."""

    retryable = False


class StorageAccessError(StorageError, PermissionError):
    """The store, or our own allow list, refuses this URI."""

    retryable = False


class ObjectConflictError(StorageError):
    """Another object is where one was to be created or replaced."""

    retryable = False


class UnsupportedError(StorageError):
    """A store has not what a request of ours needs."""

    retryable = False


class EngineError(TriptychError):
    """A partitioner or an assembler failed on valid parameters."""

    exit_code = 7


class ChunkError(TriptychError):
    """The app failed on a chunk: a retry may help (the machine), or not (the script)."""

    exit_code = 8
    retryable = True


class VerdictError(ChunkError):
    """More chunks failed than the job tolerates, or one has no try left: only a repair helps.

    `verdict` says which chunks; the message goes on with `reasons`, the errors of some of them.
    """

    retryable = False

    def __init__(self, verdict: str, reasons: Iterable[str] = ()) -> None:
        self.verdict = verdict
        self.reasons = tuple(reasons)
        super().__init__("\n".join([verdict, *self.reasons]))


class ContainerError(TriptychError):
    """The container engine cannot be reached or refused a request."""

    exit_code = 9
    retryable = True


class ImageError(ContainerError):
    """An image cannot be had, or an app cannot run in it."""

    retryable = False


class MissingImageError(ImageError):
    """An image is neither on this engine nor can it be pulled; on another worker's it may be."""


class CapacityError(ContainerError):
    """A block needs more cores, memory or GPUs than the container engine has."""

    retryable = False


class IntegrityError(TriptychError):
    """Bytes differ from what was committed: size, SHA-256 or code digest."""

    exit_code = 10


class DestinationError(TriptychError):
    """The destination holds files that the job may not replace."""

    exit_code = 11


class VersionError(TriptychError):
    """A workspace or a plan is of another version than this worker's; one of that version can go on."""

    exit_code = 12
    retryable = True


class TimeLimitError(TriptychError):
    """The job ran longer than its `jobTimeout`."""

    exit_code = 13


class UnfinishedRunError(TriptychError):
    """A run that is to be repaired has tasks that run, or will."""

    exit_code = 14
    retryable = True


class JobFailedError(TriptychError):
    """A job that was watched has ended without an output: it failed before its chunks, or after, or was stopped."""

    exit_code = 15

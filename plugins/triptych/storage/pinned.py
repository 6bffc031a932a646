"""Reading one version of an object from a store whose answers may break off."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from triptych.errors import StorageError
from triptych.storage.base import TransferLimits
from triptych.storage.parallel import read_ahead


class Body(Protocol):
    """What is still to be read of an answer."""

    def blocks(self) -> Iterator[bytes]:
        """In order; one of `PinnedReads.breaks` where it breaks off."""

    def close(self) -> None:
        """Leave the rest unread."""


AnyBody = TypeVar("AnyBody", bound=Body)


@dataclass(frozen=True)
class Answer(Generic[AnyBody]):
    """An answer whose body has the bytes from `begin` to `end` of the object."""

    body: AnyBody
    begin: int
    end: int


class PinnedReads(ABC, Generic[AnyBody]):
    """Requests for one version of an object: that of the first answer, unless another was wanted from the start."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    @property
    @abstractmethod
    def breaks(self) -> tuple[type[Exception], ...]:
        """What the client raises where an answer breaks off."""

    @abstractmethod
    def ask(self, begin: int, end: int | None) -> Answer[AnyBody] | None:
        """An answer with the bytes from `begin` to `end`, or to the last one; None where the object ends before."""

    def read(self, first: Answer[AnyBody], limits: TransferLimits) -> Iterator[bytes]:
        """All that the first answer has; of a large object several parts come at once."""
        return read_ahead(self._gone_on(first), first.begin, first.end, self._part, limits)

    def _gone_on(self, answer: Answer[AnyBody]) -> Iterator[bytes]:
        """All that an answer has, by more of them where it breaks off, as long as each brings some."""
        position = answer.begin
        while True:
            try:
                for block in answer.body.blocks():
                    position += len(block)
                    yield block
            except self.breaks:
                if position == answer.begin:
                    raise
            else:
                break
            finally:
                answer.body.close()
            rest = self.ask(position, answer.end) if position < answer.end else None
            if rest is None:
                break
            answer = rest
        if position != answer.end:
            msg = f"{self.uri}: the answer was cut short: it ended at byte {position} of {answer.end}."
            raise StorageError(msg)

    def _part(self, offset: int, length: int) -> Iterator[bytes]:
        """So many bytes from `offset`; StorageError where they are not there."""
        answer = self.ask(offset, offset + length)
        if answer is None or answer.end != offset + length:
            msg = f"{self.uri}: ends before byte {offset + length}, unlike it said."
            raise StorageError(msg)
        return self._gone_on(answer)

"""One object in parts, some in flight at once; what the store has already, it copies into parts by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain

from triptych.errors import StorageError
from triptych.harmless import harmless_logger
from triptych.storage.base import StagedObject, TransferLimits
from triptych.storage.parallel import PartBuffer, PartSender, growing_part_bytes

LEAST_COPIED_BYTES = 5 << 20
"""As Amazon wants it of a part behind which others come; a smaller copy were not worth a request anywhere."""
_log = harmless_logger(__name__)


class PartedUpload(ABC):
    """A stream of one object, which is nothing yet where no part was sent."""

    staged: StagedObject

    def __init__(self, limits: TransferLimits, most_parts: int, least_bytes: int, copy_bytes: int) -> None:
        """`most_parts` at most, of `least_bytes` but for the last one; copied by the store in those of `copy_bytes`, or
        somewhat more.
        """
        self._limits, self._most_parts = limits, most_parts
        self._least_bytes, self._copy_bytes = least_bytes, copy_bytes
        self._buffer = PartBuffer()
        self._size = 0
        self._parts: PartSender[str] = PartSender(limits)
        self._copies: bool | None = None
        """Whether the store copies, once it was asked."""

    @abstractmethod
    def _send_part(self, number: int, data: bytes) -> str:
        """Send the part of this number, from 1; what names it to the store when all are put together."""

    @abstractmethod
    def _copy_part(self, number: int, source: str, begin: int, end: int) -> str:
        """Have the store copy these bytes of an object into it; StorageError where it does not."""

    def write(self, data: bytes, /) -> int:
        """Keep the bytes until they are a part; a full part is sent, and waited for when too many are under way."""
        self._buffer.add(data)
        self._size += len(data)
        while self._buffer.held >= self._part_bytes:
            self._send(self._part_bytes)
        return len(data)

    def copy(self, source: str, begin: int, end: int, blocks: Iterable[bytes]) -> None:
        """As `Stage.copy`; the first of the bytes are sent where the part before them is too small."""
        held = self._buffer.held
        sent = max(0, self._growing(self._least_bytes) - held) if held else 0
        if end - begin - sent < self._growing(LEAST_COPIED_BYTES):
            sent = end - begin
        rest = self._write_first(sent, iter(blocks))
        if begin + sent < end and self.copied(source, begin + sent, end):
            for _ in rest:
                pass  # Who made them wants all to be read.
        else:
            for block in rest:
                self.write(block)

    def copied(self, source: str, begin: int, end: int) -> bool:
        """Have the store copy these bytes behind all that was written; False where it does not.

        Whether it does, the first part tells, which is waited for.
        """
        if begin == end or self._copies is False:
            return begin == end
        if self._buffer.held:
            self._send(self._buffer.held)
        position = begin
        if self._copies is None:
            position = begin + LEAST_COPIED_BYTES if end - begin >= 2 * LEAST_COPIED_BYTES else end
            if not self._is_first_copied(source, begin, position):
                return False
        self._size += end - begin
        count = max(1, min((end - position) // self._copy_bytes, self._most_parts - self._parts.count - 1))
        step = max(1, -(-(end - position) // count))
        for start in range(position, end, step):
            part = partial(self._copy_part, self._parts.count + 1, source, start, min(start + step, end))
            self._parts.send(part, 0)
        return True

    def _is_first_copied(self, source: str, begin: int, end: int) -> bool:
        try:
            made = self._copy_part(self._parts.count + 1, source, begin, end)
        except StorageError as error:
            _log.info("%s is read and sent: the store does not copy it. %s", source, error)
            self._copies = False
            return False
        self._copies = True
        self._parts.send(lambda: made, 0)
        return True

    def _write_first(self, count: int, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Write so many of the bytes; what is behind them."""
        behind = b""
        while count > 0 and (block := next(blocks, None)) is not None:
            self.write(block[:count])
            behind, count = block[count:], count - len(block)
        return chain([behind] if behind else [], blocks)

    def _send(self, count: int) -> None:
        """Begin with a part of the first so many bytes that are held."""
        self._parts.send(partial(self._send_part, self._parts.count + 1, self._buffer.take(count)), count)

    @property
    def _part_bytes(self) -> int:
        return self._growing(self._limits.part_bytes)

    def _growing(self, part_bytes: int) -> int:
        return growing_part_bytes(part_bytes, self._parts.count, self._most_parts)

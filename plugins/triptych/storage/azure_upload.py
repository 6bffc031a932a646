"""The blocks of one blob: some in flight at once, unseen until they are committed, now or by another process."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from triptych.storage.base import StagedObject, TransferLimits
from triptych.storage.parallel import PartBuffer, PartSender, growing_part_bytes

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

MOST_BLOCKS = 50_000
CHECKED: Literal["md5"] = "md5"
"""The client sends this digest with the bytes, and Azure refuses them when it is not theirs. For CRC64 the client wants
another package of Microsoft's, which not every platform has."""
_ID = re.compile(r"triptych-([0-9a-f]{16})-[0-9]{6}")


class Upload:
    """A stream of one blob as blocks whose ids begin with a token of this upload's own."""

    staged: StagedObject

    def __init__(self, blob: BlobClient, limits: TransferLimits) -> None:
        """`blob` is the client's BlobClient."""
        self.handle = secrets.token_hex(8)
        self._blob, self._limits = blob, limits
        self._buffer = PartBuffer()
        self._size = 0
        self._blocks: PartSender[str] = PartSender(limits)

    def write(self, data: bytes, /) -> int:
        """Keep the bytes until they are a block; a full one is sent, and waited for when too many are under way."""
        self._buffer.add(data)
        self._size += len(data)
        while self._buffer.held >= self._block_bytes:
            self._send_block(self._block_bytes)
        return len(data)

    def copy(self, url: str, size: int, part_bytes: int, authorization: str | None) -> None:
        """Have the server copy the bytes of a blob that this URL reads; larger parts where they would be too many."""
        part_bytes = max(part_bytes, -(-size // MOST_BLOCKS))
        for start in range(0, size, part_bytes):
            length = min(part_bytes, size - start)
            self._send(partial(self._stage_from, url, start, length, authorization), 0)
        self._size += size

    def finish(self) -> None:
        """Send the rest and make the blob visible; a small one is one put."""
        if not self._blocks.count:
            data = self._buffer.take(self._buffer.held)
            self._blob.upload_blob(data, overwrite=True, validate_content=CHECKED)
            return
        staged = self.pause("")
        commit(self._blob, staged.parts, {})

    def pause(self, uri: str) -> StagedObject:
        """Send the rest and wait for all blocks; any process can commit them."""
        if self._buffer.held:
            self._send_block(self._buffer.held)
        ids = tuple(self._blocks.all_sent())
        self.close()
        return StagedObject(uri, self._size, self.handle, None, ids)

    def close(self) -> None:
        """Send nothing more. Blocks that were sent are seen by nobody: Azure removes them, within a week."""
        self._blocks.close()

    @property
    def _block_bytes(self) -> int:
        return growing_part_bytes(self._limits.part_bytes, self._blocks.count, MOST_BLOCKS)

    def _stage(self, block: bytes, name: str) -> str:
        self._blob.stage_block(name, block, len(block), validate_content=CHECKED)
        return name

    def _stage_from(self, url: str, start: int, length: int, authorization: str | None, name: str) -> str:
        self._blob.stage_block_from_url(name, url, start, length, source_authorization=authorization)
        return name

    def _send_block(self, size: int) -> None:
        self._send(partial(self._stage, self._buffer.take(size)), size)

    def _send(self, stage: Callable[[str], str], size: int) -> None:
        """`size` is that of what is in memory."""
        self._blocks.send(partial(stage, f"triptych-{self.handle}-{self._blocks.count:06d}"), size)


def commit(blob: BlobClient, ids: Sequence[str], condition: dict[str, Any]) -> str:
    """Make a blob of these blocks and drop what else waits there; its etag.

    Those of them that the blob has already count, too: the client asks again when the answer was lost.
    """
    from azure.storage.blob import BlobBlock, BlockState

    blocks = [BlobBlock(name, BlockState.LATEST) for name in ids]
    return str(blob.commit_block_list(blocks, **condition)["etag"]).strip('"')


def handle_of(block_id: str) -> str | None:
    """The handle of the upload that a waiting block is of; None for another program's."""
    found = _ID.fullmatch(block_id)
    return found and found[1]

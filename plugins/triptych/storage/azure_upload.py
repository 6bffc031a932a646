"""The blocks of one blob: some in flight at once, unseen until they are committed, now or by another process."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from triptych.storage.azure_requests import map_errors
from triptych.storage.base import StagedObject, TransferLimits
from triptych.storage.parted import PartedUpload

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

MOST_BLOCKS = 50_000
COPY_BYTES = 256 << 20
"""The server copies blocks of this size or somewhat more, of which it takes up to 4,000 MiB."""
CHECKED: Literal["md5"] = "md5"
"""The client sends this digest with the bytes, and Azure refuses them when it is not theirs. For CRC64 the client wants
another package of Microsoft's, which not every platform has."""
_ID = re.compile(r"triptych-([0-9a-f]{16})-[0-9]{6}")


class Upload(PartedUpload):
    """A stream of one blob as blocks whose ids begin with a token of this upload's own."""

    def __init__(
        self, blob: BlobClient, limits: TransferLimits, readable: Callable[[str], tuple[str, str | None]]
    ) -> None:
        """`readable` tells of a blob by its URI from where the server may read it, and with which authorization."""
        super().__init__(limits, MOST_BLOCKS, 0, COPY_BYTES)
        self.handle = secrets.token_hex(8)
        self._blob, self._readable = blob, readable

    def finish(self) -> None:
        """Send the rest and make the blob visible; a small one is one put."""
        if not self._parts.count:
            data = self._buffer.take(self._buffer.held)
            self._blob.upload_blob(data, overwrite=True, validate_content=CHECKED)
            return
        staged = self.pause("")
        commit(self._blob, staged.parts, {})

    def pause(self, uri: str) -> StagedObject:
        """Send the rest and wait for all blocks; any process can commit them."""
        if self._buffer.held:
            self._send(self._buffer.held)
        ids = tuple(self._parts.all_sent())
        self.close()
        return StagedObject(uri, self._size, self.handle, None, ids)

    def close(self) -> None:
        """Send nothing more. Blocks that were sent are seen by nobody: Azure removes them, within a week."""
        self._parts.close()

    def _send_part(self, number: int, data: bytes) -> str:
        name = self._name(number)
        self._blob.stage_block(name, data, len(data), validate_content=CHECKED)
        return name

    def _copy_part(self, number: int, source: str, begin: int, end: int) -> str:
        name = self._name(number)
        with map_errors(source):
            url, authorization = self._readable(source)
            self._blob.stage_block_from_url(name, url, begin, end - begin, source_authorization=authorization)
        return name

    def _name(self, number: int) -> str:
        return f"triptych-{self.handle}-{number:06d}"


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

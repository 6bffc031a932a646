"""A block's code in the workspace: put there by its digest, and unpacked from there to be run."""

from __future__ import annotations

from pathlib import Path

from triptych.blocks import Block
from triptych.jobs.code import MOST_TAR_BYTES, freeze_code, thaw_code
from triptych.jobs.plan import FrozenBlock, code_name
from triptych.jobs.workspace import Workspace
from triptych.storage.base import bounded
from triptych.storage.copying import checked, copy_stream, file_blocks, save


def store_code(workspace: Workspace, block: Block, image_digest: str | None, work: Path) -> FrozenBlock:
    """Put the block's archive into the workspace; what the plan says of it. `work` is the attempt's own folder."""
    archive = work / f"{block.role}.tar"
    sha256 = freeze_code(block, archive)
    copy_stream(file_blocks(archive), workspace.store, workspace.uri(code_name(sha256)))
    archive.unlink()
    return FrozenBlock(
        block.tag, sha256, block.image, image_digest, block.min_cpu, block.min_memory_gib, block.parallel
    )


def open_code(workspace: Workspace, frozen: FrozenBlock, work: Path) -> Block:
    """The block as it was frozen, in a folder of its own below `work`; IntegrityError when its archive is another."""
    archive = work / f"{frozen.sha256}.tar"
    uri = workspace.uri(frozen.code)
    stored = bounded(workspace.store.stream(uri), MOST_TAR_BYTES, uri)
    save(checked(stored, None, frozen.sha256, uri), archive)
    block = thaw_code(archive, work / "code" / frozen.sha256)
    archive.unlink()
    return block

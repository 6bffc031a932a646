"""A block's code as one number, so that a running job notices when it changes."""

from __future__ import annotations

import hashlib
from pathlib import Path

from triptych.blocks.model import Block


def code_digest(block: Block) -> str:
    """SHA-256 over names and contents below `app/`, in order of name; caches left out."""
    digest = hashlib.sha256()
    for path in sorted(block.code.rglob("*")):
        if path.is_file() and not _is_cache(path):
            digest.update(path.relative_to(block.code).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _is_cache(path: Path) -> bool:
    return path.suffix == ".pyc" or "__pycache__" in path.parts

"""Names a restriction of ours where a script's last words say that it met it."""

from __future__ import annotations

from collections.abc import Iterable

from triptych.blocks import Block

_READ_ONLY = ("Read-only file system", "EROFS")


def restriction(block: Block, last_lines: Iterable[str]) -> str:
    """A sentence for the error, with a space before it; empty where none of our restrictions is in the lines."""
    text = "\n".join(last_lines)
    if any(word in text for word in _READ_ONLY):
        if block.writable_root:
            return " Its code in app/ is read-only: write to HOME or /tmp."
        return (
            " The image's files are read-only, and so is its code in app/: write to HOME or /tmp, or, where the image "
            'itself must write to its own folders, say "writable_root": true in its manifest.'
        )
    return ""

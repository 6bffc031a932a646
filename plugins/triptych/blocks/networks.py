"""Which network a block's containers may have: what the operator lists."""

from __future__ import annotations

from collections.abc import Iterable

from triptych.blocks.model import Block, Diagnostic
from triptych.errors import ManifestError
from triptych.settings import Settings

NONE = "none"


def network_of(block: Block, settings: Settings) -> str:
    """The network of the block's containers; ManifestError for one that no operator listed."""
    for unlisted in unlisted_networks([block], settings):
        msg = f"{unlisted.path}: {unlisted.location}: {unlisted.message}"
        raise ManifestError(msg)
    return block.network or settings.network


def unlisted_networks(blocks: Iterable[Block], settings: Settings) -> list[Diagnostic]:
    """Of each block whose network no setting lists here, what is wrong; elsewhere an operator may have listed it."""
    listed = tuple(dict.fromkeys((NONE, settings.network, *settings.allowed_networks)))
    return [
        Diagnostic(
            block.folder / "manifest.json",
            "$.platform_config.network",
            f"the network {block.network!r} is none that apps may have here ({', '.join(listed)}). An operator can "
            "list it in [triptych] allowed_networks.",
        )
        for block in blocks
        if block.network and block.network not in listed
    ]

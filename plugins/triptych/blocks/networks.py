"""Which network a block's containers may have: what the operator lists."""

from __future__ import annotations

from triptych.blocks.model import Block
from triptych.errors import ManifestError
from triptych.settings import Settings

NONE = "none"


def network_of(block: Block, settings: Settings) -> str:
    """The network of the block's containers; ManifestError for one that no operator listed."""
    network = block.network or settings.network
    if network not in (NONE, settings.network, *settings.allowed_networks):
        listed = ", ".join(dict.fromkeys((NONE, settings.network, *settings.allowed_networks)))
        msg = (
            f"{block.folder / 'manifest.json'}: $.platform_config.network: the network {network!r} is none that "
            f"apps may have here ({listed}). An operator can list it in [triptych] allowed_networks."
        )
        raise ManifestError(msg)
    return network

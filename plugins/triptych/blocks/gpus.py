"""What a manifest asks of GPUs: so many, those of some ids, or one of some products."""

from __future__ import annotations

import re

from triptych.blocks.model import Block

_ID = re.compile(r"(MIG-)?(GPU-|(?<=MIG-))[0-9A-Fa-f/-]+|[0-9]+(:[0-9]+)?|[^\s/=]+/[^\s/=]+=\S+", re.ASCII)
"""`GPU-3faa8319-...`, `MIG-...`, an index (of a MIG device `0:1`), or a name of the Container Device Interface."""
_VENDOR = "nvidia "
"""Drivers before 2021 said `A100-SXM4-40GB`, those since `NVIDIA A100-SXM4-40GB`."""


def is_gpu_id(text: str) -> bool:
    """Whether it is one device's id; if not, it is a product's name."""
    return _ID.fullmatch(text) is not None


def product_names(block: Block) -> tuple[str, ...]:
    """Those of which the block takes any; none where it asks by number or by ids."""
    return block.gpu if isinstance(block.gpu, tuple) and block.gpu and not is_gpu_id(block.gpu[0]) else ()


def gpu_count(block: Block) -> int:
    """How many devices one container of the block has: one where products are named."""
    if isinstance(block.gpu, tuple):
        return 1 if product_names(block) else len(block.gpu)
    return block.gpu or 0


def is_product(wanted: str, product: str) -> bool:
    """Whether a device of this product will do where `wanted` is asked for: in any case, with or without `NVIDIA`.

    A name is met by those that go on after it with another word: `NVIDIA A100` by `NVIDIA A100-SXM4-80GB`, `nvidia l4`
    by `NVIDIA L4`, and not by `NVIDIA L40S`.
    """
    asked, found = _plain(wanted), _plain(product)
    return bool(asked) and found.startswith(asked) and not found[len(asked) : len(asked) + 1].isalnum()


def _plain(name: str) -> str:
    return " ".join(name.lower().split()).removeprefix(_VENDOR)

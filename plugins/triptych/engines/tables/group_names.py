"""What the chunk of each label is called, and what it tells."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from triptych.engines.tables.group_labels import Labels

LabelMetadata: TypeAlias = Callable[[str], Mapping[str, Any]]
"""The metadata of a label's chunk."""


def named_labels(labels: Labels, format: str, metadata: LabelMetadata) -> Iterator[tuple[str, dict[str, Any]]]:
    """File name and metadata of each label's chunk; the last one's counts the records that were dropped, if any."""
    names = labels.names
    for number, label in enumerate(names):
        dropped = {"dropped": labels.dropped} if labels.dropped and number == len(names) - 1 else {}
        yield _file_name(label, format), {**metadata(label), **dropped}


def _file_name(label: str, format: str) -> str:
    """The label with what a file's name cannot hold in percent signs, and the format's extension."""
    return re.sub(r"[/\x00-\x1f%]", lambda match: f"%{ord(match[0]):02X}", label) + f".{format}"

"""BAM as SAM, record by record, by pysam (htslib): the text that every reader of tables knows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pysam

from triptych.engines.api import Input
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.unpacking import DENSE_TIMES, Expansion, unpack_into

BLOCK_RECORDS = 1000
_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
"""The empty block that a whole BAM file ends with (SAMv1, 4.1.2)."""


def as_sam(item: Input) -> Path:
    """A scratch file with its header and its records. Raises the item's error for a file that is damaged or cut off."""
    with item.open() as data:
        data.seek(max(0, item.size - len(_END)))
        if data.read() != _END:
            text = "is cut off: the empty block is missing that BAM ends with. Copy it again."
            raise item.error(text)
    return unpack_into(resources().new_folder() / "records.sam", _blocks(item))


def _blocks(item: Input) -> Iterator[bytes]:
    expansion, path = Expansion(item, DENSE_TIMES), item.local_path()
    pysam.set_verbosity(0)
    try:
        with pysam.AlignmentFile(str(path), "rb", check_sq=False) as file:
            yield str(file.header).encode()
            records = file.fetch(until_eof=True)
            while lines := [f"{record.to_string()}\n" for record in islice(records, BLOCK_RECORDS)]:
                block = "".join(lines).encode()
                expansion.add(len(block))
                yield block
    except (OSError, ValueError) as error:
        text = "cannot be read as BAM. Check it by samtools quickcheck, and write it anew."
        raise item.error(text) from error

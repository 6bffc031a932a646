"""Feather, which is an Arrow IPC file, as Parquet: batch by batch, each bounded before it is read.

pyarrow reads a batch whole, and unpacks what is packed in it, before it tells how large it is. So the few numbers that
say so are read first, from the flatbuffers of the messages (Arrow's format/Message.fbs and File.fbs).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from triptych.engines.api import Input
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.unpacking import DENSE_TIMES, Expansion
from triptych.errors import TriptychError

_BATCH_SHARE = 1 / 4
_ADVICE = "Write it in smaller batches, or as Parquet."
_FIRST = 8
"""Where the first message is: behind ARROW1 and two zeros."""
_CONTINUED = 0xFFFFFFFF
_DICTIONARY, _RECORDS = 2, 3
"""Of MessageHeader."""
_WRITTEN_ROWS = 10_000


class _NoArrowError(ValueError):
    """The messages are not as the format has them."""


def as_parquet(item: Input) -> Path:
    """A scratch file with the same rows and types. Raises the item's error for a file that is damaged or too large."""
    path = resources().new_folder() / "table.parquet"
    try:
        with item.open() as data:
            _check(item, data)
            data.seek(0)
            reader = pa.ipc.open_file(pa.PythonFile(data, mode="r"))
            _check_types(item, reader.schema)
            with pq.ParquetWriter(path, reader.schema) as out:
                for number in range(reader.num_record_batches):
                    out.write_batch(reader.get_batch(number), row_group_size=_WRITTEN_ROWS)
    except TriptychError:
        raise
    except (pa.ArrowException, _NoArrowError, struct.error, OSError, ValueError, IndexError) as error:
        text = "cannot be read as an Arrow file, which Feather is. Write it anew, or as Parquet."
        raise item.error(text) from error
    return path


def _check_types(item: Input, schema: pa.Schema) -> None:
    for field in schema:
        try:
            pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([field])).close()
        except pa.ArrowException as error:
            text = f"the column {field.name!r} is of the type {field.type}, which Parquet does not have. Convert it."
            raise item.error(text) from error


def _check(item: Input, data: BinaryIO) -> None:
    """Raises the item's error for a batch, or dictionaries together, beyond the memory."""
    expansion, dictionaries = Expansion(item, DENSE_TIMES), 0
    for number, (kind, size) in enumerate(_messages(item, data)):
        if kind not in (_DICTIONARY, _RECORDS):
            continue
        expansion.add(size)
        dictionaries += size if kind == _DICTIONARY else 0
        share = resources().share(_BATCH_SHARE, f"message {number} in it, which is read whole,")
        share.check(dictionaries if kind == _DICTIONARY else size, item, _ADVICE)


def _messages(item: Input, data: BinaryIO) -> Iterator[tuple[int, int]]:
    """The kind of each message in front of the footer, and the bytes of its values once they are unpacked."""
    position = _FIRST
    while position < item.size:
        data.seek(position)
        mark, length = struct.unpack("<II", data.read(8))
        if mark != _CONTINUED:
            raise _NoArrowError
        if not length:
            return
        resources().share(1 / 32, "the description of a batch in it").check(length, item, _ADVICE)
        message = data.read(length)
        body = position + 8 + length
        table = _table(message, 0)
        kind = message[table + at] if (at := _field(message, table, 1)) else 0
        size = struct.unpack_from("<q", message, table + at)[0] if (at := _field(message, table, 3)) else 0
        if size < 0 or body + size > item.size:
            raise _NoArrowError
        yield kind, _unpacked_size(message, table, kind, data, body, size)
        position = body + size


def _unpacked_size(message: bytes, table: int, kind: int, data: BinaryIO, body: int, size: int) -> int:
    """Of all buffers of a batch; each that is packed begins with its size, or -1 where it is not."""
    if kind not in (_DICTIONARY, _RECORDS):
        return 0
    batch = _inner(message, table, 2)
    if kind == _DICTIONARY:
        batch = _inner(message, batch, 1)
    if not _field(message, batch, 3):
        return size
    whole, buffers = 0, _inner(message, batch, 2)
    (count,) = struct.unpack_from("<I", message, buffers)
    for number in range(count):
        offset, length = struct.unpack_from("<qq", message, buffers + 4 + 16 * number)
        if length >= 8:
            data.seek(body + offset)
            (stated,) = struct.unpack("<q", data.read(8))
            whole += length if stated < 0 else stated
    return whole


def _table(data: bytes, at: int) -> int:
    """Where the table, or the vector, begins that the 4 bytes there point to."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _field(data: bytes, table: int, number: int) -> int:
    """Where a field is, from its table's beginning; 0 where the table has none such."""
    described = table - int(struct.unpack_from("<i", data, table)[0])
    if described < 0 or 4 + 2 * number >= struct.unpack_from("<H", data, described)[0]:
        return 0
    return int(struct.unpack_from("<H", data, described + 4 + 2 * number)[0])


def _inner(data: bytes, table: int, number: int) -> int:
    """Where the table, or the vector, of a field begins."""
    if not (at := _field(data, table, number)):
        raise _NoArrowError
    return _table(data, table + at)

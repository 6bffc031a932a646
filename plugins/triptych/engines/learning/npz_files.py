"""Models as NumPy's .npz: a zip of one .npy file for each array. Pickled objects are never read."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from triptych.engines.api import Input, Output
from triptych.engines.archives.members import write_zip
from triptych.engines.archives.zips import entry_blocks, open_zip
from triptych.engines.learning.tensors import Tensor, Values
from triptych.engines.runtime.resources import resources
from triptych.engines.streams.file_objects import BlockReader
from triptych.engines.streams.unpacking import Expansion, unpack_into

ENDING = ".npy"
_WHOLE_SHARE = 1 / 4
"""Of the engine's memory, for an array in Fortran's order: it is held as it is and turned."""
_MOST_HEADER_BYTES = 10_000
"""As many as NumPy reads of one that nobody vouches for."""


@dataclass(frozen=True)
class _Lies:
    """In which file of the zip an array lies, behind how many bytes of header, and whether in Fortran's order."""

    entry: str
    header: int
    is_fortran: bool


@dataclass(frozen=True)
class NpzFile:
    """A model; `_unpacked` is the array whose values are being asked for, as a scratch file."""

    item: Input
    tensors: Mapping[str, Tensor]
    method: int
    """How its files are packed."""
    _lies: Mapping[str, _Lies]
    _unpacked: dict[str, Path] = field(default_factory=dict)

    def values(self, name: str, start: int, count: int) -> Values:
        """As `TensorFile.values`. What is not asked for at once is unpacked to a scratch file, until the next is."""
        tensor, lies = self.tensors[name], self._lies[name]
        if name not in self._unpacked:
            for path in self._unpacked.values():
                path.unlink()
            self._unpacked.clear()
        if count == tensor.count and not lies.is_fortran:
            data = b"".join(self._blocks(lies))
            return np.frombuffer(data, tensor.dtype)
        if name not in self._unpacked:
            self._unpacked[name] = unpack_into(self._path(), self._in_order(tensor, lies))
        with self._unpacked[name].open("rb") as file:
            file.seek(start * tensor.dtype.itemsize)
            return np.frombuffer(file.read(count * tensor.dtype.itemsize), tensor.dtype)

    def _path(self) -> Path:
        return resources().new_folder() / "values"

    def _in_order(self, tensor: Tensor, lies: _Lies) -> Iterator[bytes]:
        """The bytes of the values in C's order."""
        if not lies.is_fortran:
            yield from self._blocks(lies)
            return
        whole = resources().share(_WHOLE_SHARE, f"{tensor.name!r}, which is in Fortran's order,")
        whole.check(2 * tensor.size, self.item, "Save it by numpy.ascontiguousarray.")
        data = np.frombuffer(b"".join(self._blocks(lies)), tensor.dtype)
        yield data.reshape(tensor.shape, order="F").tobytes(order="C")

    def _blocks(self, lies: _Lies) -> Iterator[bytes]:
        """What is behind the header."""
        with _opened(self.item) as archive:
            left = lies.header
            for block in entry_blocks(archive, archive.getinfo(lies.entry), self.item):
                yield block[left:]
                left = max(0, left - len(block))


@contextmanager
def _opened(item: Input) -> Iterator[zipfile.ZipFile]:
    with item.local_path().open("rb") as data, open_zip(item, data, "npz") as archive:
        yield archive


def read_npz(item: Input) -> NpzFile:
    """Reads the headers of its arrays. Raises the item's error for a file that is none, or one of pickled objects."""
    tensors: dict[str, Tensor] = {}
    lies: dict[str, _Lies] = {}
    expansion = Expansion(item)
    with _opened(item) as archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(ENDING):
                text = f"{entry.filename!r} in it is no array. Write the file by numpy.savez."
                raise item.error(text)
            name = entry.filename.removesuffix(ENDING)
            if name in tensors:
                text = f"two arrays in it are called {name!r}. Write it by numpy.savez."
                raise item.error(text)
            expansion.add(entry.file_size, entry.filename)
            reader = io.BufferedReader(BlockReader(entry_blocks(archive, entry, item)))
            head = io.BytesIO(reader.read(2 * _MOST_HEADER_BYTES))
            tensors[name], lies[name] = _header(item, name, entry, head)
        methods = {entry.compress_type for entry in archive.infolist()}
    method = zipfile.ZIP_STORED if methods == {zipfile.ZIP_STORED} else zipfile.ZIP_DEFLATED
    return NpzFile(item, tensors, method, lies)


def _header(item: Input, name: str, entry: zipfile.ZipInfo, data: BinaryIO) -> tuple[Tensor, _Lies]:
    try:
        version = np.lib.format.read_magic(data)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(data, max_header_size=_MOST_HEADER_BYTES)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
        text = f"{name!r} in it cannot be read as an array of NumPy. Write the file by numpy.savez."
        raise item.error(text) from error
    if dtype.hasobject:
        text = f"{name!r} in it is of pickled objects, which are never read. Save plain numbers or texts."
        raise item.error(text)
    if dtype.names is not None or dtype.subdtype is not None:
        text = f"{name!r} in it has fields. Save each as an array of its own."
        raise item.error(text)
    tensor, header = Tensor(name, dtype, shape), data.tell()
    if entry.file_size != header + tensor.size:
        text = f"{name!r} in it has {entry.file_size - header} bytes of values, and its shape asks for {tensor.size}."
        msg = f"{text} Write it anew."
        raise item.error(msg)
    return tensor, _Lies(entry.filename, header, is_fortran and len(shape) > 1)


def write_npz(
    output: Output, name: str, files: Sequence[NpzFile], values: Iterable[tuple[Tensor, Iterator[Values]]]
) -> None:
    """One file of these arrays, packed as the first is."""
    packed = (_packed(tensor, blocks) for tensor, blocks in values)
    with output.open(name) as out:
        write_zip(out, packed, files[0].method)


def _packed(tensor: Tensor, blocks: Iterator[Values]) -> tuple[str, int, Iterator[bytes]]:
    header = io.BytesIO()
    about: dict[str, Any] = {"descr": np.lib.format.dtype_to_descr(tensor.dtype)}
    np.lib.format.write_array_header_1_0(header, {**about, "fortran_order": False, "shape": tensor.shape})
    return f"{tensor.name}{ENDING}", len(header.getvalue()) + tensor.size, _bytes(header.getvalue(), blocks)


def _bytes(header: bytes, blocks: Iterator[Values]) -> Iterator[bytes]:
    yield header
    for block in blocks:
        yield block.tobytes()

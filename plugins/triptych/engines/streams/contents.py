"""What a file is, by its first bytes: the one check of every engine that reads text or tables.

gzip, bzip2, xz and zstd are unpacked, UTF-16 and UTF-32 decoded, into a file of the scratch folder that is read in
the item's place; a format that is no text is refused by its name, unless the engine says that it reads it.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

from triptych.engines.runtime.resources import resources
from triptych.engines.streams.file_objects import BlockReader
from triptych.engines.streams.unpacking import Packing, packing_of, unpack_into, unpacked

if TYPE_CHECKING:
    from triptych.engines.api import Input
    from triptych.errors import TriptychError

HEAD_BYTES = 512
"""Where a tar says that it is one."""
LOOKED_AT_BYTES = 64
READ_BYTES = 1 << 20
UTF_8 = "utf-8"
_SUFFIXES: Mapping[Packing, tuple[str, ...]] = {
    Packing.GZIP: (".gz", ".bgz", ".gzip"),
    Packing.BZIP2: (".bz2",),
    Packing.XZ: (".xz",),
    Packing.ZSTD: (".zst", ".zstd"),
}
_MARKS = (
    # Those of UTF-32 first: that of UTF-16 is the beginning of one.
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_CSV_ADVICE = "Save it as CSV first."
_TABLE_ADVICE = "Write it as CSV first."
_UNPACK_ADVICE = "Unpack it first."


@dataclass(frozen=True)
class Binary:
    """A format that is no text: how messages call it, what to do about it, and where its first bytes lie."""

    name: str
    called: str
    advice: str
    magic: bytes
    offset: int = 0


_BINARIES = (
    Binary("zip", "a zip file, as those of Excel (.xlsx) and OpenDocument are", _CSV_ADVICE, b"PK\x03\x04"),
    Binary("zip", "an empty zip file", _UNPACK_ADVICE, b"PK\x05\x06"),
    Binary("ole", "an OLE file, as those of old Excel (.xls) are", _CSV_ADVICE, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    Binary("parquet", "Parquet", "Write it as text first.", b"PAR1"),
    Binary("parquet-encrypted", "encrypted Parquet", "Decrypt it first.", b"PARE"),
    Binary("orc", "ORC", _TABLE_ADVICE, b"ORC"),
    Binary("avro", "Avro", _TABLE_ADVICE, b"Obj\x01"),
    Binary("feather", "an Arrow file, which Feather is too", _TABLE_ADVICE, b"ARROW1\0\0"),
    Binary("feather1", "a Feather file of version 1", _TABLE_ADVICE, b"FEA1"),
    Binary("sqlite", "an SQLite database", "Write its table as CSV first.", b"SQLite format 3\0"),
    Binary("hdf5", "HDF5", _TABLE_ADVICE, b"\x89HDF\r\n\x1a\n"),
    Binary("bam", "BAM", "Use the partitioner rows, or write it as SAM first: samtools view -h.", b"BAM\x01"),
    Binary("pdf", "PDF", "Take its text out first.", b"%PDF-"),
    Binary("7z", "a 7z archive", _UNPACK_ADVICE, b"7z\xbc\xaf\x27\x1c"),
    Binary("rar", "a RAR archive", _UNPACK_ADVICE, b"Rar!\x1a\x07"),
    Binary("lz4", "packed by lz4", _UNPACK_ADVICE, b"\x04\x22\x4d\x18"),
    Binary("compress", "packed by compress (.Z)", _UNPACK_ADVICE, b"\x1f\x9d"),
    Binary("tar", "a tar archive", "Unpack it first, or use the partitioner archive.", b"ustar", 257),
    Binary("png", "a PNG picture", "Give it to an engine for images.", b"\x89PNG\r\n\x1a\n"),
    Binary("jpeg", "a JPEG picture", "Give it to an engine for images.", b"\xff\xd8\xff"),
)


def binary_of(head: bytes) -> Binary | None:
    """By the first HEAD_BYTES of what is not packed; None where it may be text."""
    for binary in _BINARIES:
        if head[binary.offset :].startswith(binary.magic):
            # Text may begin with these letters, as PARENT does: what follows them in the format is none.
            behind = head[binary.offset + len(binary.magic) :][:LOOKED_AT_BYTES]
            if binary.magic.isalnum() and not any(byte < 9 or byte > 126 for byte in behind):
                continue
            return binary
    return None


_MEDIA = (
    ("a WAV, WebP or AVI file", b"RIFF", 0),
    ("an MP4 file", b"ftyp", 4),
    ("a FLAC file", b"fLaC", 0),
    ("a GIF picture", b"GIF8", 0),
    ("a TIFF picture", b"II*\0", 0),
    ("a TIFF picture", b"MM\0*", 0),
    ("a NumPy file", b"\x93NUMPY", 0),
)
"""Of these, too, one file ends where its own beginning says. MP3, Ogg and MPEG-TS go on with the next."""


def closed_format(head: bytes) -> str | None:
    """How messages call a format of which several files, one behind the other, are none; None for all others."""
    if binary := binary_of(head):
        return binary.called
    return next((called for called, magic, offset in _MEDIA if head[offset:].startswith(magic)), None)


def marked_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32 by their byte-order mark."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def as_text(
    item: Input, *, encoding: str | None = None, binaries: Collection[str] = (), in_utf8: bool = True
) -> tuple[Input, str]:
    """The item itself where its bytes are text in UTF-8, else what stands in for it; and the encoding of its bytes.

    `encoding` is a declared one; without `in_utf8` only what cannot be cut as it is gets decoded. `binaries` are the
    names of formats that the caller reads, packed or not. Raises the item's error for others that are no text.
    """
    if not item.size:
        return item, UTF_8
    head = first_bytes(item)
    packing = packing_of(head)
    if packing:
        item = _in_file(item, unpacked(item, _reader(item), packing), _without_suffix(item.name, packing))
        head = first_bytes(item)
        if again := packing_of(head):
            text = f"is packed twice: what it unpacks to is packed by {again} again. Unpack it first."
            raise item.error(text)
    if (binary := binary_of(head)) is not None:
        if binary.name in binaries:
            return item, UTF_8
        text = f"is {binary.called}{', packed' if packing else ''}, and no text. {binary.advice}"
        raise item.error(text)
    return _decoded_item(item, head, encoding, in_utf8=in_utf8)


def _decoded_item(item: Input, head: bytes, declared: str | None, *, in_utf8: bool) -> tuple[Input, str]:
    marked = marked_encoding(head)
    if marked is None and declared is None and (likely := _unmarked_utf16(head)):
        text = (
            f"byte {1 if likely.endswith('LE') else 0} is zero, as in {likely} without a mark. Convert the file first: "
            f"iconv -f {likely} -t UTF-8. Engines of tables take dialect.encoding, too."
        )
        raise item.error(text)
    encoding = marked or declared
    if encoding is None or codecs.lookup(encoding).name in (UTF_8, "ascii"):
        return item, UTF_8
    if not in_utf8 and is_cut_as_ascii(encoding):
        return item, encoding
    return _in_file(item, _in_utf8(item, encoding), item.name), UTF_8


def _unmarked_utf16(head: bytes) -> str | None:
    """What looks like it: zeros at every second byte of the first ones."""
    first = head[:64]
    for name, zero, other in (("UTF-16LE", 1, 0), ("UTF-16BE", 0, 1)):
        zeros, others = first[zero::2], first[other::2]
        if len(zeros) >= 2 and not any(zeros) and all(others):
            return name
    return None


@lru_cache
def is_cut_as_ascii(encoding: str) -> bool:
    """Whether bytes below 128 are ASCII wherever they stand: so delimiters and line ends are found without decoding."""
    ascii_bytes = bytes(range(128))
    if ascii_bytes.decode(encoding, "replace").encode("utf-8", "replace") != ascii_bytes:
        return False
    seconds = b",;\t|\"'\\\r\n#"
    return all(
        bytes([first, second]).decode(encoding, "replace").endswith(chr(second))
        for first in range(128, 256)
        for second in seconds
    )


def _in_utf8(item: Input, encoding: str) -> Iterator[bytes]:
    """Without the byte-order mark."""
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, is_first = 0, True
    for block in chain(item.stream(), [b""]):
        try:
            text = decoder.decode(block, not block)
        except UnicodeDecodeError as error:
            msg = f"near byte {offset} it is no {encoding}: {error.reason}. Correct the file, or declare its encoding."
            raise item.error(msg) from error
        if is_first and text:
            text, is_first = text.removeprefix("\ufeff"), False
        offset += len(block)
        yield text.encode()


def first_bytes(item: Input, size: int = HEAD_BYTES) -> bytes:
    """So many of them, or all of a smaller item."""
    with item.open() as data:
        return data.read(size)


def in_quotes(data: bytes) -> str:
    r"""Bytes of a file as messages show them: `'café'`, or `'caf\xe9'` where they are no UTF-8."""
    try:
        return repr(data.decode())
    except UnicodeDecodeError:
        return repr(data)[1:]


def _reader(item: Input) -> BinaryIO:
    return io.BufferedReader(BlockReader(item.stream()), READ_BYTES)


def _without_suffix(name: str, packing: Packing) -> str:
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in _SUFFIXES[packing] else name


def unpacked_suffix(name: str) -> str:
    """A name's extension in small letters, that of how it is packed left out: `a.CSV.gz` -> `.csv`."""
    return PurePosixPath(unpacked_name(name)).suffix.lower() or PurePosixPath(name).suffix.lower()


def unpacked_name(name: str) -> str:
    """Without the extension of how it is packed, by the name alone: `a.CSV.gz` -> `a.CSV`."""
    path = PurePosixPath(name)
    packed = {suffix for suffixes in _SUFFIXES.values() for suffix in suffixes}
    return str(path.with_suffix("")) if path.suffix.lower() in packed else name


def _in_file(item: Input, blocks: Iterator[bytes], name: str) -> Input:
    return Unpacked(item, unpack_into(resources().new_folder() / "text", blocks), name)


@dataclass(frozen=True)
class Unpacked:
    """What an item holds when it is unpacked and decoded, in a scratch file; its messages speak of the item."""

    item: Input
    path: Path
    name: str
    """The item's, without the ending that says how it is packed."""

    @property
    def label(self) -> str:
        """As `Input.label`."""
        return self.item.label

    @property
    def size(self) -> int:
        """As `Input.size`, of what is read."""
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """As `Input.open`."""
        return self.path.open("rb")

    def stream(self) -> Iterator[bytes]:
        """As `Input.stream`."""
        with self.open() as data:
            while block := data.read(READ_BYTES):
                yield block

    def local_path(self) -> Path:
        """As `Input.local_path`."""
        return self.path

    def error(self, text: str) -> TriptychError:
        """As `Input.error`."""
        return self.item.error(text)

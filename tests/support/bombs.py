"""Small files that come to much when they are opened: of each family one or more, made quickly."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pyvips
import zstandard

MIB = 1 << 20
LETTERS = b"a" * MIB


def packed_many(pack: Callable[[bytes], bytes], block: bytes, times: int, head: bytes = b"") -> bytes:
    """`head`, and `times` times the block, packed alone each: gzip, bzip2, xz and zstd files may follow one another."""
    return (pack(head) if head else b"") + pack(block) * times


def gzip_fast(data: bytes) -> bytes:
    """At the level that packs equal bytes 1:1000, without a time."""
    return gzip.compress(data, 6, mtime=0)


def zstd(data: bytes) -> bytes:
    """One frame."""
    return zstandard.compress(data)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip_fast,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd,
}


def write_packed(path: Path, mib: int, block: bytes = LETTERS, head: bytes = b"") -> Path:
    """A file packed as its extension says that comes to `mib` MiB of `block` over and over, behind `head`."""
    large = block * max(1, min(16, mib) * MIB // len(block))
    pack = PACKERS[path.suffix.removeprefix(".")]
    path.write_bytes(packed_many(pack, large, max(1, mib * MIB // len(large)), head))
    return path


def zip_of(path: Path, members: dict[str, int], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """A zip of files of so many MiB of one letter each."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, mib in members.items():
            with archive.open(name, "w", force_zip64=True) as out:
                for _ in range(mib):
                    out.write(LETTERS)
    return path


def overlapping_zip(path: Path, files: int, mib: int) -> Path:
    """Each file is the same packed bytes: David Fifield, "A better zip bomb" (2019), in its plainest form."""
    data = LETTERS * mib
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    crc, name = zlib.crc32(data), b"0.py"
    local = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 33, crc, len(packed), len(data), len(name), 0)
    body, central = local + name + packed, b""
    for number in range(files):
        each = f"{number}.py".encode()
        central += struct.pack(
            "<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 8, 0, 33, crc, len(packed), len(data), len(each), 0, 0, 0, 0, 0, 0
        )
        central += each
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, files, files, len(central), len(body), 0)
    path.write_bytes(body + central + end)
    return path


def tar_blocks(members: dict[str, int]) -> Iterator[bytes]:
    """A tar of files of so many MiB of one letter each."""
    for name, mib in members.items():
        entry = tarfile.TarInfo(name)
        entry.size = mib * MIB
        yield entry.tobuf(tarfile.GNU_FORMAT)
        for _ in range(mib):
            yield LETTERS
    yield bytes(2 * tarfile.BLOCKSIZE)


def packed_tar(path: Path, members: dict[str, int]) -> Path:
    """The same, packed as the path's extension says."""
    pack = PACKERS[path.suffix.removeprefix(".").replace("tgz", "gz")]
    path.write_bytes(b"".join(map(pack, tar_blocks(members))))
    return path


def long_header_tar(path: Path, mib: int, kind: bytes = tarfile.XHDTYPE) -> Path:
    """A tar.gz whose first header says that the one behind it goes on for so many MiB."""
    entry = tarfile.TarInfo("././@PaxHeader")
    entry.type, entry.size = kind, mib * MIB
    head = entry.tobuf(tarfile.GNU_FORMAT)
    path.write_bytes(packed_many(gzip_fast, LETTERS * 16, mib // 16, head))
    return path


def sparse_tar(path: Path, size: int, name: str) -> Path:
    """A tar whose one file is a hole of so many bytes (GNU, PAX format 0.1)."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = 0
        entry.pax_headers = {
            "GNU.sparse.major": "0",
            "GNU.sparse.minor": "1",
            "GNU.sparse.name": name,
            "GNU.sparse.size": str(size),
            "GNU.sparse.numblocks": "1",
            "GNU.sparse.map": f"{size},0",
        }
        archive.addfile(entry)
    path.write_bytes(made.getvalue())
    return path


def png(path: Path, width: int, height: int, rows: int | None = None) -> Path:
    """Grey pixels of 0, with these sides in its header, and so many rows in fact."""
    made = zlib.compressobj(9)
    data = b"".join(made.compress(bytes(width + 1)) for _ in range(height if rows is None else rows)) + made.flush()
    chunks = [(b"IHDR", struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b"")]
    parts = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def jpeg(path: Path, width: int, height: int) -> Path:
    """16 x 16 grey pixels, in a baseline JPEG whose header states these sides."""
    data = pyvips.Image.black(16, 16).jpegsave_buffer()
    frame = data.index(b"\xff\xc0") + 5  # The marker, a length, and the bits of a sample (ITU T.81, B.2.2).
    path.write_bytes(data[:frame] + struct.pack(">HH", height, width) + data[frame + 4 :])
    return path


def wav(path: Path, stated: int, rate: int = 8000) -> Path:
    """A second of silence whose header states so many bytes of samples."""
    data = bytes(2 * 8000)
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, rate * 2, 2, 16)
    body = b"WAVE" + fmt + struct.pack("<4sI", b"data", stated) + data
    path.write_bytes(struct.pack("<4sI", b"RIFF", min(36 + stated, 2**32 - 1)) + body)
    return path


def flac(path: Path, samples: int) -> Path:
    """A header that states so many samples (36 bits), and no frame."""
    info = struct.pack(">HH", 4096, 4096) + bytes(6)
    info += ((44100 << 44) | (1 << 41) | (15 << 36) | samples).to_bytes(8, "big") + bytes(16)
    path.write_bytes(b"fLaC" + b"\x80" + len(info).to_bytes(3, "big") + info)
    return path


def parquet(path: Path, rows: int) -> Path:
    """One number in one column, in a file that states so many rows of it."""
    pq.write_table(pa.table({"a": [1]}), path, compression="none", use_dictionary=False)
    data = path.read_bytes()
    size = int.from_bytes(data[-8:-4], "little")
    # Thrift's compact protocol: an i64 (6) that is the next field (1 << 4), zigzag: 1 is 0x02. All of these are counts.
    stated, number = b"\x16", rows << 1
    while number > 0x7F:
        stated, number = stated + bytes([number & 0x7F | 0x80]), number >> 7
    footer = data[-8 - size : -8].replace(b"\x16\x02", stated + bytes([number]))
    path.write_bytes(data[: -8 - size] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    return path


def parquet_of(path: Path, value: bytes, rows: int) -> Path:
    """A number and a value over and over, which are written once: in a dictionary."""
    values = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int8()), pa.array([value], pa.large_binary()))
    table = pa.table({"n": pa.array([0] * rows), "a": values})
    pq.write_table(table, path, compression="zstd", row_group_size=rows, store_schema=False)
    return path


def _pdf(objects: list[bytes]) -> bytes:
    data, offsets = b"%PDF-1.5\n", []
    parts = [data]
    size = len(data)
    for number, body in enumerate(objects, 1):
        offsets.append(size)
        part = b"%d 0 obj\n%b\nendobj\n" % (number, body)
        parts.append(part)
        size += len(part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    parts.append(b"xref\n0 %d\n0000000000 65535 f \n%b" % (count, table))
    parts.append(b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (count, size))
    return b"".join(parts)


def flate_pdf(path: Path, mib: int) -> Path:
    """One page, whose content is so many MiB of one letter."""
    packer = zlib.compressobj(9)
    stream = b"".join(packer.compress(LETTERS) for _ in range(mib)) + packer.flush()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        b"<</Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (len(stream), stream),
    ]
    path.write_bytes(_pdf(objects))
    return path


def pages_pdf(path: Path, pages: int) -> Path:
    """So many pages, all of them one object."""
    kids = b"3 0 R " * pages
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%b]/Count %d>>" % (kids, pages),
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>",
    ]
    path.write_bytes(_pdf(objects))
    return path


def docx(path: Path, **parts: tuple[bytes, int]) -> Path:
    """A document of one paragraph. Each part is what it is full of and how many MiB; `document` is its own text."""
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    types = (
        '<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="png" ContentType="image/png"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/word/document.xml" ContentType="{kind}.document.main+xml"/>'
        f'<Override PartName="/word/styles.xml" ContentType="{kind}.styles+xml"/></Types>'
    )
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    head = '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(name: str, before: str, part: str, behind: str) -> None:
            block, mib = parts.get(part, (b"", 0))
            with archive.open(name, "w", force_zip64=True) as out:
                out.write(before.encode())
                for _ in range(mib):
                    out.write(block * (MIB // len(block)))
                out.write(behind.encode())

        archive.writestr("[Content_Types].xml", types)
        document = f'{head}<Relationship Id="rId1" Type="{relations}/officeDocument" Target="word/document.xml"/>'
        archive.writestr("_rels/.rels", f"{document}</Relationships>")
        own = "".join(
            f'<Relationship Id="rId{number}" Type="{relations}/{kind}" Target="{target}"/>'
            for number, (kind, target) in enumerate([("image", "media/image1.png"), ("styles", "styles.xml")], 1)
        )
        archive.writestr("word/_rels/document.xml.rels", f"{head}{own}</Relationships>")
        run = "<w:p><w:r><w:t>text</w:t></w:r></w:p><w:p><w:r><w:t>"
        add(
            "word/document.xml",
            f'<w:document xmlns:w="{space}"><w:body>{run}',
            "document",
            "</w:t></w:r></w:p></w:body></w:document>",
        )
        add("word/styles.xml", f'<w:styles xmlns:w="{space}"><!--', "styles", "--></w:styles>")
        add("word/media/image1.png", "\x00PNG", "image", "")
    return path

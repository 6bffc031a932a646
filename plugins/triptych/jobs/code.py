"""A block's code as one file, and back: `partition` freezes what it finds, and every stage runs that.

The tar of one tree has the same bytes on every machine, so that its SHA-256 says which code it is. It holds
`manifest.json`, `schema.json` where there is one, and `app/`; a test compares it with GNU tar's.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from triptych.blocks import Block
from triptych.blocks.manifest import read_block
from triptych.blocks.tar_limits import MOST_MEMBERS, LimitedTarInfo, limited_members
from triptych.errors import IntegrityError, ManifestError

MOST_BYTES = 512 * 1024 * 1024
"""The largest code: every pack fetches and unpacks it before its first chunk."""
MOST_TAR_BYTES = MOST_BYTES + (1 << 20)
"""With the end of the tar."""
_BESIDE = ("manifest.json", "schema.json")
_LEFT_OUT = "__pycache__"
_PERMISSIONS, _OF_FOLDERS, _OF_FILES = 0o777, 0o700, 0o400
"""What is kept of a mode, and what the owner may do at least: the worker itself must read, and remove it."""


def freeze_code(block: Block, out: Path) -> str:
    """Write the block's tar to `out`; its SHA-256 in hex.

    Modes are kept. Links inside `app/` are kept as relative ones; ManifestError for one that leads out of it, for
    special files, for what cannot be read, and beyond MOST_BYTES or MOST_MEMBERS.
    """
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for count, (path, name) in enumerate(_members(block), 1):
            _add(tar, block, path, name)
            if count > MOST_MEMBERS:
                most = f"the code has more than {MOST_MEMBERS:,} files and folders"
                raise _refused(block, name, f"{most}: pack them, or put them into the image")
            if tar.offset > MOST_BYTES:
                most = f"the code is larger than {MOST_BYTES >> 20} MiB"
                raise _refused(block, name, f"{most}: put large data into the image, the source or the cache")
    with out.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def thaw_code(tar: Path, folder: Path) -> Block:
    """Unpack what `freeze_code` wrote into `folder`, which is made, and read the block in it.

    IntegrityError, naming the tar, for anything that `freeze_code` does not write: nothing lands outside the folder.
    """
    try:
        with _reader(tar) as members:
            _unpack_all(members, folder, lambda name: name)
    except (tarfile.TarError, OSError, ValueError) as error:
        msg = f"{tar.name}: is no code that was frozen: {error}."
        raise IntegrityError(msg) from error
    block, errors, _ = read_block(folder / "manifest.json")
    if block is None:
        reasons = "; ".join(f"{error.path.name}: {error.location}: {error.message}" for error in errors)
        msg = f"{tar.name}: holds no block that can be used here: {reasons}"
        raise IntegrityError(msg)
    return block


def unpack_block(tar: Path, folder: Path) -> None:
    """Unpack a tar of a block's folder, as anybody may have packed it: what `freeze_code` takes of it, and no more.

    The names may begin with that of the folder, or with `./`. ManifestError for what is no plain tar, for links that
    lead out of `app/`, for special files, and beyond the limits of `freeze_code`: nothing lands outside the folder.
    """
    try:
        with _reader(tar) as members:
            names = [_name(member) for member in limited_members(members)]
            top = min((name.parent for name in names if name.name == "manifest.json"), key=_depth, default=None)
            if top is None or _depth(top) > 1 or ".." in top.parts:
                msg = "it holds no manifest.json, beside app/"
                raise ValueError(msg)
            for name in (inner for each in names if (inner := _below_top(each, top))):
                # Not every tar has its folders as members.
                (folder / _own(name)).parent.mkdir(parents=True, exist_ok=True)
            _unpack_all(members, folder, lambda name: _below_top(name, top))
    except (tarfile.TarError, OSError, ValueError) as error:
        msg = (
            f"The archive cannot be used: {error}. Push a tar, not compressed, of a folder with manifest.json and app/."
        )
        raise ManifestError(msg) from None


def _depth(name: PurePosixPath) -> int:
    return len(name.parts)


def _below_top(name: PurePosixPath, top: PurePosixPath) -> PurePosixPath | None:
    """Its name as a part of a block's code; None where it is none."""
    inner = name.relative_to(top) if name.is_relative_to(top) else PurePosixPath()
    is_code = inner.parts[:1] == ("app",) and _LEFT_OUT not in inner.parts
    return inner if is_code or str(inner) in _BESIDE else None


def _reader(tar: Path) -> tarfile.TarFile:
    return tarfile.open(tar, mode="r:", encoding="utf-8", errors="surrogateescape", tarinfo=LimitedTarInfo)


def _unpack_all(tar: tarfile.TarFile, folder: Path, named: Callable[[PurePosixPath], PurePosixPath | None]) -> None:
    """Write what `named` gives a name below the folder. ValueError for what it refuses, OSError for what is twice."""
    folder.mkdir(parents=True, exist_ok=True)
    finish: list[Callable[[], None]] = []  # When all is written: then no link and no read-only folder is in the way.
    for member in limited_members(tar):
        name = named(_name(member))
        if name is not None:
            finish.append(_unpack(tar, member, _own(name), folder))
    for step in reversed(finish):
        step()


def _name(member: tarfile.TarInfo) -> PurePosixPath:
    return PurePosixPath(os.fsdecode(member.name.encode("utf-8", "surrogateescape")))


def _members(block: Block) -> Iterator[tuple[Path, str]]:
    """What the tar holds, in its order: each path here, and its name there."""
    for name in _BESIDE:
        if (block.folder / name).exists():
            # A link of the block's folder itself is how it is deployed, and no part of the code.
            yield (block.folder / name).resolve(), name
    code = Path(os.path.realpath(block.code))
    yield code, "app"
    yield from sorted(_below(block, code, "app"), key=lambda member: os.fsencode(member[1]))


def _below(block: Block, folder: Path, name: str) -> Iterator[tuple[Path, str]]:
    with _reading(block, name):
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in found:
        if entry.name != _LEFT_OUT:
            yield Path(entry.path), f"{name}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _below(block, Path(entry.path), f"{name}/{entry.name}")


@contextmanager
def _reading(block: Block, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refused(block, name, f"cannot be read: {error.strerror}") from error


def _add(tar: tarfile.TarFile, block: Block, path: Path, name: str) -> None:
    with _reading(block, name):
        status = path.lstat()
    # The name as the file system has it, byte for byte, whatever this process decodes names with.
    info = tarfile.TarInfo(os.fsencode(name).decode("utf-8", "surrogateescape"))
    info.mode = status.st_mode & _PERMISSIONS
    if stat.S_ISDIR(status.st_mode):
        info.type, info.mode = tarfile.DIRTYPE, info.mode | _OF_FOLDERS
        tar.addfile(info)
    elif stat.S_ISLNK(status.st_mode):
        info.type, info.mode = tarfile.SYMTYPE, _PERMISSIONS
        info.linkname = os.fsencode(_inside(block, path, name)).decode("utf-8", "surrogateescape")
        tar.addfile(info)
    elif stat.S_ISREG(status.st_mode):
        with _reading(block, name):
            file = path.open("rb")
        with file:
            info.size, info.mode = os.fstat(file.fileno()).st_size, info.mode | _OF_FILES
            tar.addfile(info, file)
    else:
        raise _refused(block, name, "is neither a file, a folder nor a link")


def _inside(block: Block, path: Path, name: str) -> str:
    """Where a link leads, from its own folder; whatever way it was written, it means the copy beside it."""
    code, target = os.path.realpath(block.code), os.path.realpath(path)
    if os.path.commonpath([code, target]) != code:
        raise _refused(block, name, f"is a link that leads out of app/, to {target}: put a copy in its place")
    return os.path.relpath(target, path.parent)


def _refused(block: Block, name: str, reason: str) -> ManifestError:
    return ManifestError(f"{block.tag}: {name!r}: {reason}. Every worker runs a copy of the code.")


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, name: PurePosixPath, folder: Path) -> Callable[[], None]:
    """Write one member; what is left to do for it when all others are there. ValueError where it is none of ours."""
    path = folder / name
    mode = member.mode & _PERMISSIONS | (_OF_FOLDERS if member.isdir() else _OF_FILES)
    if member.type == tarfile.DIRTYPE:
        path.mkdir(exist_ok=True)
        return lambda: path.chmod(mode)
    if member.type == tarfile.SYMTYPE:
        target = os.fsdecode(member.linkname.encode("utf-8", "surrogateescape"))
        _check_target(name, target)
        return lambda: path.symlink_to(target)
    data = tar.extractfile(member) if member.type == tarfile.REGTYPE and not member.issparse() else None
    if data is None:
        msg = f"{str(name)!r} is no file, folder or link"
        raise ValueError(msg)
    _save(data, path)
    return lambda: path.chmod(mode)


def _own(name: PurePosixPath) -> PurePosixPath:
    is_ours = name.parts[:1] == ("app",) or str(name) in _BESIDE
    if not is_ours or ".." in name.parts:
        msg = f"{str(name)!r} is no name of a block's code"
        raise ValueError(msg)
    return name


def _check_target(name: PurePosixPath, target: str) -> None:
    """A link leads up by as many folders as it lies deep in `app/`, at most, and then down: never out."""
    parts = PurePosixPath(target).parts
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    depth = len(name.parts) - 2
    if target.startswith("/") or ".." in parts[ups:] or depth < ups:
        msg = f"the link {str(name)!r} leads to {target!r}"
        raise ValueError(msg)


def _save(data: IO[bytes], path: Path) -> None:
    with path.open("xb") as out:
        shutil.copyfileobj(data, out)

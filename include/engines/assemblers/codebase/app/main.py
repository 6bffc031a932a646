"""Files back to their tree: the chunks' paths, or the names in the tars, as a folder, a zip or a tar."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from triptych.engines import Output, Result
from triptych.engines.archives.members import PackedFile, read_tar, safe_name, tar_of, write_zip
from triptych.engines.codebase.trees import BLOCK_BYTES, looks_like_tar
from triptych.errors import EngineError, SourceError
from triptych.storage import Writer

NO_EXTENSION = ("", ".bin")
MAX_NAMED = 10


@dataclass(frozen=True)
class Item:
    """One file of the tree: its path, and the result that holds it (as its `member`-th file when that is a tar)."""

    path: str
    size: int
    result: int
    member: int


def assemble(results: Sequence[Result], output: Output, params: Mapping[str, Any]) -> None:
    root = f"{safe_name(params['root'], 'root')}/" if params["root"] else ""
    winners = _winners(results, params["conflicts"])
    name = params["name"] if PurePosixPath(params["name"]).suffix else f"{params['name']}.{params['format']}"
    files = (
        (root + item.path, item.size, blocks)
        for item, blocks in _contents(results)
        if winners[item.path] == (item.result, item.member)
    )
    if params["format"] == "folder":
        _write_folder(output, files)
        return
    with output.open(name) as out:
        if params["format"] == "zip":
            write_zip(out, files)
        else:
            _write_blocks(out, tar_of(files))


def _write_folder(output: Output, files: Iterable[PackedFile]) -> None:
    for path, _, blocks in files:
        with output.open(path) as out:
            _write_blocks(out, blocks)


def _write_blocks(out: Writer, blocks: Iterable[bytes]) -> None:
    for block in blocks:
        out.write(block)


def _winners(results: Sequence[Result], conflicts: str) -> dict[str, tuple[int, int]]:
    """For each path the (result, member) that is kept; EngineError names what is there twice, or below a file."""
    winners: dict[str, tuple[int, int]] = {}
    twice: dict[str, list[str]] = {}
    for item, _ in _contents(results):
        if item.path in winners:
            first = results[winners[item.path][0]]
            twice.setdefault(item.path, [_whose(first)]).append(_whose(results[item.result]))
        if item.path not in winners or conflicts == "last":
            winners[item.path] = (item.result, item.member)
    if twice and conflicts == "fail":
        named = "; ".join(f"{path!r} by {' and '.join(by)}" for path, by in sorted(twice.items())[:MAX_NAMED])
        msg = f"{len(twice)} path(s) written more than once: {named}. Set conflicts to first or last to keep one."
        raise EngineError(msg)
    for path in winners:
        for parent in PurePosixPath(path).parents:
            if (above := winners.get(parent.as_posix())) is not None:
                msg = (
                    f"{parent.as_posix()!r} is a file by {_whose(results[above[0]])} and a folder, because of {path!r} "
                    f"by {_whose(results[winners[path][0]])}. Give one of them another name."
                )
                raise EngineError(msg)
    return winners


def _contents(results: Sequence[Result]) -> Iterator[tuple[Item, Iterable[bytes]]]:
    """Every file with its bytes, which may be left unread."""
    alone = {result.chunk: 0 for result in results}
    for result in results:
        alone[result.chunk] += 1
    for number, result in enumerate(results):
        try:
            if _is_tar(result):
                yield from _members(number, result)
            else:
                path = safe_name(_path(result, alone[result.chunk] == 1), _whose(result))
                yield Item(path, result.size, number, 0), result.stream()
        except SourceError as error:
            raise EngineError(str(error)) from error


def _members(number: int, result: Result) -> Iterator[tuple[Item, Iterable[bytes]]]:
    with result.open() as stream:
        for index, member in enumerate(read_tar(stream, _whose(result))):
            blocks = iter(lambda data=member.data: data.read(BLOCK_BYTES), b"")  # type: ignore[misc]  # A default binds.
            yield Item(member.name, member.size, number, index), blocks


def _is_tar(result: Result) -> bool:
    """A chunk that was one plain file stays one, even if that file is a tar."""
    if result.metadata.get("packed") == "no" or result.size == 0:
        return False
    with result.open() as stream:
        return looks_like_tar(stream)


def _path(result: Result, alone: bool) -> str:
    """Where a plain result goes.

    A name with folders is its path. One without, of a chunk that was one file, goes into that file's folder; if it is
    the chunk's only result, under that file's own name, with the result's extension unless that is .bin or none.
    """
    source = result.metadata.get("path")
    if not isinstance(source, str) or "/" in result.name:
        return result.name
    path = PurePosixPath(source)
    if not alone:
        return (path.parent / result.name).as_posix()
    extension = PurePosixPath(result.name).suffix
    if extension.lower() in NO_EXTENSION or result.name == path.name:
        return source
    return path.with_suffix(extension).as_posix()


def _whose(result: Result) -> str:
    return f"chunk {result.chunk} ({result.chunk_name}), result {result.name!r}"

"""Names that every store and file system takes, for files that scripts named as they liked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import PurePosixPath

LONGEST_PART_BYTES = 255
"""Of one part of a path, on nearly every file system."""
_LONGEST_SUFFIX = 20
_MARK_DIGITS = 16


def plain_names(names: Iterable[str]) -> list[str]:
    """A name of valid UTF-8 without control characters for each, in order; `names` are different paths, with `/`.

    As Python lists them: a byte that is not UTF-8 stands as a lone surrogate. Good names stay as they are, in the
    others such a byte or character becomes `%` and two digits: 'a\\udcff' -> 'a%FF'. What collides then, or has
    grown longer than a part may be, has a hash in it.
    """
    given = list(names)
    taken = {name for name in given if _plain(name) == name}
    return [name if name in taken else _taking(_plain(name), name, taken) for name in given]


def shortened(part: str, original: str | None = None) -> str:
    """`part` itself while it is no longer than 255 bytes; else its beginning, a hash of `original`, and its suffix."""
    if len(part.encode()) <= LONGEST_PART_BYTES:
        return part
    return _marked(part, original or part)


def _taking(name: str, original: str, taken: set[str]) -> str:
    """`name`, or one made of it that is not in `taken`, which has it afterwards."""
    while name in taken:
        *folders, last = name.split("/")
        name = "/".join([*folders, _marked(last, original)])
        original += "'"
    taken.add(name)
    return name


def _plain(name: str) -> str:
    return "/".join(shortened("".join(map(_plain_character, part)), part) for part in name.split("/"))


def _plain_character(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: the byte is its last eight bits.
        return f"%{code & 0xFF:02X}"
    return f"%{code:02X}" if code < 0x20 or code == 0x7F else character


def _marked(part: str, original: str) -> str:
    """The beginning of `part`, a hash of `original`, the suffix: `holiday~0123456789abcdef.jpeg`."""
    suffix = PurePosixPath(part).suffix
    if len(suffix.encode()) > _LONGEST_SUFFIX:
        suffix = ""
    mark = hashlib.sha256(original.encode("utf-8", "surrogateescape")).hexdigest()[:_MARK_DIGITS]
    room = LONGEST_PART_BYTES - len(mark) - len(suffix.encode()) - 1
    stem = part.removesuffix(suffix).encode()[:room].decode("utf-8", "ignore")
    return f"{stem}~{mark}{suffix}"

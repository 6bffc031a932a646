"""Patterns as .gitignore has them, matched in time that grows with path times pattern, whatever both are.

git's own rules (gitignore(5), and `wildmatch.c` of its source, with WM_PATHNAME): a segment of a pattern is matched
with a segment of a path, `**` with any number of these. No library that we know does it in bounded time: what makes one
regular expression of a pattern takes time to the power of its asterisks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

ANY_FOLDERS = "**"
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": " \\t",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\s",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
"""Of POSIX, in ASCII, as git has them."""


_WILD = re.compile(r"[*?\[\\]")


class NoPatternError(ValueError):
    """A pattern that matches nothing, such as one with a bracket that is never closed."""


@dataclass(frozen=True)
class GitPattern:
    """One line: `negated` began with `!`, `folders_only` ended with `/`; `runs` are matched from the root on.

    A run is what stands between two `**`: of `a/**/b/c` they are [a] and [b, c]. A pattern without a slash but at its
    end stands for any folder's: `*.py` has the runs [] and [*.py]. `literal` is the path, or the end of one, that a
    pattern without wildcards names.
    """

    runs: tuple[tuple[re.Pattern[str], ...], ...]
    negated: bool = False
    folders_only: bool = False
    letters: int = 0
    literal: tuple[str, ...] | None = None

    def matches(self, parts: Sequence[str], *, is_folder: bool) -> bool:
        """Whether it names the file or folder of this path: `a/b` as ["a", "b"]."""
        return (is_folder or not self.folders_only) and _match(self.runs, parts)


class GitPatterns:
    """The patterns of one file, or of a parameter: of those that match, the last one decides."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._all = [pattern for line in lines if (pattern := parse_pattern(line))]
        numbered = list(enumerate(self._all))
        # Those without wildcards need no comparing one by one.
        self._literals: dict[tuple[bool, tuple[str, ...]], list[int]] = {}
        for number, pattern in numbered:
            if pattern.literal is not None:
                self._literals.setdefault((len(pattern.runs) > 1, pattern.literal), []).append(number)
        self._globs = [(number, pattern) for number, pattern in reversed(numbered) if pattern.literal is None]
        self.letters = sum(pattern.letters for _, pattern in self._globs)

    def decision(self, parts: Sequence[str], *, is_folder: bool) -> bool | None:
        """Whether the last pattern that matches exactly this path is not negated; None where none matches."""
        known = (*self._literals.get((True, tuple(parts[-1:])), ()), *self._literals.get((False, tuple(parts)), ()))
        last = max((number for number in known if is_folder or not self._all[number].folders_only), default=-1)
        for number, pattern in self._globs:
            if number < last:
                break
            if pattern.matches(parts, is_folder=is_folder):
                last = number
                break
        return None if last < 0 else not self._all[last].negated

    def choose(self, path: str) -> bool:
        """Whether a file is chosen: by the last pattern that matches it, else by the last of a folder above it."""
        parts = path.split("/")
        itself = self.decision(parts, is_folder=False)
        if itself is not None:
            return itself
        folders = [parts[:end] for end in range(1, len(parts))]
        above = (p for p in reversed(self._all) if any(p.matches(folder, is_folder=True) for folder in folders))
        last = next(above, None)
        return last is not None and not last.negated


def parse_pattern(line: str) -> GitPattern | None:
    """A line of a .gitignore, without its end; None for one that names nothing."""
    text = _without_trailing_spaces(line)
    if not text or text.startswith("#"):
        return None
    negated = text.startswith("!")
    text = text.removeprefix("!")
    folders_only = text.endswith("/")
    text = text.removesuffix("/")
    if not text:
        return None
    try:
        if "/" in text:
            segments = [ANY_FOLDERS if set(part) == {"*"} and len(part) > 1 else part for part in _split(text)]
        else:
            segments = [ANY_FOLDERS, text]
        runs = tuple(_runs(segments))
    except NoPatternError:
        return None
    named = segments[1:] if segments[0] == ANY_FOLDERS and len(segments) == 2 else segments
    literal = None if any(_WILD.search(part) for part in named) else tuple(named)
    return GitPattern(runs, negated, folders_only, len(text), literal)


def _split(text: str) -> Iterator[str]:
    """At slashes, but the first, and those in brackets, which match none."""
    begin = at = int(text.startswith("/"))
    while at < len(text):
        letter = text[at]
        at += 1
        if letter == "[":
            at = _bracket(text, at)[1]
        elif letter == "/":
            yield text[begin : at - 1]
            begin = at
        elif letter == "\\" and text[at : at + 1] != "/":
            at += 1
        elif letter == "\\":
            yield text[begin : at - 1]
            begin = at = at + 1
    yield text[begin:]


def _without_trailing_spaces(line: str) -> str:
    r"""Spaces at the end count where a backslash stands before: `a\ ` is the name of a letter and a space."""
    text = line.rstrip(" ")
    slashes = len(text) - len(text.rstrip("\\"))
    return line[: len(text) + 1] if slashes % 2 and len(line) > len(text) else text


def _match(runs: Sequence[Sequence[re.Pattern[str]]], parts: Sequence[str]) -> bool:
    """Between two `**`, what stands there is taken at the first place where it fits: a later one is never better."""
    first, last = runs[0], runs[-1]
    if len(runs) == 1:
        return len(first) == len(parts) and _fits(first, parts, 0)
    # `a/**` is all that lies in `a`, not `a` itself; elsewhere `**/` may be no folder at all.
    begin, end = len(first), len(parts) - (len(last) or 1)
    if begin > end or not _fits(last, parts, len(parts) - len(last)) or not _fits(first, parts, 0):
        return False
    for run in runs[1:-1]:
        found = next((at for at in range(begin, end - len(run) + 1) if _fits(run, parts, at)), None)
        if found is None:
            return False
        begin = found + len(run)
    return True


def _runs(segments: Sequence[str]) -> Iterator[tuple[re.Pattern[str], ...]]:
    """What stands between `**`, of which two in a row are one: [a, **, b] -> [a], [b]; [**] -> [], []."""
    run: list[re.Pattern[str]] = []
    for before, segment in pairwise(["", *segments]):
        if segment != ANY_FOLDERS:
            run.append(_segment(segment))
        elif before != ANY_FOLDERS:
            yield tuple(run)
            run = []
    yield tuple(run)


def _fits(run: Sequence[re.Pattern[str]], parts: Sequence[str], at: int) -> bool:
    return all(segment.fullmatch(part) for segment, part in zip(run, parts[at:], strict=False))


@lru_cache(maxsize=20_000)
def _segment(glob: str) -> re.Pattern[str]:
    """A segment as a regular expression that never goes back over more than one `*`; NoPatternError for none.

    Of `*a*b`, the first `a` and then the first `b` behind it that fit are taken for good (an atomic group), but for
    what stands behind the last `*`, which must fit at the end.
    """
    head, *pieces = _pieces(glob)
    if not pieces:
        return re.compile(head, re.DOTALL)
    middle = "".join(f"(?>.*?{piece})" for piece in pieces[:-1])
    return re.compile(f"{head}{middle}.*{pieces[-1]}", re.DOTALL)


def _pieces(glob: str) -> list[str]:
    """What stands between asterisks, as regular expressions of one character each: `a*?b` -> [a, .b]."""
    pieces, at = [""], 0
    while at < len(glob):
        letter = glob[at]
        at += 1
        if letter == "*":
            if pieces[-1] or len(pieces) == 1:
                pieces.append("")
        elif letter == "?":
            pieces[-1] += "."
        elif letter == "[":
            found, at = _bracket(glob, at)
            pieces[-1] += found
        elif letter == "\\":
            if at == len(glob):
                raise NoPatternError(glob)
            pieces[-1] += re.escape(glob[at])
            at += 1
        else:
            pieces[-1] += re.escape(letter)
    return pieces


def _bracket(glob: str, at: int) -> tuple[str, int]:
    r"""The class that begins behind the bracket before `at`, and where it ends: `[!a-c]x` -> [^a-c], 6."""
    negated = glob[at : at + 1] in ("!", "^")
    at += negated
    members, start = "", at
    while at == start or glob[at : at + 1] != "]":
        low, is_class, at = _member(glob, at)
        if not is_class and glob[at : at + 1] == "-" and glob[at + 1 : at + 2] not in ("", "]"):
            high, is_class, at = _member(glob, at + 1)
            if is_class:
                raise NoPatternError(glob)
            # A range of none still has its first letter.
            members += re.escape(low) if low > high else f"{re.escape(low)}-{re.escape(high)}"
        else:
            members += low if is_class else re.escape(low)
    if not members:
        return (".", at + 1) if negated else ("(?!)", at + 1)
    return f"[{'^' if negated else ''}{members}]", at + 1


def _member(glob: str, at: int) -> tuple[str, bool, int]:
    """One letter, or a class of POSIX (and that it is one), and where the next begins."""
    if at >= len(glob):
        raise NoPatternError(glob)
    if glob.startswith("[:", at):
        end = glob.find(":]", at + 2)
        name = glob[at + 2 : end] if end >= 0 else ""
        if end >= 0:
            if name not in _CLASSES:
                raise NoPatternError(glob)
            return _CLASSES[name], True, end + 2
    if glob[at] == "\\":
        at += 1
        if at >= len(glob):
            raise NoPatternError(glob)
    return glob[at], False, at + 1

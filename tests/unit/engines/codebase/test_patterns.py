"""Patterns of .gitignore: as git itself matches them, and in bounded time, which git does not promise."""

from __future__ import annotations

import codecs
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest
from pathspec import GitIgnoreSpec

from tests.support.inputs import FileInput
from triptych.engines.api import Source
from triptych.engines.archives.tree import TreeFile
from triptych.engines.codebase.gitignore import GitIgnore
from triptych.engines.codebase.patterns import GitPatterns, parse_pattern

PIECES = [
    *("a", "b", "c", "*", "**", "?", "/", "[ab]", "[!a]", "[a-b]", "[^b]", "[b-a]", "[a-]", "[]a]", "[a-", "]", "-"),
    *("\\*", "\\a", "*a", "**a", "**/", "/**", "/**/", "[[:alpha:]]", "[[:digit:]]", "!", "#", " ", "\\ "),
]
NAMES = ["a", "b", "c", "ab", "ba", "aa", "abc", "*", "a-", "#", "!a", "a b", "[ab]", "]", "-", "1"]
"""In ASCII: to git a letter is a byte, to `?` here a letter."""


def _path(chance: random.Random) -> str:
    return "/".join(chance.choice(NAMES) for _ in range(chance.randint(1, 4)))


def _pattern(chance: random.Random) -> str:
    return "".join(chance.choice(PIECES) for _ in range(chance.randint(1, 7)))


def _undefined(pattern: str) -> bool:
    """Where git's answer is none: asterisks in a row inside a name, which it matches by where strings lie in memory."""
    return "\\/" in pattern or any("**" in part and set(part) != {"*"} for part in pattern.split("/"))


def _ignored_by_git(patterns: Sequence[str], paths: Sequence[str], folder: Path) -> dict[tuple[int, str], bool]:
    """By number of the pattern and path: each pattern is alone in the .gitignore of a folder of its own."""
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for number, pattern in enumerate(patterns):
        (folder / str(number)).mkdir()
        (folder / str(number) / ".gitignore").write_text(f"{pattern}\n")
    asked = "".join(f"{number}/{path}\0" for number in range(len(patterns)) for path in paths)
    command = ["git", "check-ignore", "--no-index", "-z", "-v", "-n", "--stdin"]
    done = subprocess.run(command, cwd=folder, input=asked, capture_output=True, text=True, check=False)
    told = done.stdout.split("\0")
    answers = {path: bool(source) for source, path in zip(told[0:-1:4], told[3::4], strict=True)}
    return {(number, path): answers[f"{number}/{path}"] for number in range(len(patterns)) for path in paths}


@pytest.mark.parametrize("seed", range(4))
def test_each_pattern_matches_what_git_says(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    made = (_pattern(chance).lstrip("!") for _ in range(600))
    patterns = [pattern for pattern in made if pattern.strip(" ") and not _undefined(pattern)]
    paths = sorted({_path(chance) for _ in range(60)})
    truth = _ignored_by_git(patterns, paths, tmp_path)
    assert 0.05 < sum(truth.values()) / len(truth) < 0.95
    for (number, path), ignored in truth.items():
        # A path is ignored when it, or a folder above it, is.
        pattern, parts = parse_pattern(patterns[number]), path.split("/")
        matched = pattern is not None and any(
            pattern.matches(parts[:end], is_folder=end < len(parts)) for end in range(1, len(parts) + 1)
        )
        assert matched == ignored, (patterns[number], path)


def test_the_last_pattern_that_matches_decides() -> None:
    patterns = GitPatterns(["*.log", "!keep.log", "/a/b", "keep.log/", "#", "", "x/**/y"])
    assert patterns.decision(["d", "a.log"], is_folder=False) is True
    assert patterns.decision(["d", "keep.log"], is_folder=False) is False
    assert patterns.decision(["d", "keep.log"], is_folder=True) is True
    assert patterns.decision(["a", "b"], is_folder=True) is True
    assert patterns.decision(["c", "a", "b"], is_folder=True) is None
    assert patterns.decision(["x", "1", "2", "y"], is_folder=False) is True


@pytest.mark.parametrize("seed", range(4))
def test_a_file_is_chosen_as_by_pathspec(seed: int) -> None:
    """The parameters `include` and `exclude`, which were matched by this library before."""
    chance = random.Random(seed)
    known = ["a", "b/", "*.py", "!a.py", "/src/", "!src/gen/", "docs/**", "**/x", "a/b", "!b", "a?", "[ab].py", "/*"]
    names = ["a", "b", "a.py", "b.py", "src", "gen", "docs", "x", "ab"]
    for _ in range(400):
        lines = [chance.choice(known) for _ in range(chance.randint(1, 4))]
        path = "/".join(chance.choice(names) for _ in range(chance.randint(1, 4)))
        assert GitPatterns(lines).choose(path) == GitIgnoreSpec.from_lines(lines).match_file(path), (lines, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 12, "a" * 200 + "b"),
        ("*a*" * 100 + "c", "a" * 4000),
        ("?*" * 60 + "c", "a" * 250),
        ("[a-z]*" * 60 + "[!a-z]", "a" * 250),
        ("**/a/" * 12 + "b", "a/" * 120 + "c"),
        ("a/**/" * 12 + "*a" * 12, "a/" * 120 + "a" * 200 + "b"),
        ("**/" * 500 + "x", "a/" * 1000 + "y"),
        ("[" * 4000, "a"),
        ("*" * 100_000 + "b", "a" * 4000),
        ("[[:" * 2000, "[" * 2000),
    ],
)
def test_what_took_for_ever_takes_no_time(pattern: str, path: str) -> None:
    """That it ends is the test: by one regular expression each of the first six would take longer than the universe."""
    parsed = parse_pattern(pattern)
    assert parsed is None or not parsed.matches(path.split("/"), is_folder=False)
    assert not GitPatterns([pattern]).choose(path)


FOLDERS = ["src", "generated", "a", "build", "src/generated", "a/b", "src/a/b"]
RULES = [
    *("*", "!*", "*.log", "!*.log", "src/", "!src/", "!src/**", "src/**", "!src/*", "src/generated/", "!*/", "/*"),
    *(
        "!src/generated/x.py",
        "**/build",
        "build/**",
        "!build/**",
        "!**/x.py",
        "!a/**/b/",
        "!generated",
        "*.py",
        "!x.py",
    ),
]


def _write_tree(chance: random.Random, root: Path) -> None:
    """Files in some folders, and a .gitignore in some, with a byte-order mark or line ends of Windows at times."""
    for folder in ["", *chance.sample(FOLDERS, 4)]:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in chance.sample(["x.py", "y.log", "z"], 2):
            (root / folder / name).write_bytes(b"")
        if chance.random() < 0.5 or not folder:
            lines = "".join(chance.choice(RULES) + chance.choice(["\n", "\r\n"]) for _ in range(chance.randint(1, 5)))
            mark = codecs.BOM_UTF8 if chance.random() < 0.3 else b""
            (root / folder / ".gitignore").write_bytes(mark + lines.encode())


def _kept(root: Path) -> set[str]:
    found = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts]
    inputs = [(path.relative_to(root).as_posix(), path) for path in sorted(found)]
    tree = [
        TreeFile(name, path.stat().st_size, cast("Source", FileInput(path)), None, FileInput(path).stream)
        for name, path in inputs
    ]
    git = GitIgnore(tree)
    return {file.path for file in tree if not git.ignores(file.path)}


def test_generated_trees_are_what_git_lists(tmp_path: Path) -> None:
    """Truth: git ls-files."""
    for seed in range(60):
        root = tmp_path / str(seed)
        _write_tree(random.Random(seed), root)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        command = ["git", "-c", "core.excludesFile=", "ls-files", "-z", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        assert _kept(root) == set(listed.split("\0")) - {""}, seed

"""Two folders compared file by file: what a job made, and what was expected of it."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from triptych.jobs.locations import OWN_FOLDER
from triptych.local.testing.difference import Difference


class Comparison(StrEnum):
    """How two files of one name are compared."""

    BYTES = "bytes"
    UNORDERED_LINES = "unordered_lines"
    NUMBERS = "numbers"
    JSON = "json"
    IMAGE = "image"
    EXISTS = "exists"
    IGNORE = "ignore"


@dataclass(frozen=True)
class Rule:
    """How files are compared whose name, from the output's folder, matches the pattern. None: nothing was said."""

    pattern: str
    by: Comparison
    relative: float | None = None
    absolute: float | None = None
    min_psnr_db: float | None = None
    min_ssim: float | None = None


def compare(output: Path, expected: Path, rules: Sequence[Rule] = ()) -> list[Difference]:
    """The first difference of each file, in order of name; empty where the output is as expected.

    EngineError, naming the extra, where a comparison needs a library that is not installed.
    """
    made, wanted = files_of(output), files_of(expected)
    found = (_compare_file(name, made, wanted, _rule_for(name, rules)) for name in sorted({*made, *wanted}))
    return [each for each in found if each]


def files_of(folder: Path) -> dict[str, Path]:
    """Files of an output by their names with `/`, without the lists that Triptych keeps beside it."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path for name, path in paths.items() if OWN_FOLDER not in name.split("/")}


def is_ignored(name: str, rules: Sequence[Rule]) -> bool:
    """Whether a file of this name is of no matter to the case."""
    return _rule_for(name, rules).by is Comparison.IGNORE


def _rule_for(name: str, rules: Sequence[Rule]) -> Rule:
    matching = (rule for rule in rules if fnmatch.fnmatchcase(name, rule.pattern))
    return next(matching, Rule("*", Comparison.BYTES))


def _compare_file(name: str, made: Mapping[str, Path], wanted: Mapping[str, Path], rule: Rule) -> Difference | None:
    if rule.by is Comparison.IGNORE:
        return None
    if name not in made:
        return Difference(name, message="is expected, and the job did not make it.")
    if name not in wanted:
        return Difference(name, message="was made, and is not expected.")
    if rule.by is Comparison.EXISTS:
        return None
    return _comparer(rule)(name, made[name], wanted[name])


def _comparer(rule: Rule) -> Callable[[str, Path, Path], Difference | None]:
    """Imported when they are wanted: pictures need libraries."""
    if rule.by is Comparison.JSON:
        from triptych.local.testing.values import compare_json

        return partial(compare_json, relative=rule.relative or 0, absolute=rule.absolute or 0)
    if rule.by is Comparison.NUMBERS:
        from triptych.local.testing.numbers import compare_numbers

        return partial(compare_numbers, relative=rule.relative or 0, absolute=rule.absolute or 0)
    if rule.by is Comparison.IMAGE:
        from triptych.local.testing.images import compare_images

        return partial(compare_images, min_psnr_db=rule.min_psnr_db, min_ssim=rule.min_ssim)
    from triptych.local.testing.lines import compare_bytes, compare_unordered_lines

    return compare_bytes if rule.by is Comparison.BYTES else compare_unordered_lines

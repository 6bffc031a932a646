"""Two folders compared: what is told of the first difference, and what is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from triptych.local.testing.comparison import Comparison, Rule, compare
from triptych.local.testing.difference import Difference

NOTHING = "(nothing: the file has ended)"


def _folders(tmp_path: Path, got: str | bytes, expected: str | bytes, name: str = "a.txt") -> tuple[Path, Path]:
    for folder, content in (("got", got), ("expected", expected)):
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return tmp_path / "got", tmp_path / "expected"


def _first(tmp_path: Path, got: str | bytes, expected: str | bytes, *rules: Rule, name: str = "a.txt") -> Difference:
    (found,) = compare(*_folders(tmp_path, got, expected, name), rules)
    return found


@pytest.mark.parametrize(
    ("got", "expected", "place", "wanted", "made", "more"),
    [
        ("a\nb\nc\n", "a\nx\nc\n", "line 2", "x", "b", 0),
        ("a\nb\nc\nd\n", "x\nb\ny\nz\n", "line 1", "x", "a", 2),
        ("a\nc\n", "a\nb\nc\n", "line 2", "b", "c", 0),
        ("a\nb\nc\n", "a\nc\n", "line 2", "c", "b", 0),
        ("a\n", "a\nb\n", "line 2", "'b'", "''", 0),
        ("a", "a\n", "line 2", "''", NOTHING, 0),
        ("a \nb\n", "a\nb\n", "line 1", "'a'", "'a '", 0),
        ("a\r\n", "a\n", "line 1", "'a'", "'a\\r'", 0),
        ("", "a", "line 1", "'a'", "''", 0),
    ],
)
def test_of_text_the_first_line_that_differs(
    tmp_path: Path, got: str, expected: str, place: str, wanted: str, made: str, more: int
) -> None:
    found = _first(tmp_path, got, expected)
    assert (found.file, found.place, found.more) == ("a.txt", place, more)
    assert (found.expected, found.got) == (wanted, made)


def test_what_cannot_be_seen_is_escaped(tmp_path: Path) -> None:
    found = _first(tmp_path, "a \n", "a\n")
    assert (found.expected, found.got) == ("'a'", "'a '")


def test_of_a_long_line_the_part_that_differs(tmp_path: Path) -> None:
    found = _first(tmp_path, "x" * 500 + "b" + "y" * 500, "x" * 500 + "a" + "y" * 500)
    assert len(found.got) < 140
    assert ("xa" in found.expected, "xb" in found.got) == (True, True)


def test_of_anything_else_the_first_byte(tmp_path: Path) -> None:
    found = _first(tmp_path, bytes(2000) + b"\1", bytes(2000) + b"\2\3")
    assert (found.place, found.expected, found.got) == (
        "byte 2,000",
        "02 03 (2,002 bytes in all)",
        "01 (2,001 bytes in all)",
    )


def test_files_that_are_missing_or_too_many_are_told(tmp_path: Path) -> None:
    output, expected = _folders(tmp_path, "a", "a", "same/a.txt")
    (output / "more.txt").touch()
    (expected / "less.txt").touch()
    (output / "_triptych").mkdir()
    (output / "_triptych" / "list.json").touch()
    assert [str(each) for each in compare(output, expected)] == [
        "less.txt: is expected, and the job did not make it.",
        "more.txt: was made, and is not expected.",
    ]
    rules = [Rule("more.*", Comparison.IGNORE), Rule("l*", Comparison.EXISTS)]
    assert [each.file for each in compare(output, expected, rules)] == ["less.txt"]


def test_a_file_may_have_to_exist_and_no_more(tmp_path: Path) -> None:
    folders = _folders(tmp_path, "a", "b")
    assert compare(*folders, [Rule("*.txt", Comparison.EXISTS)]) == []
    # The first rule that matches.
    assert compare(*folders, [Rule("a.*", Comparison.BYTES), Rule("*.txt", Comparison.EXISTS)]) != []


def test_lines_in_any_order_are_each_there_as_often(tmp_path: Path) -> None:
    rule = Rule("*", Comparison.UNORDERED_LINES)
    assert compare(*_folders(tmp_path, "b\na\na\n", "a\nb\na"), [rule]) == []
    found = _first(tmp_path / "more", "b\na\n", "a\nb\na\nc\n", rule)
    assert (found.expected, found.got, found.more) == ("a", "(no such line)", 1)


NUMBERS = Rule("*", Comparison.NUMBERS, relative=1e-3, absolute=1e-9)


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ("a,1.0001\n", "a,1.0\n"),
        ("x=1e3 y=-5", "x=1000.5 y=-5.001"),
        ("0.0000000001", "0"),
        ("1,2,3", "1.0,2.0,3.0"),
        ("9007199254740993", "9007199254740993"),
    ],
)
def test_numbers_within_a_tolerance_are_the_same(tmp_path: Path, got: str, expected: str) -> None:
    assert compare(*_folders(tmp_path, got, expected), [NUMBERS]) == []


@pytest.mark.parametrize(
    ("got", "expected", "place"),
    [
        ("a,1.01\n", "a,1.0\n", "line 1"),
        ("a\n1 2\n", "a\n1\n", "line 2"),
        ("id1001", "id1000", "line 1"),
        ("10.0.0.1", "10.0.0.2", "line 1"),
        ("-1", "1", "line 1"),
        ("1.0001\n2\n", "1\n", "line 2"),
    ],
)
def test_names_and_numbers_beyond_it_are_not(tmp_path: Path, got: str, expected: str, place: str) -> None:
    assert _first(tmp_path, got, expected, NUMBERS).place == place


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        ('{"a": 1, "b": [1.0, null]}', '{"b":[1,null],\n "a":1.0}'),
        ("[NaN]", "[NaN]"),
        ('{"a": 0.30000000000000004}', '{"a": 3e-1}'),
    ],
)
def test_json_is_compared_by_value(tmp_path: Path, got: str, expected: str) -> None:
    rule = Rule("*", Comparison.JSON, relative=1e-12)
    assert compare(*_folders(tmp_path, got, expected), [rule]) == []


@pytest.mark.parametrize(
    ("got", "expected", "told"),
    [
        ('{"a": [1, 2]}', '{"a": [1, 3]}', ("$.a.1", "3", "2", 0)),
        ('{"a": true}', '{"a": 1}', ("$.a", "1", "true", 0)),
        ('{"a": "1"}', '{"a": 1}', ("$.a", "1", '"1"', 0)),
        ('{"b": 1}', '{"a": 1}', ("$.a", "1", "(no such key)", 1)),
        ("[1, 2]", "[1]", ("$", "1 item(s)", "2 item(s)", 0)),
        ("0.30000000000000004", "0.3", ("$", "0.3", "0.30000000000000004", 0)),
    ],
)
def test_a_value_that_differs_is_told_with_its_path(
    tmp_path: Path, got: str, expected: str, told: tuple[str, str, str, int]
) -> None:
    found = _first(tmp_path, got, expected, Rule("*", Comparison.JSON))
    assert (found.place, found.expected, found.got, found.more) == told


def test_json_lines_are_a_list(tmp_path: Path) -> None:
    found = _first(tmp_path, '{"a":1}\n{"a":2}\n', '{"a":1}\n{"a":3}\n', Rule("*", Comparison.JSON), name="a.jsonl")
    assert (found.place, found.expected) == ("$.1.a", "3")


def test_what_is_no_json_is_told(tmp_path: Path) -> None:
    found = _first(tmp_path, "[1", "[1]", Rule("*", Comparison.JSON))
    assert found.message.startswith("what the job made is no JSON: ")

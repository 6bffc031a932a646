"""Which failures are one group: what differs from chunk to chunk alone keeps none apart."""

from __future__ import annotations

import pytest

from triptych.reports.messages import pattern_of

LOG = "\nLast lines of its log:\n  | "


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("row 17 of 4,000 is bad", "row 9 of 12.5 is bad"),
        ("cannot open /data/a/in.csv", "cannot open /srv/out/b.csv"),
        ("cannot open '/data/a b/in.csv'", "cannot open '/x y/é'"),
        ("s3://bucket/a/1.jpg is gone", "s3://other/b/22.jpg is gone"),
        ("object at 0x7f00aa12", "object at 0x1"),
        ("commit 3f9a0c1d22 was not found", "commit 00ff12ab9 was not found"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id 00000000-0000-0000-0000-000000000000"),
        ("took 1.5 s at 2026-11-27 01:02:03", "took 12.25 s at 2025-01-01 23:59:59"),
        ("name is part-7", "name is part-8"),
    ],
)
def test_numbers_paths_and_hex_keep_no_messages_apart(one: str, other: str) -> None:
    said = [pattern_of(f"exit code 1.{LOG}{line}", name) for line, name in ((one, "part-7"), (other, "part-8"))]
    assert said[0] == said[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"exit code 1.{LOG}x", f"exit code 2.{LOG}x"),
        (f"exit code 1.{LOG}KeyError: 'price'", f"exit code 1.{LOG}KeyError: 'size'"),
        ("ran longer than its timeout of 3 s.", "ran out of memory"),
        (f"exit code 1.{LOG}utf8 codec", f"exit code 1.{LOG}utf16 codec"),
        ("added of a failed", "added of b failed"),
    ],
)
def test_what_says_why_keeps_them_apart(one: str, other: str) -> None:
    assert pattern_of(one, "c") != pattern_of(other, "c")


def test_the_last_line_with_words_is_the_one_that_is_told() -> None:
    reason = f"exit code 1.{LOG}Traceback\n  | ValueError: no 5\n  | \n  |  "
    assert pattern_of(reason, "c") == "exit code 1. ValueError: no {n}"


def test_a_long_line_and_control_characters_are_bounded() -> None:
    said = pattern_of(f"exit code 1.{LOG}\x1b[31m" + "é" * 1_000_000, "c")
    assert len(said) < 400
    assert "\x1b" not in said

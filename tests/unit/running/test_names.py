"""Names of results: plain, unique, and no longer than a file's name may be, whatever scripts named their files."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from triptych.running.names import plain_names, shortened

_part = st.binary(min_size=1, max_size=255).filter(
    lambda part: not set(part) & set(b"/\0") and part not in (b".", b"..")
)
_few = st.sampled_from([b"a", b"\xff", b"\n", b"%FF", b"a\xff", b"a%FF", b"\xff" * 255, b"%FF" * 85])
_paths = st.lists(_part | _few, min_size=1, max_size=3).map(b"/".join)


@given(st.sets(_paths, max_size=12))
def test_every_set_of_paths_gets_plain_names_that_differ(paths: set[bytes]) -> None:
    given_names = [os.fsdecode(path) for path in paths]
    names = plain_names(given_names)
    assert len(set(names)) == len(names) == len(paths)
    for original, name in zip(given_names, names, strict=True):
        for part in name.split("/"):
            assert 0 < len(part.encode("utf-8")) <= 255
            assert not any(ord(character) < 32 or ord(character) == 127 for character in part)
        assert name.count("/") == original.count("/")


def test_examples() -> None:
    raw = [b"a.txt", b"b\xff.txt", b"tab\there", b"d/\xc3\xa9"]
    assert plain_names(map(os.fsdecode, raw)) == ["a.txt", "b%FF.txt", "tab%09here", "d/é"]


def test_a_name_that_is_as_it_should_be_keeps_it_from_one_that_is_not() -> None:
    names = plain_names(["\udcff", "%FF"])
    assert names[1] == "%FF"
    assert names[0].startswith("%FF~")


def test_a_long_name_keeps_its_beginning_and_its_suffix() -> None:
    short = shortened("000001_" + "é" * 200 + ".jpeg")
    assert len(short.encode()) in (254, 255)
    assert short.startswith("000001_éé")
    assert short.endswith(".jpeg")
    assert short != shortened("000001_" + "é" * 201 + ".jpeg")
    assert shortened("x" * 255) == "x" * 255

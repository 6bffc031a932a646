"""Names of results in one flat folder: unique, and as they were where nothing collides."""

from __future__ import annotations

import random
import string

import pytest

from triptych.stages.results import flat_names


@pytest.mark.parametrize(
    ("names", "flat"),
    [
        ([(0, "a.txt"), (1, "b.txt")], ["a.txt", "b.txt"]),
        ([(0, "out.png"), (3, "out.png")], ["000000_out.png", "000003_out.png"]),
        ([(0, "deep/a"), (1, "b")], ["a", "b"]),
        ([(2, "a/x"), (2, "b/x")], ["000002_a_x", "000002_b_x"]),
        ([(0, "output.json")], ["output.json"]),
        ([(0, "x"), (1, "x"), (2, "000001_x")], ["000000_x", "000001_x", "000002_000001_x"]),
        ([], []),
    ],
)
def test_names_stay_unless_they_collide(names: list[tuple[int, str]], flat: list[str]) -> None:
    assert flat_names(names) == flat


def test_order_by_name_is_the_order_of_chunks_where_all_collide() -> None:
    flat = flat_names([(number, "output.png") for number in range(1200)])
    assert sorted(flat) == flat


def test_names_are_unique_whatever_the_files_are_called() -> None:
    source = random.Random(3)
    for _ in range(300):
        count = source.randrange(1, 12)
        chunks = sorted(source.randrange(3) for _ in range(count))
        parts = ["a", "b", "_a", "000000_a", "000001_a", "output.json", "a_b"]
        given = {(n, "/".join(source.choices(parts, k=source.randrange(1, 4)))) for n in chunks}
        names = sorted(given)
        flat = flat_names(names)
        assert len(set(flat)) == len(names)
        assert not any("/" in name for name in flat)
        assert all(set(name) <= set(string.ascii_letters + string.digits + "_.") for name in flat)

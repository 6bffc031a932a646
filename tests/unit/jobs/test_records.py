"""Objects that stages wrote for each other, spoiled: named, with the place, and never a traceback."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from triptych.errors import IntegrityError
from triptych.jobs.records import read_record


@dataclass(frozen=True)
class Inner:
    """One of several."""

    name: str


@dataclass(frozen=True)
class Outer:
    """With a field of each sort that records have."""

    count: int
    seconds: float
    label: str | None
    inner: tuple[Inner, ...]
    by_name: Mapping[str, int]


SOUND: dict[str, Any] = {"count": 1, "seconds": 2, "label": None, "inner": [{"name": "a"}], "by_name": {"a": 1}}


def _outer(data: Mapping[str, Any]) -> Outer:
    return Outer(**{**data, "inner": tuple(Inner(**each) for each in data["inner"])})


def test_a_sound_one_is_read() -> None:
    assert read_record(json.dumps(SOUND).encode(), "here", _outer) == Outer(1, 2, None, (Inner("a"),), {"a": 1})


@pytest.mark.parametrize(
    "change",
    [
        {"count": "1"},
        {"count": True},
        {"count": 1.5},
        {"seconds": None},
        {"label": 1},
        {"inner": None},
        {"inner": [{"name": 1}]},
        {"inner": [{}]},
        {"inner": [{"name": "a", "more": 1}]},
        {"by_name": []},
        {"by_name": {"a": "1"}},
        {"more": 1},
    ],
)
def test_another_shape_is_named(change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="here: is no record as Triptych writes it"):
        read_record(json.dumps({**SOUND, **change}).encode(), "here", _outer)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[]", b"null", b"{", b"[" * 100_000])
def test_no_json_is_named(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="here: is no record as Triptych writes it"):
        read_record(data, "here", _outer)

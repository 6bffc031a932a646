"""What an engine may use: its share of memory, and the one sentence for what needs more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triptych.engines.runtime.resources import Resources, resources, using
from triptych.errors import SourceError, TriptychError
from triptych.options import OPTIONS
from triptych.settings import read_settings

MIB = 1 << 20


class Text:
    """As much of an input as a refusal reads."""

    def error(self, text: str) -> TriptychError:
        return SourceError(f"file:///a.txt: {text}")


TEXT: Any = Text()


def test_a_share_is_a_fraction_of_the_memory(tmp_path: Path) -> None:
    given = Resources(tmp_path, 512 * MIB)
    assert given.share(1 / 8).bytes == 64 * MIB
    assert given.share(0.25, "a record").bytes == 128 * MIB


def test_what_fits_passes_and_what_does_not_is_refused_by_name(tmp_path: Path) -> None:
    share = Resources(tmp_path, 64 * MIB).share(1 / 8, "the record at byte 7")
    share.check(8 * MIB, TEXT)
    with pytest.raises(SourceError) as caught:
        share.check(8 * MIB + 1, TEXT)
    assert str(caught.value) == (
        "file:///a.txt: the record at byte 7 is longer than 8 MiB. Raise [triptych] engine_memory_mib."
    )


def test_advice_comes_before_the_setting(tmp_path: Path) -> None:
    share = Resources(tmp_path, MIB).share(0.5, "the line")
    assert str(share.exceeded(TEXT, "Cut it.")).endswith(
        "longer than 0.5 MiB. Cut it. Or raise [triptych] engine_memory_mib."
    )


def test_folders_are_new_and_in_the_scratch(tmp_path: Path) -> None:
    given = Resources(tmp_path, MIB)
    folders = [given.new_folder() for _ in range(3)]
    assert len(set(folders)) == 3
    assert all(folder.parent == tmp_path and list(folder.iterdir()) == [] for folder in folders)


def test_the_stages_resources_are_the_engines_while_it_runs(tmp_path: Path) -> None:
    outer, inner = Resources(tmp_path, MIB), Resources(tmp_path, 2 * MIB)
    with using(outer):
        with using(inner):
            assert resources() is inner
        assert resources() is outer
    with pytest.raises(LookupError):
        resources()


def test_the_setting_that_a_refusal_names_exists() -> None:
    assert "engine_memory_mib" in {option.key for option in OPTIONS}


def test_a_disk_without_room_is_told_as_the_owners(tmp_path: Path) -> None:
    plenty = read_settings({"scratch_reserve_mib": "0"})
    Resources(tmp_path, MIB, plenty).check_room(TEXT)
    scarce = read_settings({"scratch_reserve_mib": str(1 << 40)})
    with pytest.raises(SourceError, match=r"what it unpacks to fills the disk: .* scratch_reserve_mib = "):
        Resources(tmp_path, MIB, scarce).check_room(TEXT)

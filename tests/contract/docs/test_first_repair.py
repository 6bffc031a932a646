"""docs/tutorial/first-repair.md, followed word by word: two of a thousand chunks found, seen and mended by commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.page_scripts import FENCED
from tests.support.readers import Reader
from triptych.settings import PROJECT

pytestmark = pytest.mark.docker
PAGE = PROJECT / "docs" / "tutorial" / "first-repair.md"


def test_two_chunks_of_a_thousand_are_mended(tmp_path: Path) -> None:
    blocks = FENCED.findall(PAGE.read_text(encoding="utf-8"))
    assert [language for language, _ in blocks] == ["sh", "sh", "", "", "sh", "sh", "sh", "sh", "", "sh"]
    new, launch, failed, why, show, fetch, mend, retry, ran, logs = [text for _, text in blocks]
    (tmp_path / "here" / "include").mkdir(parents=True)
    reader = Reader(tmp_path / "here", tmp_path)

    assert reader.type(new) == 0, reader.stderr
    assert reader.type(launch) == 8
    assert failed in reader.stderr
    assert why.strip() in reader.stderr
    (run_id,) = set(re.findall(r"--resume (\S+)", reader.stderr))
    told = [text.replace("RUN", run_id) for text in (show, fetch, mend, retry, logs)]

    assert reader.type(told[0]) == 0, reader.stderr
    assert [line.split()[0] for line in reader.stdout.splitlines()[1:3]] == ["388", "749"], reader.stdout
    assert "998 done, 2 failed" in reader.stdout
    assert reader.type(told[1]) == 8
    assert reader.stdout.startswith("chunk-388\nn.a.\n778\n")
    assert reader.type(told[2]) == 0, reader.stderr
    assert not (reader.folder / "out" / "output.txt").exists()

    assert reader.type(told[3]) == 0, reader.stderr
    assert ran in reader.stderr
    means = [float(line) for line in (reader.folder / "out" / "output.txt").read_text().splitlines()]
    whole = [(first + first + 1) / 2 for first in range(1, 2001, 2)]
    assert [number for number, pair in enumerate(zip(means, whole, strict=True)) if pair[0] != pair[1]] == [388, 749]
    assert (means[388], means[749]) == (778.0, 1499.0)

    assert reader.type(told[4]) == 0, reader.stderr
    assert reader.stdout.splitlines()[0] == "1000"
    assert reader.stdout.rstrip().endswith("left out: 15OO")

"""`redact_pii`: what was put into records is gone, one person has one pseudonym, and no log has what was personal."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.apps.conftest import App
from tests.support.app_images import APPS
from tests.support.app_tests import states
from triptych.settings import PROJECT

if TYPE_CHECKING:
    import pytest

TEST = APPS / "redact_pii" / "test"
MESSAGES = TEST / "messages.csv"
KEY = "a key of the test's own, long enough"
TEXT_ONLY = ("-p", 'app.columns=["text"]')


def _check(output: Path) -> subprocess.CompletedProcess[str]:
    """The script alone: -I keeps Triptych, and all else, out of it."""
    command = [sys.executable, "-I", str(TEST / "check.py"), str(output), str(TEST / "expected")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _table(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


SPANS = _table(TEST / "expected" / "spans.tsv", "\t")


def test_the_sample_and_a_mistake(image: Callable[[str], str], tmp_path: Path) -> None:
    image("redact_pii")
    assert states("redact_pii", PROJECT / "include", tmp_path) == {"redact_pii": "passed"}
    folder = tmp_path / "include" / "apps" / "redact_pii"
    shutil.copytree(APPS / "redact_pii", folder)
    script = folder / "app" / "main.py"
    assert "in reversed(merged(found))" in script.read_text()
    script.write_text(script.read_text().replace("in reversed(merged(found))", "in merged(found)"))
    assert states("redact_pii", tmp_path / "include", tmp_path) == {"redact_pii": "failed"}


def test_one_person_has_one_pseudonym_in_all_chunks_and_nobody_anothers(
    run_app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_REDACT_PII_KEY", json.dumps({"conn_type": "generic", "password": KEY}))
    options = (*TEXT_ONLY, "-p", "app.method=pseudonym", "-p", "partitioner.items_per_chunk=16")
    output = run_app("redact_pii", [MESSAGES], *options)
    assert _check(output).returncode == 0
    redacted = {row["ticket"]: row["text"] for row in _table(output / "output.csv")}
    tokens: dict[str, set[str]] = {}
    for span in SPANS:
        # Where a record has one person, its token is that person's.
        if span["entity"] == "PERSON":
            tokens.setdefault(span["value"], set()).update(re.findall(r"<PERSON_\w{10}>", redacted[span["ticket"]]))
    assert max(sum(span["value"] == name for span in SPANS) for name in tokens) > 3
    assert all(len(each) == 1 for each in tokens.values())
    assert len(set.union(*tokens.values())) == len(tokens)
    # What the log, the report and the records of the job say is kept in the cache folder; the sources are not.
    kept = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept
    for span in SPANS:
        assert not [data for data in kept if span["value"].encode() in data]
    assert not [data for data in kept if KEY.encode() in data]


def test_a_failing_record_is_not_shown(tmp_path: Path, image: Callable[[str], str]) -> None:
    image("redact_pii")
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"text": "Nothing"}\n{"text": "Maria Gonzalez, 078-05-1120" "oh": 1}\n')
    command = [sys.executable, "-m", "triptych", "run", "redact_pii", "--include", str(PROJECT / "include")]
    own = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONPATH": str(PROJECT / "plugins")}
    options = ["--source", str(broken), "--destination", str(tmp_path / "out"), "-p", "partitioner.format=lines"]
    done = subprocess.run([*command, *options], env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    shown = done.stdout + done.stderr
    assert "record 2 of the chunk: JSONDecodeError" in shown
    assert "Gonzalez" not in shown
    assert "078-05" not in shown
    logs = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert not [data for data in logs if b"Gonzalez" in data]


def test_counts_are_those_of_what_was_put_in(run_app: App) -> None:
    output = run_app("redact_counts", [MESSAGES], *TEXT_ONLY, "-p", "partitioner.items_per_chunk=24")
    found = {name: each["sum"] for name, each in json.loads((output / "reduced.json").read_text()).items()}
    for kind in ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "PHONE_NUMBER"):
        assert found[kind] == sum(span["entity"] == kind for span in SPANS)
    assert found["records"] == 48

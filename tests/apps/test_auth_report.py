"""`auth_report` beside the labels that fail2ban's authors gave real lines of logs. (Its sample: `test_samples.py`.)"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.apps.conftest import App
from tests.support.app_images import APPS
from tests.support.debian_files import unpacked

CHECK = APPS / "auth_report" / "test" / "check.py"
LOGS = "usr/lib/python3/dist-packages/fail2ban/tests/files/logs"
FILES = {"apache": "apache-auth", "dovecot": "dovecot", "postfix": "postfix", "sshd": "sshd"}
WORDS_OF_ATTACKS = re.compile(r"fail|invalid|denied|reject|error|refused", re.IGNORECASE)
"""What anybody would look for first: the bar to be beaten."""
FOUND = {"apache": 40, "dovecot": 43, "postfix": 49, "sshd": 100}
"""At least so many, of 40, 44, 49 and 103; and none that is none."""


@dataclass(frozen=True)
class Label:
    """What fail2ban's mode `aggressive` has to say of a line; `host` is empty where the label tells none."""

    line: str
    is_attack: bool
    host: str


def _labels(path: Path) -> list[Label]:
    """In order; of a line that other modes judge otherwise, what the last says that is aggressive, or has no mode."""
    options: list[dict[str, Any]] = [{}]
    told: dict[str, Any] = {}
    found: list[Label] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if note := re.match(r"#+ ?(failJSON|filterOptions): ?(.+)", line):
            value = json.loads(note[2])
            if note[1] == "failJSON":
                told = value
            else:
                options = value if isinstance(value, list) else [value]
            continue
        if line.startswith("#") or not line.strip():
            continue
        modes = {each.get("mode", "") for each in options}
        other_mode = "!= 'aggressive'" in told.get("constraint", "") or "normal mode" in told.get("desc", "").lower()
        if told and modes & {"aggressive", ""} and not (other_mode and not told["match"]):
            found.append(Label(line, told["match"], told.get("host", "")))
        told = {}
    last = {each.line: each for each in found}
    return [each for each in found if each == last[each.line]]


def _in_log(labels: list[Label]) -> Iterator[Label]:
    """Without those whose time is TAI64N, such as @400000004c91b044077a9e94, which `log_times` does not read."""
    return (each for each in labels if not each.line.startswith("@4000"))


def _check(output: Path, expected: Path) -> subprocess.CompletedProcess[str]:
    """The script alone: -I keeps Triptych, and all else, out of it."""
    command = [sys.executable, "-I", str(CHECK), str(output), str(expected)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def labelled(tmp_path: Path) -> dict[str, list[Label]]:
    """By service; a file of the lines, `<service>.log`, lies in the test's folder, and their labels in `expected`."""
    found = {service: [*_in_log(_labels(unpacked("fail2ban") / LOGS / name))] for service, name in FILES.items()}
    (tmp_path / "expected").mkdir()
    with (tmp_path / "expected" / "attacks.tsv").open("w", newline="") as file:
        # As they are: lines have quotes, and no tabs.
        table = csv.writer(file, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None, lineterminator="\n")
        table.writerow(("service", "host", "line"))
        for service, labels in found.items():
            (tmp_path / f"{service}.log").write_text("".join(f"{each.line}\n" for each in labels))
            table.writerows((service, each.host, each.line) for each in labels if each.is_attack)
    bars = {service: {"found": count, "false": 0} for service, count in FOUND.items()}
    (tmp_path / "expected" / "least.json").write_text(json.dumps(bars))
    return found


def test_labelled_attacks_are_found_and_no_other_lines(
    run_app: App, labelled: dict[str, list[Label]], tmp_path: Path
) -> None:
    logs = [tmp_path / f"{service}.log" for service in labelled]
    output = run_app("auth_report", logs, "-p", "partitioner.year=2005", "-p", "partitioner.window_s=2592000")
    checked = _check(output, tmp_path / "expected")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    for service, labels in labelled.items():
        named = [each.is_attack for each in labels if WORDS_OF_ATTACKS.search(each.line)]
        assert FOUND[service] >= sum(named)
        assert sum(named) < len(named)

    # What the check says, with one attempt left out, and with one host changed.
    lines = (output / "attacks.jsonl").read_text().splitlines()
    postfix = next(number for number, line in enumerate(lines) if '"service": "postfix"' in line)
    for name, changed in (("less", []), ("other", [re.sub(r'"host": "[^"]*', '"host": "x', lines[postfix])])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "attacks.jsonl").write_text("\n".join([*lines[:postfix], *changed, *lines[postfix + 1 :]]))
        assert _check(tmp_path / name, tmp_path / "expected").returncode == 1


def test_hosts_are_counted_over_all_services(run_app: App) -> None:
    sample = APPS / "auth_report" / "test"
    logs = [sample / "auth.log", sample / "mail.log", sample / "error.log"]
    output = run_app("auth_hosts", logs, "-p", "partitioner.year=2026", "-p", "partitioner.window_s=3600")
    with (output / "hosts.csv").open(newline="") as file:
        counts = {(row["host"], row["service"]): int(row["count"]) for row in csv.DictReader(file)}
    with (sample / "expected" / "attacks.tsv").open(newline="") as file:
        expected = [(row["host"], row["service"]) for row in csv.DictReader(file, delimiter="\t")]
    assert counts == {each: expected.count(each) for each in expected}

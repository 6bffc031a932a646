"""One run that two processes do at the same time, both held in one stage: one output, with nothing twice."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from tests.faults.blocks import write_blocks
from tests.faults.conftest import Ledger
from tests.faults.judge import compare, expected_output, make_lines
from tests.support.command_line import Ended, command_line
from triptych.airflow.rest import poll
from triptych.errors import UnfinishedRunError
from triptych.settings import PROJECT

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
ROWS, CHUNKS = 10, 4


@pytest.mark.parametrize("stage", ["app", "assemble"])
@pytest.mark.parametrize("machines", [1, 2])
def test_the_same_run_twice(tmp_path: Path, ledger: Ledger, machines: int, stage: str) -> None:
    """On one machine the second is refused by the run's lock; on two, whose locks are apart, it runs."""
    row = ledger.row(f"the same run twice, {stage}" + (", on two machines" if machines == 2 else ""))
    row.tried += 1
    lines = make_lines(stage, ROWS * CHUNKS)
    source, destination, workspace = tmp_path / "in.txt", tmp_path / "out", tmp_path / "workspace"
    source.write_text("".join(f"{line}\n" for line in lines))
    write_blocks(tmp_path / "include")
    gates = tmp_path / "cache" / "apps" / "held" if stage == "app" else tmp_path / "gates"
    gates.mkdir(parents=True)
    (gates / "gate.shut").touch()
    env = {
        "AIRFLOW__TRIPTYCH__WORKSPACE": workspace.as_uri(),
        "AIRFLOW__TRIPTYCH__SCRATCH": str(tmp_path / "scratch"),
        "AIRFLOW__TRIPTYCH__CACHE": str(tmp_path / "cache"),
        "TRIPTYCH_INCLUDE": f"{tmp_path / 'include'}:{PROJECT / 'include'}",
    }
    first = ["run", "held", "--quiet", "--keep", "--runner", "process", "--workers", "2"]
    launch = [*first, "--source", str(source), "--destination", str(destination)]
    launch += ["-p", f"partitioner.rows={ROWS}", "-p", f"assembler.folder={gates}"]
    launch += ["-p", "app.gate=gate", "-p", "app.held=[1]"] if stage == "app" else ["-p", "assembler.gate=gate"]
    log, ends = gates / "gate.log", list[Ended]()
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with command_line(env, tmp_path / "one") as one, command_line(env, tmp_path / "two") as two:
        runs = [threading.Thread(target=lambda: ends.append(one(*launch)))]
        runs[0].start()
        assert poll(lambda: _arrived(log) == 1, 120, 0.05), "the first did not come to the gate"
        (folder,) = (workspace / "held").iterdir()
        if machines == 2:
            shutil.rmtree(workspace / "_runs")
        runs.append(threading.Thread(target=lambda: ends.append(two(*first, "--resume", folder.name))))
        runs[1].start()
        try:
            assert poll(lambda: _arrived(log) == 2 or not runs[1].is_alive(), 120, 0.05), "nor the second"
            row.hit = _arrived(log) - 1 if machines == 2 else int(_is_refused(ends))
        finally:
            (gates / "gate.shut").unlink()
            for run in runs:
                run.join()
        row.notes += [
            f"one ended with {ended.code}: {ended.text[-600:]}" for ended in ends[2 - machines :] if ended.code
        ]
        row.notes += [text[-900:] for text in (*one.tracebacks, *two.tracebacks)]
    found = destination / "output.txt"
    row.add_job(row.hit, compare(expected_output(lines), found.read_bytes() if found.exists() else None))
    row.left += [f"scratch {path.name}" for path in (tmp_path / "scratch").iterdir()]
    row.left += [f"hidden {path}" for path in destination.rglob(".*")]
    assert row.hit == 1, f"the second did not come to the gate, or to the lock: {ends}"
    assert row.is_clean, row.faults()


def _is_refused(ends: list[Ended]) -> bool:
    """Whether the second has ended, while the first holds the run."""
    return [ended.code for ended in ends] == [UnfinishedRunError.exit_code]


def _arrived(log: Path) -> int:
    return len(log.read_text().splitlines()) if log.exists() else 0

"""A disk that is full, or becomes read-only, under each place that a job writes to: it says so, and can be taken up."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.blocks import write_blocks
from tests.faults.conftest import WHOLE, Ledger
from tests.faults.judge import compare, expected_output, make_lines
from tests.support.command_line import CommandLine, Ended, command_line
from triptych.airflow.rest import poll
from triptych.settings import PROJECT

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]
PLACES = ("scratch", "workspace", "destination", "cache")
ROWS, CHUNKS = 20, 4


@dataclass
class Disk:
    """A small file system in memory, at `folder`."""

    folder: Path

    def fill(self) -> None:
        """Leave no byte free."""
        with (self.folder / "ballast").open("wb", buffering=0) as out:
            try:
                while True:
                    out.write(bytes(1 << 16))
            except OSError:
                return

    def spoil(self, how: str) -> None:
        if how == "full":
            self.fill()
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)

    def mend(self, how: str) -> None:
        if how == "full":
            (self.folder / "ballast").unlink()
        else:
            subprocess.run(["mount", "-o", "remount,rw", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.decode().strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("how", ["full", "read-only"])
@pytest.mark.parametrize("place", PLACES if WHOLE else PLACES[:3])
def test_a_disk(disk: Disk, tmp_path: Path, ledger: Ledger, place: str, how: str) -> None:
    row = ledger.row(f"disk {how}: {place}")
    row.tried += 1
    folders = {each: tmp_path / each for each in PLACES} | {place: disk.folder / place}
    lines = make_lines(f"{place} {how}", ROWS * CHUNKS, 1000)
    source = tmp_path / "in.txt"
    source.write_text("".join(f"{line}\n" for line in lines))
    write_blocks(tmp_path / "include")
    env = {
        "AIRFLOW__TRIPTYCH__WORKSPACE": folders["workspace"].as_uri(),
        "AIRFLOW__TRIPTYCH__SCRATCH": str(folders["scratch"]),
        "AIRFLOW__TRIPTYCH__SCRATCH_RESERVE_MIB": "0",  # These disks are smaller.
        "AIRFLOW__TRIPTYCH__CACHE": str(folders["cache"]),
        "TRIPTYCH_INCLUDE": f"{tmp_path / 'include'}:{PROJECT / 'include'}",
    }
    launch = ["run", "held", "--quiet", "--runner", "process", "--workers", "2"]
    launch += ["--source", str(source), "--destination", str(folders["destination"])]
    # What holds open files cannot be made read-only: all but the destination are it from the start, and nobody waits
    # at the gate.
    from_start = how == "read-only" and place != "destination"
    launch += ["-p", f"partitioner.rows={ROWS}", "-p", "app.gate=gate", "-p", f"app.held={[] if from_start else [2]}"]
    gates = folders["cache"] / "apps" / "held"
    gates.mkdir(parents=True)
    (gates / "gate.shut").touch()
    with command_line(env, tmp_path) as command:
        if from_start:
            disk.spoil(how)
            first = command(*launch)
        else:
            first = _while_held(command, launch, gates, disk, how)
        if first.code:
            row.hit += 1
            row.states[f"ended with {first.code}"] += 1
        disk.mend(how)
        (gates / "gate.shut").unlink(missing_ok=True)
        last = command.take_up(launch, first)
        if last.code:
            row.notes.append(f"taken up, it ended with {last.code}: {last.text[-500:]}")
        found = folders["destination"] / "output.txt"
        verdict = compare(expected_output(lines), found.read_bytes() if found.exists() else None)
        row.add_job(row.hit, verdict)
        row.notes += [f"a traceback: {text[-900:]}" for text in command.tracebacks]
        row.left += [f"scratch {path.name}" for path in folders["scratch"].iterdir()]
        row.left += [f"hidden {path}" for path in folders["destination"].rglob(".*")]
    assert row.hit == 1, f"the disk did no harm: {first.text}"
    assert row.is_clean, row.faults()


def _while_held(command: CommandLine, launch: list[str], gates: Path, disk: Disk, how: str) -> Ended:
    """Run the job until it is at its gate; spoil the disk, open the gate, and see how the job ends."""
    ended: list[Ended] = []
    run = threading.Thread(target=lambda: ended.append(command(*launch)))
    run.start()
    log = gates / "gate.log"
    assert poll(lambda: log.exists() or not run.is_alive(), 120, 0.05), "the job did not come to its gate"
    disk.spoil(how)
    (gates / "gate.shut").unlink()
    run.join()
    return ended[0]

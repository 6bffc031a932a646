"""What a session tells of a unit, for every runner: its log, what it took, and why it failed."""

from __future__ import annotations

import io
import re

import pytest

from tests.contract.running.conftest import Workbench
from triptych.errors import ChunkError
from triptych.running import Session, Unit, UnitError
from triptych.running.lines import MAX_LINE_BYTES, UNIT_LOG_BYTES
from triptych.running.removal import remove_folder
from triptych.running.result_files import result_files
from triptych.running.spec import LONGEST_VARIABLE_BYTES

SPEAKS = """
import os, sys
os.write(1, "one é\\n\\n".encode() + b"not \\xff UTF-8\\nunfinished")
"""
BUSY = """
import os, time
while time.process_time() < 0.5:
    pass
raise SystemExit(int(os.environ["CODE"]))
"""


def test_a_units_log_holds_its_own_lines(workbench: Workbench) -> None:
    spec = workbench.spec(SPEAKS)
    session = workbench.session(spec)
    for name in ("first", "second"):
        log = io.BytesIO()
        session.run(workbench.unit(spec, name, log))
        assert log.getvalue().decode() == "one é\n\nnot \ufffd UTF-8\nunfinished\n"


def test_a_log_is_cut_and_says_so(workbench: Workbench) -> None:
    line = "x" * 8000
    lines = UNIT_LOG_BYTES // (len(line) + 1)
    spec = workbench.spec(f"for n in range({lines + 50}): print({line!r})")
    log = io.BytesIO()
    workbench.session(spec).run(workbench.unit(spec, log=log))
    *kept, cut, end = log.getvalue().decode().split("\n")
    assert kept == [line] * lines
    assert "cut here" in cut
    assert end == ""


def test_an_endless_line_comes_in_pieces(workbench: Workbench) -> None:
    spec = workbench.spec("print('y' * 1_000_000, end='')")
    log = io.BytesIO()
    workbench.session(spec).run(workbench.unit(spec, log=log))
    pieces = log.getvalue().split(b"\n")
    assert b"".join(pieces) == b"y" * 1_000_000
    assert max(map(len, pieces)) <= MAX_LINE_BYTES + 65536  # What one read may add to a full line.


class FullDisk(io.BytesIO):
    def write(self, data: object, /) -> int:
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_fails_no_unit(workbench: Workbench, caplog: pytest.LogCaptureFixture) -> None:
    spec = workbench.spec(SPEAKS)
    workbench.session(spec).run(workbench.unit(spec, log=FullDisk()))
    assert [text for text in caplog.messages if "No space left" in text] == [
        "The log of this chunk ends here: [Errno 28] No space left on device"
    ]


def test_a_failed_unit_has_measures_exit_code_and_log(workbench: Workbench) -> None:
    spec = workbench.spec(BUSY)
    session = workbench.session(spec)
    with pytest.raises(UnitError, match=re.escape("exit code 3.")) as caught:
        session.run(workbench.unit(spec, CODE="3"))
    assert caught.value.script_exit_code == 3
    assert caught.value.retryable
    usage = caught.value.usage
    assert usage is not None
    assert usage.cpu_seconds is not None
    assert usage.cpu_seconds > 0.4  # It burnt half a second by its own clock.
    assert usage.seconds > 0.4
    # The next unit of the session does not inherit what the first one took.
    again = session.run(workbench.unit(spec, "1", CODE="0"))
    assert again.cpu_seconds is not None
    assert 0.4 < again.cpu_seconds < usage.cpu_seconds + 5


def test_a_unit_that_was_ended_has_its_time(workbench: Workbench) -> None:
    spec = workbench.spec("import threading; print('waiting', flush=True); threading.Event().wait()", timeout_s=2)
    log = io.BytesIO()
    with pytest.raises(UnitError, match="longer than its timeout of 2 s") as caught:
        workbench.session(spec).run(workbench.unit(spec, log=log))
    assert caught.value.usage is not None
    assert caught.value.usage.seconds >= 2
    assert log.getvalue() == b"waiting\n"


ODD_NAMES = """
import os
os.chdir(os.environ["TASK_RESULTS_DIR"])
for number, name in enumerate([b"\\xff", b"%FF", b"new\\nline", b"x" * 255, b"\\xff" * 255, b"sub/\\xfe\\xff"]):
    os.makedirs(os.path.dirname(name) or b".", exist_ok=True)
    with open(name, "w") as out:
        out.write(str(number))
"""
DEEP = """
import os
os.chdir(os.environ["TASK_RESULTS_DIR"])
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
open("file", "w").close()
"""


def test_odd_names_come_out_of_every_runner_alike(workbench: Workbench) -> None:
    spec = workbench.spec(ODD_NAMES)
    unit = workbench.unit(spec)
    workbench.session(spec).run(unit)
    found = {file.name: b"".join(file.blocks()) for file in result_files(unit.folder / "out", None)}
    assert sorted(found.values()) == [b"%d" % number for number in range(6)]
    assert {"%FF", "new%0Aline", "x" * 255, "sub/%FE%FF"} < set(found)


def test_1500_folders_end_neither_the_session_nor_its_clean_up(workbench: Workbench) -> None:
    spec = workbench.spec(DEEP)
    session = workbench.session(spec)
    for name in "01":
        unit = workbench.unit(spec, name)
        with pytest.raises(ChunkError, match="more than 100 folders"):
            _judged(session, unit)
        assert remove_folder(unit.folder)
    assert list(spec.units.iterdir()) == []


def _judged(session: Session, unit: Unit) -> None:
    session.run(unit)  # Through the archive API results are judged here,
    result_files(unit.folder / "out", None)  # else here.


def test_a_variable_that_linux_does_not_pass_on_is_named(workbench: Workbench) -> None:
    spec = workbench.spec("")
    session = workbench.session(spec)
    longest = "x" * (LONGEST_VARIABLE_BYTES - len("CHUNK_METADATA=") - 1)
    session.run(workbench.unit(spec, "fits", CHUNK_METADATA=longest))
    with pytest.raises(UnitError, match="CHUNK_METADATA would be 131,073 bytes long, and Linux passes") as caught:
        session.run(workbench.unit(spec, "beyond", CHUNK_METADATA=f"{longest}x"))
    assert not caught.value.retryable

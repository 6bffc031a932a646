"""The loop under the shells that images have. Always in a pid namespace: it ends all that it can reach."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from triptych.running.interpreter import LAUNCHER
from triptych.running.loop import REFUSED, Marker, MarkerError

LOOP = str(LAUNCHER / "loop.sh")
ALONE = ["unshare", "--map-root-user", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
SHELLS = {"dash": ["dash"], "bash": ["bash"], "bash as sh": ["bash", "--posix"], "ash": ["busybox", "ash"]}
INITS = {"as process 1": [], "below an init": ["docker-init", "--"]}
LEAVES = """
echo "out $WORD"
echo "error $WORD" >&2
for n in 1 2 3 4 5 6 7 8 9; do
  (trap "" TERM HUP INT; setsid sh -c 'while :; do echo late; echo late >&2; done' &)
done
for other in /proc/[0-9]*; do
  read -r name <"$other/comm" && echo "$name"
done >"$SEEN"
printf unfinished
exit 3
"""


@pytest.fixture(params=list(SHELLS.values()), ids=list(SHELLS))
def shell(request: pytest.FixtureRequest) -> list[str]:
    command: list[str] = request.param
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    return command


@pytest.fixture(params=list(INITS.values()), ids=list(INITS))
def init(request: pytest.FixtureRequest) -> list[str]:
    command: list[str] = request.param
    if command and shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    return command


@contextmanager
def _running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([*ALONE, *command], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()  # And with it all of its namespace.


def _unit(folder: Path, name: str, **variables: str) -> Path:
    unit = folder / name
    (unit / "in").mkdir(parents=True)
    (unit / "env.sh").write_text("".join(f"export {key}='{value}'\n" for key, value in variables.items()))
    return unit


def _send(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def _until(stream: IO[str] | None, nonce: str) -> tuple[list[str], str]:
    """The lines before the marker, without the loop's empty one, and the marker."""
    assert stream is not None
    lines: list[str] = []
    for line in stream:
        if line.startswith(nonce):
            assert lines.pop() in ("\n", "unfinished\n")
            return lines, line
        lines.append(line)
    raise AssertionError(lines)


def test_what_a_script_leaves_running_ends_with_it(shell: list[str], init: list[str], tmp_path: Path) -> None:
    script = tmp_path / "main.sh"
    script.write_text(LEAVES)
    with _running([*init, *shell, LOOP, "sh", str(script)]) as process:
        for number in range(3):
            nonce, seen = f"nonce{number}", tmp_path / f"seen{number}"
            unit = _unit(tmp_path, str(number), WORD=f"it's {number}".replace("'", "'\\''"), SEEN=str(seen))
            _send(process, f"{nonce} {unit}")
            out, marker = _until(process.stdout, nonce)
            assert out[0] == f"out it's {number}\n"
            assert marker.split()[1] == "3"
            assert marker.split()[-1] == "0"  # Nothing is left.
            errors, _ = _until(process.stderr, nonce)
            assert errors[0] == f"error it's {number}\n"
            # Those of this unit alone: init, the loop, its watcher, the script with its nine and theirs.
            names = seen.read_text().split()
            assert len(names) <= 4 + 2 * 9 + 2
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""  # Nobody writes after a marker.


def test_the_end_of_its_input_ends_a_script(shell: list[str], init: list[str], tmp_path: Path) -> None:
    with _running([*init, *shell, LOOP, "sh", "-c", "trap '' TERM HUP INT; echo on; while :; do :; done"]) as process:
        _send(process, f"nonce {_unit(tmp_path, '0')}")
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


def test_a_script_can_be_interrupted(shell: list[str], init: list[str], tmp_path: Path) -> None:
    """It runs in the foreground: a shell makes its background jobs deaf to SIGINT."""
    script = "import os, signal; signal.signal(signal.SIGINT, signal.default_int_handler); os.kill(os.getpid(), 2)"
    with _running([*init, *shell, LOOP, shutil.which("python3") or "python3", "-c", script]) as process:
        _send(process, f"nonce {_unit(tmp_path, '0')}")
        errors, _ = _until(process.stderr, "nonce")
        assert errors[-1] == "KeyboardInterrupt\n"


def test_it_refuses_a_process_1_that_is_not_its_own(shell: list[str], tmp_path: Path) -> None:
    """Outside a namespace of its own it would end the machine. (Here there is one, lest this test should fail.)"""
    quoted = " ".join([*shell, LOOP, "true"])
    with _running(["sh", "-c", f"{quoted}; echo $?"]) as process:
        out, _ = process.communicate("", timeout=60)
        assert out.splitlines() == [
            "Process 1 here is neither the init that was asked for nor this shell.",
            str(REFUSED),
        ]


def test_it_refuses_a_shell_without_kill() -> None:
    if shutil.which("bash") is None:
        pytest.skip("no bash here")
    with _running(["bash", "-c", f"enable -n kill; . {LOOP} true"]) as process:
        out, _ = process.communicate("", timeout=60)
        assert "has no builtin 'kill'" in out
        assert process.returncode == REFUSED


def test_it_needs_no_path_but_the_shells(shell: list[str], tmp_path: Path) -> None:
    path = shutil.which(shell[0])
    assert path is not None
    program = ["env", "-i", "PATH=/nowhere", path, *shell[1:], LOOP, path, *shell[1:], "-c", "echo here"]
    with _running(program) as process:
        _send(process, f"nonce {_unit(tmp_path, '0')}")
        assert _until(process.stdout, "nonce")[0] == ["here\n"]


@pytest.mark.parametrize(
    "words", ["", "x", "0 0 0 0 0", "0 x 0 0 0 0", "999 0 0 0 0 0", "-1 0 0 0 0 0", "0 -2 0 0 0 0", "0 0 0 0 0 0 0"]
)
def test_what_is_no_marker_of_ours_is_refused(words: str) -> None:
    with pytest.raises(MarkerError, match="not by the loop"):
        Marker.of(f"nonce {words}")


def test_a_number_beyond_what_python_reads_is_no_marker() -> None:
    with pytest.raises(MarkerError):
        Marker.of(f"nonce 0 {'9' * 5000} 0 0 0 0")


def test_a_marker_is_six_numbers() -> None:
    assert Marker.of("nonce 3 1 2000000 -1 4096 1") == Marker(3, 1, 2000000, -1, 4096, 1)


def test_a_call_is_answered_on_both_outputs_and_runs_nothing(shell: list[str], init: list[str], tmp_path: Path) -> None:
    with _running([*init, *shell, LOOP, "sh", "-c", "echo ran"]) as process:
        for nonce in ("first", "second"):
            _send(process, nonce)
            assert process.stdout is not None
            assert process.stderr is not None
            assert (process.stdout.readline(), process.stderr.readline()) == (f"{nonce}\n",) * 2


def test_what_the_kernel_holds_for_nobody_is_told(shell: list[str], init: list[str], tmp_path: Path) -> None:
    makes = "import ctypes; assert ctypes.CDLL(None).shmget(0x5eed, 4096, 0o1600) >= 0"
    python = shutil.which("python3") or "python3"
    with _running(
        ["unshare", "--ipc", *init, *shell, LOOP, "sh", "-c", f'[ -z "$MAKES" ] || {python} -c "$MAKES"']
    ) as process:
        for number, (variables, left) in enumerate([({}, "0"), ({"MAKES": makes}, "1")]):
            _send(process, f"nonce{number} {_unit(tmp_path, str(number), **variables)}")
            assert _until(process.stdout, f"nonce{number}")[1].split()[-1] == left

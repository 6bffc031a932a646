"""What an app would have us read as its results: files of its worker, and files that change when its script has ended.

The bait is a file that only the worker may read, in a folder that only the worker may enter.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.attacks.worker import Bait, Worker

pytestmark = pytest.mark.docker
HEAD = """
import os, pathlib
results = pathlib.Path(os.environ["TASK_RESULTS_DIR"])
unit = results.parent
bait = pathlib.Path({bait!r})
"""
LATE = """
def late():
    (results / "folder").rename(results / "moved")
    (results / "folder").symlink_to(bait.parent)
    os.truncate(results / "grows", 3 << 30)
    (results / "pipe").unlink()
    os.mkfifo(results / "pipe")
    (results / "link").unlink()
    (results / "link").symlink_to(bait)
    os.truncate(results / "cut", 0)
    (results / "late").touch()

import signal, sys, time
(results / "folder").mkdir()
(results / "folder" / bait.name).write_text("ours")
for name in ("grows", "pipe", "link", "cut"):
    (results / name).write_text("ours")
script = os.getpid()
if os.fork() == 0:
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    while os.getppid() == script:
        pass
    late()
    while True:
        time.sleep(1)
"""


@pytest.fixture
def bait(worker: Worker) -> Iterator[Bait]:
    bait = worker.bait()
    yield bait
    assert bait.path.read_text() == bait.content  # It may not be changed, either.


@pytest.mark.parametrize(
    "swap",
    [
        "results.rename(unit / 'moved'); results.symlink_to(bait.parent)",
        "unit.rename(unit.parent / 'moved'); (unit.parent / 'other').symlink_to(bait.parent); "
        "(unit.parent / 'other').rename(unit)",
        "unit.rename(unit.parent / 'moved'); unit.mkdir(); results.symlink_to(bait.parent)",
        "results.joinpath('deep').symlink_to(bait.parent)",
        "os.link(bait, results / 'hard')",
        "results.joinpath('through').symlink_to('/proc/self/root' + str(bait))",
    ],
    ids=["out is a link", "its parent is a link", "another folder", "a folder is a link", "a hard link", "by /proc"],
)
def test_what_is_put_where_results_are_is_not_followed(worker: Worker, bait: Bait, swap: str) -> None:
    attacked = worker.attack(HEAD.format(bait=str(bait.path)) + swap)
    assert attacked.ended.code == 8, attacked.ended.text
    assert attacked.told(bait.content) == []
    assert 'Traceback (most recent call last):\n  File "/work' not in attacked.ended.text


def test_what_a_script_leaves_running_changes_no_result(worker: Worker, bait: Bait) -> None:
    """Folder for link, file for pipe, five bytes for three GiB: from the moment when the script has ended."""
    attacked = worker.attack(HEAD.format(bait=str(bait.path)) + LATE)
    assert attacked.told(bait.content) == []
    # Its killer may be slower than it, by some steps: then it is refused by name. It is never read.
    if attacked.ended.code == 0:
        assert set(attacked.files.values()) == {b"ours"}
    else:
        assert attacked.ended.code == 8, attacked.ended.text


def test_a_result_beyond_the_limit_is_refused_while_it_is_read(worker: Worker) -> None:
    attacked = worker.attack(
        "import os; os.truncate(os.open(os.environ['TASK_RESULTS_DIR'] + '/hole', os.O_CREAT | os.O_WRONLY), 11 << 30)"
    )
    assert attacked.ended.code == 8, attacked.ended.text
    assert "more than 10000 files or 10 GiB of results" in attacked.ended.text


def test_a_pipe_or_a_socket_holds_nobody_up(worker: Worker) -> None:
    attacked = worker.attack("import os; os.mkfifo(os.environ['TASK_RESULTS_DIR'] + '/pipe')")
    assert attacked.ended.code == 8, attacked.ended.text
    assert "'pipe' is no regular file" in attacked.ended.text

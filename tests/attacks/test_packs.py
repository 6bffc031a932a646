"""One chunk against the others of its pack: what it may not see, change, leave behind or forge.

Each script is an app over three lines, one chunk each, all in one pack: chunk 0 attacks, the others tell what they see.
"""

from __future__ import annotations

import pytest

from tests.attacks.worker import Attacked, Worker

pytestmark = pytest.mark.docker
THREE = "one\ntwo\nthree\n"
HEAD = """
import os, pathlib, socket, subprocess, sys, time
number = int(os.environ["CHUNK_NUMBER"])
results = pathlib.Path(os.environ["TASK_RESULTS_DIR"])
work = results.parents[1]
"""
TELLS = """
def tell(text):
    (results / f"{number}.txt").write_text(str(text))
"""
PLACES = """
places = [work, pathlib.Path("/tmp"), pathlib.Path("/var/tmp"), pathlib.Path.home(), pathlib.Path("/dev/shm")]
"""


def _attack(worker: Worker, script: str, **more: object) -> Attacked:
    return worker.attack(HEAD + TELLS + PLACES + script, source=THREE, **more)  # type: ignore[arg-type]  # passed on


def _told(attacked: Attacked) -> list[str]:
    """What each chunk told, in their order."""
    assert attacked.ended.code == 0, attacked.ended.text
    return [data.decode() for _, data in sorted(attacked.files.items())]


def _assert_only_the_first_failed(attacked: Attacked) -> None:
    assert attacked.ended.code == 8, attacked.ended.text
    assert "1 of 3 chunks have no result (33.3 %, tolerated: 0 %): 0." in attacked.ended.text


def test_only_the_current_chunk_is_in_the_mount(worker: Worker) -> None:
    attacked = _attack(worker, "tell(sorted(os.listdir(work)) == [results.parent.name])")
    assert _told(attacked) == ["True"] * 3


@pytest.mark.usefixtures("images")
def test_nothing_that_a_chunk_wrote_anywhere_meets_the_next(worker: Worker) -> None:
    """Files, folders without rights, deep ones, links, and what is written on the places themselves.

    The image has a folder that everybody may write to. It is one container, unless files are copied: no queue is left,
    which would have it replaced.
    """
    script = """
left = []
for place in places:
    left += [str(path) for path in place.iterdir() if path != results.parent]
    left += [f"{place}: {name}" for name in os.listxattr(place) if name.startswith("user.")]
for top, folders, _ in os.walk("/"):
    shared = [os.environ["USER_CACHE_DIR"], "/proc", "/sys", "/dev/mqueue"]
    folders[:] = [name for name in folders if os.path.join(top, name) not in shared]
    try:
        path = os.path.join(top, "left-behind")
        if os.path.lexists(path):
            left.append(path)
        open(path, "w").close()
    except OSError:
        pass
for place in places:
    try:
        os.setxattr(place, "user.left", b"behind")
    except OSError:
        pass
    try:
        (place / "deep" / "er").mkdir(parents=True)
        (place / "deep" / "er" / "file").write_text("x")
        os.symlink("/etc", place / "link")
        (place / "deep").chmod(0)
        place.chmod(0o500)
    except OSError:
        pass
for path in (results / "left-behind", results.parent / "left-behind", results.parent / "in" / "left-behind"):
    path.unlink(missing_ok=True)
tell(f"{socket.gethostname()} {left}")
"""
    told = _told(_attack(worker, script, manifest={"platform_config": {"container": "triptych-attacks/honest"}}))
    assert [text.partition(" ")[2] for text in told] == ["[]"] * 3
    assert len({text.partition(" ")[0] for text in told}) == (1 if worker.has_mounts else 3)


def test_a_chunk_leaves_the_next_one_no_python_of_its_own(worker: Worker) -> None:
    """`usercustomize` and `sitecustomize` are imported by any Python that finds them."""
    script = """
import site
evil = f"open({str(results)!r}.replace('0-0', '1-1') + '/evil', 'w'); import sys; sys.evil = True"
for folder in {site.getusersitepackages(), *site.getsitepackages(), *filter(None, sys.path), os.getcwd()}:
    for name in ("usercustomize.py", "sitecustomize.py", "pathlib.py", "evil.pth"):
        try:
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name), "w") as out:
                out.write(f"import sys; sys.evil = True")
        except OSError:
            pass
tell(getattr(sys, "evil", False))
"""
    assert _told(_attack(worker, script)) == ["False"] * 3


def test_queues_and_shared_memory_do_not_meet_the_next(worker: Worker) -> None:
    """System V memory and POSIX queues live in the kernel, without a process or a file that could be removed."""
    script = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
number_of_memory = libc.shmget(0x5eed, 4096, 0)
queue = libc.mq_open(b"/left", os.O_RDWR)
tell((number_of_memory, queue))
assert libc.shmget(0x5eed, 4096, 0o1600) >= 0
assert libc.mq_open(b"/left", os.O_RDWR | os.O_CREAT, 0o600, None) >= 0
"""
    assert _told(_attack(worker, script)) == ["(-1, -1)"] * 3


FORGES = """
def loop():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline").read()
        except OSError:
            continue
        if "loop.sh" in line and int(pid) != os.getpid():
            yield int(pid)
def nonce():
    import re
    for pid in loop():
        for region in open(f"/proc/{pid}/maps"):
            bounds, rights = region.split()[:2]
            if rights.startswith("rw") and "[v" not in region:
                start, end = (int(part, 16) for part in bounds.split("-"))
                with open(f"/proc/{pid}/mem", "rb", 0) as memory:
                    memory.seek(start)
                    try:
                        found = re.search(rb"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", memory.read(end - start))
                    except OSError:
                        continue
                    if found:
                        return found[0].decode()
def forge(text):
    for stream in (1, 2):
        os.write(stream, text.encode())
"""


def test_the_nonce_is_in_no_command_line_and_no_environment(worker: Worker) -> None:
    """What the forger finds in the loop's memory is nowhere that needs no right to read it."""
    script = f"""{FORGES}
mine = nonce()
seen = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("cmdline", "environ", "comm"):
        try:
            seen += [name] * (mine is not None and mine.encode() in open(f"/proc/{{pid}}/{{name}}", "rb").read())
        except OSError:
            pass
tell((mine is not None, seen))
"""
    told = _told(_attack(worker, script))
    assert {text.split(",", 1)[1] for text in told} == {" [])"}


@pytest.mark.parametrize("lives", [True, False], ids=["lives on", "ends"])
def test_a_forged_end_is_that_chunks_failure_and_no_others(worker: Worker, lives: bool) -> None:
    """As who runs as the same user can: the nonce is read from the loop's memory."""
    script = f"""{FORGES}
if number == 0:
    mine = nonce()
    if mine is None:
        raise SystemExit("no nonce: this kernel lets no process read another's memory")
    forge(f"\\n{{mine}} 0 0 0 0 0 0\\n")
    if {lives}:
        while True:
            time.sleep(1)
print("own line", number, flush=True)
tell("mine")
"""
    attacked = _attack(worker, script)
    if worker.has_mounts:
        _assert_only_the_first_failed(attacked)
        assert "its end was announced, and not by the loop" in attacked.ended.text
    else:  # Its container runs nobody else: it says of itself what it likes.
        assert _told(attacked)[-2:] == ["mine"] * 2


def test_a_malformed_marker_is_that_chunks_failure(worker: Worker) -> None:
    script = f"""{FORGES}
if number == 0:
    forge(f"\\n{{nonce()}} 0 x\\n")
tell("mine")
"""
    _assert_only_the_first_failed(_attack(worker, script))


def test_a_fork_bomb_ends_with_its_chunk(worker: Worker) -> None:
    script = """
if number == 0:
    while True:
        try:
            os.fork()
        except OSError:
            os._exit(3)
tell("mine")
"""
    _assert_only_the_first_failed(_attack(worker, script))


@pytest.mark.parametrize("whom", ["the loop", "all that it may"])
def test_a_chunk_that_ends_its_container_is_the_only_one_that_fails(worker: Worker, whom: str) -> None:
    script = f"""{FORGES}
import signal
if number == 0:
    for pid in loop() if {whom == "the loop"} else [-1]:
        os.kill(pid, signal.SIGKILL)
    time.sleep(60)
tell("mine")
"""
    _assert_only_the_first_failed(_attack(worker, script))


def test_isolation_chunk_is_a_container_for_each(worker: Worker) -> None:
    script = "tell(socket.gethostname())"
    told = _told(_attack(worker, script, manifest={"isolation": "chunk"}))
    assert len(set(told)) == 3

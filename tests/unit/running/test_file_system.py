"""Which file systems are remote: asked of the kernel, on file systems that were really mounted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from triptych.running.file_system import remote_file_system

ASK = "import sys; from pathlib import Path; from triptych.running.file_system import remote_file_system as r;"
# A mount of another user's: the kernel answers statfs for it without asking the (missing) daemon.
FUSE = "import os, ctypes; d = os.open('/dev/fuse', os.O_RDWR); o = f'fd={d},rootmode=40000,user_id=USER,group_id=0';"
MOUNT = "assert ctypes.CDLL(None, use_errno=True).mount(b'none', sys.argv[1].encode(), b'KIND', 0, o.encode()) == 0;"


def _asked_inside(kind: str, folder: Path, options: str) -> str:
    """What is said of a file system that is mounted in a namespace of its own."""
    script = f"{ASK} import ctypes; {options} {MOUNT.replace('KIND', kind)} print(r(Path(sys.argv[1])))"
    done = subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", script, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"{kind} cannot be mounted here: {done.stderr[-300:]}")
    return done.stdout.strip()


def test_this_machines_own_folders_are_local(tmp_path: Path) -> None:
    assert remote_file_system(tmp_path) is None
    assert remote_file_system(tmp_path / "not" / "made") is None


def test_memory_is_local(tmp_path: Path) -> None:
    assert _asked_inside("tmpfs", tmp_path, "o = 'size=1m';") == "None"


def test_fuse_is_remote(tmp_path: Path) -> None:
    assert _asked_inside("fuse", tmp_path, FUSE.replace("USER", "4242")) == "FUSE"

"""Who an app is in its container, and what it leaves on the host."""

from __future__ import annotations

import pytest

from tests.attacks.worker import Worker

pytestmark = pytest.mark.docker
WHO = "import os; open(os.environ['TASK_RESULTS_DIR'] + '/who', 'w').write(f'{os.getuid()} {os.getgid()}')"


def test_an_app_is_nobody_of_ours(worker: Worker) -> None:
    """Nobody under a root worker; the worker's own user where folders are shared with one that is not root."""
    attacked = worker.attack(WHO)
    assert attacked.ended.code == 0, attacked.ended.text
    expected = b"4321 4321" if worker.mode == "user" else b"65534 65534"
    assert list(attacked.files.values()) == [expected]


def test_what_only_the_worker_may_read_stays_unread(worker: Worker) -> None:
    bait = worker.bait()
    script = f"import os; os.symlink({str(bait.path)!r}, os.environ['TASK_RESULTS_DIR'] + '/link')"
    attacked = worker.attack(script)
    assert attacked.ended.code == 8
    assert "link" in attacked.ended.text
    assert attacked.told(bait.content) == []

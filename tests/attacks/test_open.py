"""What is not defended, and said so on the security page: that it is so, as long as the page says it."""

from __future__ import annotations

from tests.attacks.worker import attacked_worker


def test_under_the_runner_process_a_script_reads_what_its_worker_can() -> None:
    with attacked_worker("root", {"AIRFLOW__TRIPTYCH__RUNNER": "process"}) as worker:
        bait = worker.bait()
        script = f"import os, shutil; shutil.copy({str(bait.path)!r}, os.environ['TASK_RESULTS_DIR'] + '/taken')"
        attacked = worker.attack(script)
        assert attacked.ended.code == 0, attacked.ended.text
        assert attacked.files == {"taken": bait.content.encode()}

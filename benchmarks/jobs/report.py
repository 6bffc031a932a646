"""How long a report takes to be made and to be opened in a browser, how large it is, and what memory making it takes.

PYTHONPATH=. python benchmarks/jobs/report.py [CHUNKS ...]
"""

from __future__ import annotations

import multiprocessing
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.support.recorded_jobs import plan_of, run_all, workspace_at
from triptych.reports import Prices, files_of, measure
from triptych.reports.ended import put_ended

DRAWN = "document.documentElement.dataset.drawn"
TIMES = 5


def main() -> None:
    numbers = [int(text) for text in sys.argv[1:]] or [10, 1_000, 100_000]
    print("| chunks | made in | memory | `report.html` | `report.json` | opened in |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    spawned = multiprocessing.get_context("spawn")
    for chunks in numbers:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            workspace = workspace_at(folder)
            run_all(workspace, plan_of(workspace, chunks))
            put_ended(workspace, 0, None)
            with spawned.Pool(1) as pool:  # A process of its own: its peak is that of the making alone.
                seconds, peak = pool.apply(_make, (folder,))
            html, json = (folder / each for each in ("report.html", "report.json"))
            sizes = " | ".join(f"{path.stat().st_size / 1e6:.2f} MB" for path in (html, json))
            print(f"| {chunks:,} | {seconds:.2f} s | {peak:.0f} MiB | {sizes} | {_opened(html)} |", flush=True)


def _make(folder: Path) -> tuple[float, float]:
    """Seconds, and what the making added to the process's memory, MiB."""
    before = _peak_mib()
    began = time.perf_counter()
    report = measure(workspace_at(folder), Prices(0.04, 0.005))
    assert report is not None
    for name, data in files_of(report).items():
        (folder / name).write_bytes(data)
    return time.perf_counter() - began, _peak_mib() - before


def _peak_mib() -> float:
    # Not ru_maxrss: that begins with the size of the process that started this one.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak
    return int(peak[1]) / 1024


def _opened(page: Path) -> str:
    """The median time from the address to the drawn timeline, in a new window of Debian's Chromium."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return "no chromium here"
    from playwright.sync_api import sync_playwright

    took = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(TIMES):
            window = browser.new_page(viewport={"width": 1360, "height": 900})
            began = time.perf_counter()
            window.goto(page.as_uri())
            window.wait_for_function(DRAWN)
            took.append(time.perf_counter() - began)
            window.close()
        browser.close()
    return f"{sorted(took)[TIMES // 2]:.2f} s"


if __name__ == "__main__":
    main()

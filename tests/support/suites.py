"""Which tests stay in one process of pytest-xdist, as they share servers and containers that take long to start."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

TOGETHER = {
    "tests/contract/stores": "stores",
    "tests/contract/cli": "engine",
    "tests/contract/docs": "engine",
    "tests/contract/jobs": "engine",
    "tests/contract/running": "engine",
    "tests/contract/packaging": "packaging",
    "tests/attacks": "attacks",
    "tests/apps": "apps",
    "tests/browser": "browser",
    "tests/e2e": "airflow",
    "tests/faults": "faults",
    "tests/fuzz": "fuzz",
    "tests/workers": "workers",
}
"""By folder. All other tests share nothing."""


class SuiteScheduling(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types for its base.
    """Not xdist's own by marks (`loadgroup`), which pytest 9.2 ignores without a word: pytest-xdist issue 1386."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER.get(nodeid.partition("::")[0].rpartition("/")[0], nodeid)

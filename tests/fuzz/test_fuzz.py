"""Generated input, sound or odd, at every surface: refused in a sentence, or taken; no traceback, no hang, no rest."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.fuzz import inputs
from tests.fuzz.budget import Budget, TimeIsUpError
from tests.fuzz.tally import Ended, Kind, Tally
from tests.fuzz.worker import Worker
from triptych.options import OPTIONS

configurations = st.dictionaries(st.sampled_from([option.key for option in OPTIONS]), inputs.texts, max_size=4)
SURFACES: Mapping[str, tuple[st.SearchStrategy[Any], int, int]] = {
    "settings": (configurations, 200, 3_000),
    "conf": (inputs.confs, 200, 8_000),
    "yielded": (inputs.chunks, 100, 3_000),
    "left": (inputs.leavings, 20, 500),
    "workspace": (inputs.objects, 15, 400),
    "command": (inputs.arguments, 60, 2_000),
    "blocks": (inputs.include_folders, 60, 2_000),
}
"""What is generated for each, and how many examples in CI and at most in the long run; the quick ones come first."""


@pytest.mark.parametrize("surface", SURFACES)
@pytest.mark.timeout(0)  # A call that hangs is killed, and counted, by the worker.
def test_no_input_is_a_traceback_or_a_hang(
    surface: str, worker: Worker, tally: Tally, fuzz_seed: int, budget: Budget | None
) -> None:
    generated, few, many = SURFACES[surface]
    until = budget.share(len(SURFACES) - list(SURFACES).index(surface)) if budget else math.inf

    @seed(fuzz_seed)
    @examples(
        max_examples=many if budget else few,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(generated)
    def call(payload: Any) -> None:
        if time.monotonic() > until:
            raise TimeIsUpError
        tally.add(surface, payload, worker.call(surface, payload))

    with suppress(TimeIsUpError):
        call()
    wrong = tally.wrong[surface]
    assert not wrong, f"{len(wrong)} kinds:\n" + "\n\n".join(wrong.values())


@pytest.mark.parametrize(
    ("payload", "kind"),
    [("returns", Kind.ACCEPTED), ("refuses", Kind.REFUSED), ("raises", Kind.TRACEBACK), ("hangs", Kind.HANG)],
)
def test_the_worker_tells_one_end_from_the_other(payload: str, kind: Kind) -> None:
    with Worker(limit_s=20.0) as worker:
        assert worker.call("selfcheck", payload).kind is kind
        assert worker.call("selfcheck", "returns").kind is Kind.ACCEPTED


def test_a_surface_has_its_share_of_what_is_left_and_leaves_its_rest() -> None:
    now = [0.0]
    budget = Budget(60.0, lambda: now[0])
    assert budget.share(3) == 20.0
    now[0] = 6.0
    assert budget.share(2) == 6.0 + 27.0
    now[0] = 70.0
    assert budget.share(1) == 70.0


def test_a_table_has_every_call() -> None:
    tally = Tally()
    for kind in (Kind.ACCEPTED, Kind.HANG, Kind.HANG):
        tally.add("a", {"x": "\ud800"}, Ended(kind, "text"))
    assert tally.table()[-1] == "| **all** | 3 | 1 | 0 | 0 | 2 | 0 |"
    assert tally.summary() == "3 calls: 1 accepted, 0 refused, 0 tracebacks, 2 hangs, 0 half-written"
    assert list(tally.wrong["a"].values()) == ["{'x': '\\\\ud800'}\ntext"]

"""The seed, the number of examples, and the table at the end.

`FUZZ=whole` is the long run, of FUZZ_MINUTES (50) at most; `FUZZ_SEED` repeats one.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.fuzz.budget import Budget
from tests.fuzz.tally import Tally
from tests.fuzz.worker import Worker
from tests.support.last_words import at_the_end

IS_WHOLE = os.environ.get("FUZZ") == "whole"
SHORT_SEED = 16
"""Of the short form: what stands in the way of a change is the same for each, and again when it is run again."""
SEED = int(os.environ.get("FUZZ_SEED") or (random.randrange(10**6) if IS_WHOLE else SHORT_SEED))
MINUTES = float(os.environ.get("FUZZ_MINUTES") or 50)
TALLY = Tally()
at_the_end(
    f"fuzz, FUZZ_SEED={SEED}{' FUZZ=whole' if IS_WHOLE else ''}",
    lambda: "\n".join((*TALLY.table(), TALLY.summary())) if TALLY.counts else "",
)


@pytest.fixture(scope="session")
def tally() -> Tally:
    """Of the whole session."""
    return TALLY


@pytest.fixture(scope="session")
def fuzz_seed() -> int:
    """Of every generator."""
    return SEED


@pytest.fixture(scope="session")
def budget() -> Budget | None:
    """Of the long run, from its first call on; None for the short one, which its number of examples bounds."""
    return Budget(60 * MINUTES) if IS_WHOLE else None


@pytest.fixture(scope="package")
def worker() -> Iterator[Worker]:
    """The process that takes the inputs."""
    with Worker() as made:
        yield made
